"""Every example in the documentation is executed: Python as it stands, commands with exit codes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Executable blocks: (kind, file name or None, text)."""
    for kind, options, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        title = re.search(r'title="([^"]+)"', options)
        if kind in {"python", "console"}:
            yield kind, title and title[1], text


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    kept.pop("PYTHONHASHSEED", None)
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept


def call(words, folder):
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    "page", [p for p in PAGES if list(blocks(p))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_examples_of_a_page_work(page, tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    script = ""
    for kind, title, text in blocks(page):
        if title:
            (tmp_path / title).write_text(text)
        elif kind == "python":
            # Later blocks build on earlier ones: each run repeats what stood before.
            script += text + "\n"
            done = call([sys.executable, "-c", script], tmp_path)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        else:
            for line in text.splitlines():
                command, _, expected = line.removeprefix("$ ").partition("# exits ")
                if line.startswith("$ "):
                    done = call(["bash", "-c", command], tmp_path)
                    assert done.returncode == int(expected or 0), (
                        f"{line}\n{done.stdout}\n{done.stderr}"
                    )


def test_every_command_is_told_in_the_reference():
    commands = ROOT / "docs" / "reference" / "cli.md"
    assert "<!-- commands -->" in commands.read_text(encoding="utf-8")
