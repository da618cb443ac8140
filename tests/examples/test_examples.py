"""The examples run as they stand, each in a process and a folder of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_tracked_script_finds_its_best_run(shell):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "track_a_script.py"],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("best: ridge 0.1, alpha 0.1, r2 0.369"), done.stderr
    assert len(shell("runs", "--json").json) == 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("big_tips", ["--cutoff", "2016-06-30"]),
        ("income", ["--set", "model=linear"]),
        ("income", []),
    ],
)
def test_a_pipeline_passes_all_gates_that_need_no_second_run(shell, real_table, name, options):
    # The example looks beside itself first; a copy keeps its store out of the repository.
    file = shell.folder / f"{name}.py"
    text = (
        (EXAMPLES / file.name)
        .read_text()
        .replace("../../shared/data", str(real_table("SOURCES.md").parent))
    )
    file.write_text(text)
    run = shell("run", file, *options, "--json").json
    assert run["state"] == "finished"
    states = {gate["state"] for gate in shell("models", "--json").json[0]["gates"]}
    assert states == {"passed", "pending"}


def test_the_readme_names_every_example():
    text = (EXAMPLES / "README.md").read_text()
    assert [file.name for file in sorted(EXAMPLES.glob("*.py")) if file.name not in text] == []
