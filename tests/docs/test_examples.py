"""Every example in the documentation is executed, and what it prints is compared with the page.

A page is worked through from top to bottom in an empty folder:

- a block with ``title="name.py"`` is written to that file, ``title="output"`` is what the Python
  block before it printed;
- Python blocks run one after the other in one process, as in a notebook;
- in ``console`` blocks the lines after ``$`` are commands (``# exits 1`` tells another exit code,
  ``&`` starts a server), the lines between are what they print;
- ``…`` stands for anything. ``bash`` and ``text`` blocks are not executed.
- the commands of README.md are processes that start from nothing; those of other pages are forked
  from one whose libraries are loaded (`tests.warm`), in the page's folder, environment and streams;
- a page that names ``db.example`` gets a PostgreSQL server by that name, and an S3 server with the
  bucket ``models``.

What changes from run to run (ids, digests, times, fractions) is compared by its form only.
"""

import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import httpx
import pytest
from tests import services, warm

from penstock.cli import cli

ROOT = Path(__file__).parents[2]
TABLE = ROOT.parent / "shared" / "data" / "chicago_taxi_trips.csv"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
TITLE = re.compile(r'title="([^"]+)"')
NOTEBOOK = """
import json, sys
names = {"__name__": "__main__"}
for line in sys.stdin:
    exec(compile(json.loads(line), "<page>", "exec"), names)
    print("\\0", flush=True)
"""
LONGEST_S = 240
FORMS = {
    "<id>": r"\b0[0-9a-hjkmnp-tv-z]{19}\b",
    "<digest>": r"\b[0-9a-f]{12}\b",
    "<time>": r"\b\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?",
    "<duration>": r"\b\d+(\.\d+)? (ms|s|min)\b( \d\d s)?",
    "<count>": r"\b\d+ requests\b",
    "<machine>": r"\bPython (3\.\d+\.\d+, \d+ packages, \S+ \S+ \S+|…)",
    "<fraction>": r"-?\b\d+(\.\d{2,}|(\.\d+)?e-\d+)\b",
}
HOME = "/home/you/project"
DATABASE_HOST = "db.example"


def blocks(page):
    """Blocks of a page: (kind, title or None, text)."""
    for kind, options, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        title = TITLE.search(options)
        yield kind, title and title[1], text


def is_executable(page):
    return any(kind in {"python", "console"} for kind, _, _ in blocks(page))


class Reader:
    """Works through a page the way a reader would, in a folder."""

    def __init__(self, folder, *, cold=False):
        self.folder, self.printed, self.port = folder, "", free_port()
        self.environment = environment()
        if not cold:  # commands are forked from a process that has the libraries loaded
            path = warm.folder(self.environment), self.environment["PATH"]
            self.environment["PATH"] = os.pathsep.join(map(str, filter(None, path)))
        self.processes, self.notebook = [], None
        self.services, self.places, self.variables = ExitStack(), {}, {}

    def close(self):
        for process in self.processes:
            process.terminate()
            process.communicate(timeout=30)
        self.services.close()

    def bring_services(self):
        """Start the team's servers; the page's name of the database's host leads to one of them."""
        database = self.services.enter_context(services.postgres())
        database.sql("CREATE ROLE postgres SUPERUSER LOGIN")
        address = self.services.enter_context(services.s3())
        httpx.put(f"{address}/models").raise_for_status()
        self.places[DATABASE_HOST] = f"127.0.0.1:{database.port}"
        self.variables = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "you",
            "AWS_SECRET_ACCESS_KEY": "very-secret",
            "PENSTOCK_JOURNALS": self.services.enter_context(TemporaryDirectory()),
        }

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text))

    def here(self, text):
        for name, place in {":8000": f":{self.port}", **self.places}.items():
            text = text.replace(name, place)
        return text

    def python(self, text):
        text = self.here(text)
        if self.notebook is None:
            self.notebook = self.start([sys.executable, "-u", "-c", NOTEBOOK])
        watchdog = threading.Timer(LONGEST_S, self.notebook.kill)
        watchdog.start()
        self.notebook.stdin.write(json.dumps(text) + "\n")
        self.notebook.stdin.flush()
        lines = []
        for line in self.notebook.stdout:
            if line == "\0\n":
                break
            lines.append(line)
        else:
            pytest.fail(f"{text}\n{''.join(lines)}")
        watchdog.cancel()
        self.printed = "".join(lines)

    def console(self, text):
        for part in re.split(r"(?m)^\$ ", text)[1:]:
            line, _, expected = part.partition("\n")
            command, _, code = line.partition("  # exits ")
            command = self.here(command)
            if command.endswith(" &"):
                self.serve(command.removesuffix(" &"))
                continue
            if command.startswith("curl") and not shutil.which("curl"):
                stop = pytest.fail if os.environ.get("CI") else pytest.skip
                stop("curl is not installed")
            done = subprocess.run(
                ["bash", "-c", command],
                cwd=self.folder,
                env=self.environment | self.variables,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=LONGEST_S,
            )
            assert done.returncode == int(code or 0), f"{line}\n{done.stdout}"
            self.printed = done.stdout
            if expected.strip():
                self.compare(expected)

    def compare(self, expected):
        shown = self.printed.replace(str(self.folder.resolve()), HOME)
        for name, place in self.places.items():
            shown = shown.replace(place, name)
        pattern = re.sub(r"(?:\\ )?…(?:\\ )?", ".*?", re.escape(forms(expected)))
        assert re.fullmatch(pattern, forms(shown)), (
            f"the page shows\n{expected}\nbut this was printed:\n{shown}"
        )

    def serve(self, command):
        server = self.start(["bash", "-c", f"exec {command} --port {self.port}"])
        health = "/health" if command.startswith("penstock server") else "/v2/health/ready"
        for _ in range(LONGEST_S * 5):
            assert server.poll() is None, server.stdout.read()
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}{health}").close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        pytest.fail(f"{command} did not become ready")

    def start(self, command):
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment | self.variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(process)
        return process


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PENSTOCK_")}
    kept.pop("PYTHONHASHSEED", None)
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return {**kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "LOGNAME": "you"}


def forms(text):
    """Text without what may differ: spacing, the lines of tables, and the FORMS."""
    text = " ".join(re.sub(r"[─━]+", "", text).split())
    for name, form in FORMS.items():
        text = re.sub(form, name, text)
    return text


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def bring_table(page, folder):
    """The README reads a real table, which stands beside the project and not in it."""
    if TABLE.name not in page.read_text(encoding="utf-8"):
        return
    if TABLE.exists():
        (folder / TABLE.name).symlink_to(TABLE)
    elif os.environ.get("CI"):
        pytest.fail(f"{TABLE} is missing, and CI must have it")
    else:
        pytest.skip(f"needs the table {TABLE}")


def require_packages(page):
    """What a page tells to install and not everybody has; in CI nothing may be missing."""
    if 'pip install "penstock[notebooks]"' in page.read_text(encoding="utf-8"):
        missing = [name for name in ("nbclient", "jupytext") if not importlib.util.find_spec(name)]
        if missing:
            stop = pytest.fail if os.environ.get("CI") else pytest.skip
            stop(f'{", ".join(missing)} is missing: pip install "penstock[notebooks]"')


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [*filter(is_executable, PAGES)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_examples_of_a_page_do_what_it_shows(page, tmp_path):
    (tmp_path / "pyproject.toml").write_text("")
    bring_table(page, tmp_path)
    require_packages(page)
    reader, executed = Reader(tmp_path, cold=page.name == "README.md"), 0
    try:
        if DATABASE_HOST in page.read_text(encoding="utf-8"):
            reader.bring_services()
        for kind, title, text in blocks(page):
            executed += kind in {"python", "console"}
            if title == "output":
                reader.compare(text)
            elif title:
                reader.write(title, text)
            elif kind == "python":
                reader.python(text)
            elif kind == "console":
                reader.console(text)
    finally:
        reader.close()
    assert executed > 0


def test_a_page_that_shows_something_else_is_noticed(tmp_path):
    reader = Reader(tmp_path)
    reader.console("$ echo one two\none …\n")
    with pytest.raises(AssertionError, match="the page shows"):
        reader.console("$ echo one two\none three\n")
    with pytest.raises(AssertionError, match="exit 3"):
        reader.console("$ exit 3\n")


def test_the_command_reference_is_generated():
    reference = ROOT / "docs" / "reference" / "cli.md"
    assert "<!-- commands -->" in reference.read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        assert f": {page.relative_to(ROOT / 'docs')}\n" in navigation


def test_links_lead_to_files_that_exist():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


# Files for other programs: their commands are not executed here, but they must exist.
UNEXECUTED = {"bash", "ini", "dockerfile", "yaml", "text"}
CALL = re.compile(r"(?<![\w/-])(?:\S*/bin/)?penstock ((?:--store \S+ )?[a-z][^#|;&`]*)")
FREE = {"run", "backfill"}  # parameters of a pipeline are options too


def test_every_command_in_a_file_for_another_program_exists_with_its_options():
    wrong = [
        f"{page.name}: {call}: {problem}"
        for page in PAGES
        for kind, _, text in blocks(page)
        if kind in UNEXECUTED
        for call in CALL.findall(text.replace("\n", " ; "))
        if (problem := unknown_words(call.replace('"', "").replace(",", "").split()))
    ]
    assert wrong == []


def unknown_words(words):
    """Return what is unknown about a command line's command and options; empty if all is known."""
    words = words[2:] if words[0] == "--store" else words
    command: click.Command = cli
    while words and isinstance(command, click.Group):
        found = command.get_command(click.Context(command), words[0])
        if found is None:  # a sentence about penstock, or a command that does not exist
            return words[0] if any(word.startswith("--") for word in words) else ""
        command, words = found, words[1:]
    known = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    return "" if command.name in FREE else " ".join(sorted(options - known - {"--help"}))


def test_a_command_that_does_not_exist_is_noticed():
    assert unknown_words(["serve", "churn", "--prot", "8000"]) == "--prot"
    assert unknown_words(["store", "copi", "--since", "x"]) == "copi"
    assert unknown_words(["--store", "x", "runs", "--limit", "3"]) == ""
