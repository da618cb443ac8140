"""The shape of the package: layers, private files, import cost, no vague names."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from penstock.stores.rest import RULES, operations

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
MODULES = sorted(SOURCE.rglob("*.py"))


@cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path):
    """Dotted names imported anywhere in a file, with their line and nesting."""
    tree = parsed(path)
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno, id(node) in top
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno, id(node) in top


def test_the_layers_hold():
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_private_files_of_other_packages_are_not_imported():
    bad = []
    for path in MODULES:
        own = path.relative_to(SOURCE).parts[0]
        for name, line, _ in imports(path):
            parts = name.split(".")
            private = any(part.startswith("_") and part != "__future__" for part in parts[1:])
            if parts[0] == "penstock" and private and parts[1] != own:
                bad.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert bad == []


def test_a_room_of_execution_is_imported_by_its_name_and_never_the_whole_from_within():
    """Packages load lazily, so an import of the whole from within would be a circle nobody sees."""
    bad = []
    for path in sorted((SOURCE / "execution").rglob("*.py")):
        room = ".".join(("penstock", *path.relative_to(SOURCE).parent.parts))
        for name, line, _ in imports(path):
            package, _, file = name.rpartition("._")
            if name == "penstock.execution" or (
                file and package.startswith("penstock.execution") and package != room
            ):
                bad.append(f"{path.relative_to(ROOT)}:{line} imports {name}")
    assert bad == []


def test_own_code_is_never_imported_inside_a_function():
    bad = []
    for path in MODULES:
        tree = parsed(path)
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                bad += [
                    f"{path.relative_to(ROOT)}:{node.lineno}"
                    for node in ast.walk(function)
                    if isinstance(node, ast.ImportFrom)
                    and (node.module or "").startswith("penstock")
                ]
    assert bad == []


def test_every_module_says_what_it_holds():
    silent = [
        str(path.relative_to(ROOT)) for path in MODULES if ast.get_docstring(parsed(path)) is None
    ]
    assert silent == []


def test_docstrings_name_what_they_speak_of():
    """Optuna has 5.5 of these words in 1,000, Kedro 6.9; a pronoun has its place, a dialect has not."""
    vague = {
        "it",
        "its",
        "what",
        "who",
        "whom",
        "one",
        "another",
        "other",
        "others",
        "nobody",
        "somebody",
    }
    spoken = [
        word.lower()
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for word in re.findall(r"[A-Za-z']+", ast.get_docstring(node) or "")
    ]
    assert sum(word in vague for word in spoken) <= 12 / 1000 * len(spoken)


def test_every_method_of_a_public_protocol_says_what_it_does():
    """A protocol is implemented by others, who have nothing but its words."""
    silent = [
        f"{path.relative_to(SOURCE)} {node.name}.{method.name}"
        for path in MODULES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(ast.unparse(base).startswith("Protocol") for base in node.bases)
        for method in node.body
        if isinstance(method, ast.FunctionDef) and not method.name.startswith("_")
        if ast.get_docstring(method) is None
    ]
    assert silent == []


def test_a_public_class_has_a_name_of_its_own():
    places = defaultdict(list)
    for path in MODULES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(str(path.relative_to(SOURCE)))
    assert [(name, files) for name, files in places.items() if len(files) > 1] == []


def test_no_file_has_a_vague_name():
    vague = {"utils", "helpers", "common", "manager", "misc", "util", "helper"}
    assert [p for p in MODULES if p.stem.strip("_") in vague] == []


def test_no_file_is_longer_than_five_hundred_lines():
    """A longer file holds a second idea; migrations are kept as they were."""
    lengths = {path: path.read_text(encoding="utf-8").count("\n") for path in MODULES}
    long = {str(path.relative_to(ROOT)): lines for path, lines in lengths.items() if lines > 500}
    assert long == {}


@pytest.mark.parametrize(
    "heavy", ["polars", "numpy", "sklearn", "sqlalchemy", "plotly", "litestar"]
)
def test_importing_penstock_loads_nothing_heavy(heavy):
    code = f"import sys, penstock; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_importing_penstock_stays_within_its_budget_of_modules():
    code = "import sys; n = len(sys.modules); import penstock; print(len(sys.modules) - n)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 90


# What computes or draws, and the databases beyond SQLite: nothing of it is needed to say what is there.
HEAVY = "numpy polars pandas pyarrow scipy sklearn torch plotly duckdb sqlalchemy alembic"
# Commands that only work with tables; modules of `cli` by name.
OF_TABLES = {
    "_demo",
    "_features",
    "_features_check",
    "_features_write",
    "_feature_arguments",
    "_new",
    "_predict",
}


def loaded_after(*imports):
    """Which of the heavy packages and servers are loaded after these imports, each in one process."""
    code = f"""
import importlib, sys
found = {{}}
for name in {imports!r}:
    module, _, attribute = name.partition(":")
    getattr(importlib.import_module(module), attribute or "__name__")
    for heavy in {(HEAVY + " litestar uvicorn httpx").split()!r}:
        if heavy in sys.modules:
            found.setdefault(heavy, name)
print(found)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return ast.literal_eval(done.stdout)


def test_a_command_loads_no_heavy_package_before_it_works():
    """Each is loaded by what it computes, so that help, lists and refusals answer at once."""
    modules = {path.stem for path in (SOURCE / "cli").glob("_[!_]*.py")} - OF_TABLES - {"_main"}
    assert len(modules) > 30
    assert (
        loaded_after(*(f"penstock.cli.{stem}" for stem in sorted(modules - {"_server", "_ui"})))
        == {}
    )


def test_a_server_starts_without_what_computes():
    """An idle server keeps its memory for requests: 250 MiB with these packages, 73 without."""
    found = loaded_after("penstock.server:create_server", "penstock.server:serve_store")
    assert sorted(found) == ["litestar", "uvicorn"]


def test_every_test_asserts_something():
    """A test without an assertion cannot fail."""
    words = ("assert", "raises", "check_", "expect", "fail(")
    bare = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                body = "\n".join(lines[node.lineno - 1 : node.end_lineno])
                if not any(word in body for word in words):
                    bare.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert bare == []


# Tests of what no single file does: a law over a whole package, a behaviour of several files together.
WHOLE = {"benchmarks", "docs", "durability", "examples", "loop"}
TOGETHER = {
    "data": "real_tables",
    "data/sources": "in_runs",
    "features": "killed",
    "execution": "canary control differential isolation item_keys kills let_go mutations orphans parallel_steps part trace",
    "models": "kinds",
    "monitoring": "false_alarms",
    "provenance": "code_property",
    "registry": "concurrency invariants",
    "server": "fuzz path_corpus",
    "server/openid": "canaille",
    "server/ui": "browser fuzz injection pages paths tracked_run truthful",
    "serving": "kinds protocol",
    "steps": "refused_models",
    "stores": "chunk_damage hostile_models query_law shared_stores tables testing values",
    "tracking": "outage",
    "tracking/recorders": "autolog",
}


def test_tests_mirror_the_tree():
    """`registry/_history.py` is tested in `tests/registry/test_history.py`; what is not is named above."""
    astray: dict[str, Any] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        place, stem = path.relative_to(ROOT / "tests").parent, path.stem.removeprefix("test_")
        folder = SOURCE / place
        mirrored = (folder / stem).is_dir() or any(folder.rglob(f"_{stem}.py"))
        if place.parts and place.parts[0] not in WHOLE and not mirrored:
            astray.setdefault(str(place), []).append(stem)
    assert {place: " ".join(stems) for place, stems in astray.items()} == TOGETHER


def test_every_operation_of_the_store_declares_its_permission():
    """A method of a noun is served over HTTP: RULES in stores/rest/_rules.py says to whom."""
    found = {noun: set(verbs) for noun, verbs in operations().items()}
    assert {noun: set(rules) for noun, rules in RULES.items()} == found


def test_every_test_that_is_called_slow_exists():
    lines = (ROOT / "tests/slow.txt").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if not line.startswith("#")]
    for line in named:
        file, *_, name = line.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8"), line
    assert named == sorted(set(named))
