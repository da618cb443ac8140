"""Edits of a project's code: exactly the steps whose result can change are executed again.

Each edit is made to a project of several files, the pipeline is run, and the steps that were
executed are compared with those that the edit can reach; the edit is named by `why`.
"""

import random

import pytest
from tests.hunting import SEED, length

from penstock.execution import QuietReporter, load_pipeline, run, why
from penstock.stores import open_store

FILES = {
    "pyproject.toml": "",
    "weights.json": "[1, 2, 3]\n",
    "unrelated.py": "def never_called():\n    return 1\n",
    "constants.py": "SCALE = 3\nOFFSET = 10\nUNUSED = 5\n",
    "helpers.py": '''
import logging

from constants import OFFSET, SCALE
import deep

logger = logging.getLogger(__name__)


def scaled(x, factor=SCALE):
    """Scale a number."""
    result = x * factor
    logger.info("scaled %s", x)
    return result


def shifted(x):
    moved = x + OFFSET
    return deep.rounded(moved)


def unused_helper(x):
    return x - 1
''',
    "deep.py": """
import math as m


def noted(function):
    def wrapped(x):
        return function(x)

    return wrapped


@noted
def rounded(value):
    total = 0
    for part in [value, 1]:
        total += part
    return m.floor(deeper(total))


def deeper(number):
    return number / 2
""",
    "shapes.py": """
class Base:
    sides = 4

    def area(self):
        return self.side * self.side


class Square(Base):
    def __init__(self, side):
        self.side = side

    def perimeter(self):
        return self.side * self.sides


class Circle(Base):
    def area(self):
        return 3
""",
    "job.py": """
import json
from pathlib import Path

import penstock as ps
import helpers
from helpers import shifted
from shapes import Square


@ps.step
def load(count: int) -> list[int]:
    # the numbers
    return list(range(count))


@ps.step
def scale(numbers: list[int]) -> list[int]:
    return [helpers.scaled(number) for number in numbers]


@ps.step
def shift(numbers: list[int]) -> list[int]:
    return [shifted(number) for number in numbers]


@ps.step
def measure(numbers: list[int]) -> int:
    square = Square(len(numbers))
    return square.area() + square.perimeter()


@ps.step(uses=["weights.json"])
def weigh(numbers: list[int]) -> int:
    weights = json.loads(Path("weights.json").read_text())
    return sum(w * n for w, n in zip(weights, numbers))


@ps.step
def report(a: list[int], b: list[int], c: int, d: int) -> str:
    print("reporting", c)
    return f"{sum(a)} {sum(b)} {c} {d}"


@ps.pipeline
def job(count: int = 4):
    numbers = load(count)
    scaled, shifted_ = scale(numbers), shift(numbers)
    return report(scaled, shifted_, measure(numbers), weigh(numbers))
""",
}
NOTHING: frozenset = frozenset()
# file, before, after, the steps whose own key must move, the name that `why` gives for it
EDITS = [
    # comments, blank lines, docstrings, formatting
    ("job.py", "# the numbers", "# all the numbers, from zero", NOTHING, None),
    ("job.py", "def load(count: int)", "\n\ndef load(count: int)", NOTHING, None),
    ("helpers.py", '"""Scale a number."""', '"""Scale it."""', NOTHING, None),
    ("helpers.py", '    """Scale a number."""\n', "", NOTHING, None),
    ("helpers.py", "result = x * factor", "result = (x  *  factor)", NOTHING, None),
    ("deep.py", "for part in [value, 1]:", "for part in [\n        value,\n        1,\n    ]:", NOTHING, None),
    ("constants.py", "SCALE = 3", "SCALE = 3  # times", NOTHING, None),
    ("shapes.py", "class Base:", 'class Base:\n    """Anything."""\n', NOTHING, None),
    # texts of logs: what a step prints may be caught, by `redirect_stdout` or a handler
    ("helpers.py", '"scaled %s"', '"scaled the number %s"', {"scale"}, "helpers.py:scaled"),
    ("job.py", 'print("reporting", c)', 'print("now reporting", c)', {"report"}, "job.py:report"),
    # names of locals: `df.query("x > @limit")` and `pl.sql` read them in the frame of their caller
    ("helpers.py", '    result = x * factor\n    logger.info("scaled %s", x)\n    return result', '    y = x * factor\n    logger.info("scaled %s", x)\n    return y', {"scale"}, "helpers.py:scaled"),
    ("helpers.py", "    moved = x + OFFSET\n    return deep.rounded(moved)", "    m = x + OFFSET\n    return deep.rounded(m)", {"shift"}, "helpers.py:shifted"),
    ("deep.py", ("total = 0", "total += part", "deeper(total)"), ("s = 0", "s += part", "deeper(s)"), {"shift"}, "deep.py:rounded"),
    ("deep.py", "for part in [value, 1]:\n        total += part", "for p in [value, 1]:\n        total += p", {"shift"}, "deep.py:rounded"),
    ("job.py", "square = Square(len(numbers))\n    return square.area() + square.perimeter()", "s = Square(len(numbers))\n    return s.area() + s.perimeter()", {"measure"}, "job.py:measure"),
    ("job.py", "sum(w * n for w, n in zip(weights, numbers))", "sum(a * b for a, b in zip(weights, numbers))", {"weigh"}, "job.py:weigh"),
    ("job.py", 'weights = json.loads(Path("weights.json").read_text())\n    return sum(w * n for w, n in zip(weights, numbers))', 'ws = json.loads(Path("weights.json").read_text())\n    return sum(w * n for w, n in zip(ws, numbers))', {"weigh"}, "job.py:weigh"),
    ("job.py", "helpers.scaled(number) for number in numbers", "helpers.scaled(n) for n in numbers", {"scale"}, "job.py:scale"),
    ("deep.py", "def wrapped(x):\n        return function(x)\n\n    return wrapped", "def wrapped(x):\n        return function(x)\n\n    # give it\n    return wrapped", NOTHING, None),
    # names of imports: they are globals, which the same readers look up
    ("deep.py", ("import math as m", "m.floor"), ("import math as maths", "maths.floor"), {"shift"}, "deep.py:rounded"),
    ("job.py", ("import helpers\n", "helpers.scaled"), ("import helpers as hlp\n", "hlp.scaled"), {"scale"}, "job.py:scale"),
    ("job.py", ("import shifted\n", "[shifted("), ("import shifted as moved\n", "[moved("), {"shift"}, "job.py:shift"),
    ("job.py", ("import Square\n", "= Square("), ("import Square as Sq\n", "= Sq("), {"measure"}, "job.py:measure"),
    # what no step reaches
    ("unrelated.py", "return 1", "return 2", NOTHING, None),
    ("constants.py", "UNUSED = 5", "UNUSED = 6", NOTHING, None),
    ("helpers.py", "return x - 1", "return x - 2", NOTHING, None),
    # the steps themselves
    ("job.py", "list(range(count))", "list(range(count + 1))", {"load"}, "job.py:load"),
    ("job.py", "{sum(a)} {sum(b)}", "{sum(a)}, {sum(b)}", {"report"}, "job.py:report"),
    ("job.py", "square.area() + square", "square.area() - square", {"measure"}, "job.py:measure"),
    ("job.py", "def load(count: int) -> list[int]:\n    # the numbers\n    return list(range(count))", "def load(count: int) -> list[int]:\n    return [5] * count", {"load"}, "job.py:load"),
    # a helper, near and far
    ("helpers.py", "result = x * factor", "result = x * factor + 1", {"scale"}, "helpers.py:scaled"),
    ("helpers.py", "moved = x + OFFSET", "moved = x - OFFSET", {"shift"}, "helpers.py:shifted"),
    ("deep.py", "return number / 2", "return number / 4", {"shift"}, "deep.py:deeper"),
    ("deep.py", "m.floor(", "m.ceil(", {"shift"}, "deep.py:rounded"),
    ("deep.py", "for part in [value, 1]", "for part in [value, 2]", {"shift"}, "deep.py:rounded"),
    # constants, defaults
    ("constants.py", "SCALE = 3", "SCALE = 4", {"scale"}, "helpers.py:scaled default factor"),
    ("constants.py", "OFFSET = 10", "OFFSET = 11", {"shift"}, "constants.py:OFFSET"),
    ("helpers.py", "factor=SCALE", "factor=7", {"scale"}, "helpers.py:scaled default factor"),
    ("helpers.py", "factor=SCALE", "factor=SCALE + 1", {"scale"}, "helpers.py:scaled default factor"),
    # decorators
    ("deep.py", "        return function(x)", "        return function(x + 1)", {"shift"}, "deep.py:noted"),
    ("deep.py", "@noted\ndef rounded", "def rounded", {"shift"}, "deep.py:noted"),
    # methods and classes, inherited ones too
    ("shapes.py", "return self.side * self.side", "return self.side * 2", {"measure"}, "shapes.py:Base"),
    ("shapes.py", "return self.side * self.sides", "return self.sides", {"measure"}, "shapes.py:Square"),
    ("shapes.py", "sides = 4", "sides = 5", {"measure"}, "shapes.py:Base.sides"),
    ("shapes.py", "self.side = side", "self.side = side + 1", {"measure"}, "shapes.py:Square"),
    ("shapes.py", "        return 3", "        return 4", NOTHING, None),
    # what an alias stands for
    ("deep.py", "import math as m", "import cmath as m\nm = __import__('math')", NOTHING, None),
    ("job.py", "from helpers import shifted\n", "from helpers import scaled as shifted\n", {"shift"}, None),
    # data files that are named
    ("weights.json", "[1, 2, 3]", "[1, 2, 4]", {"weigh"}, "weights.json"),
    ("weights.json", "[1, 2, 3]", "[3, 2, 1]", {"weigh"}, "weights.json"),
]  # fmt: skip
STEPS = ("load", "scale", "shift", "measure", "weigh", "report")


def lay_out(folder, files):
    for name, text in files.items():
        (folder / name).write_text(text)


def edited(file, before, after):
    """The files with an edit, which may have to be made at several places."""
    text = FILES[file]
    pairs = [(before, after)] if isinstance(before, str) else zip(before, after, strict=True)
    for old, new in pairs:
        assert old in text, (file, old)
        text = text.replace(old, new, 1)
    return {**FILES, file: text}


@pytest.fixture
def workplace(tmp_path, monkeypatch, request):
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    store = open_store(f"sqlite:///{tmp_path}/.penstock/penstock.db")

    def execute(files):
        lay_out(tmp_path, files)
        for name in files:
            sys.modules.pop(name.removesuffix(".py"), None)
        return run(load_pipeline(f"{tmp_path}/job.py:job"), store=store, reporter=QuietReporter())

    yield execute, store
    store.close()
    for name in FILES:
        sys.modules.pop(name.removesuffix(".py"), None)


@pytest.mark.slow
def test_each_edit_executes_exactly_what_it_can_change_and_why_names_it(workplace):
    execute, store = workplace
    first = execute(FILES)
    assert first.ok, first.error
    stale, needless, unnamed = [], [], []
    for file, before, after, own, name in EDITS:
        result = execute(edited(file, before, after))
        assert result.ok, (file, after, result.error)
        known = {step.step: step.key for step in first.steps}
        inputs = {s.step: s for s in store.metadata.steps.list(result.run_id)}
        base = {s.step: s for s in store.metadata.steps.list(first.run_id)}
        moved = {
            step.step
            for step in result.steps
            if step.key != known[step.step] and inputs[step.step].inputs == base[step.step].inputs
        }
        label = f"{file}: {before!r} -> {after!r}"
        if own - moved:
            stale.append((label, own - moved))
        if moved - own:
            needless.append((label, moved - own))
        for step in own & moved:
            told = why(result.run_id, step, against=first.run_id, store=store)
            names = [change.name for change in told.changes]
            if not names or (name is not None and name not in names):
                unnamed.append((label, step, names))
        execute(FILES)
    assert stale == []
    assert unnamed == []
    assert needless == []


@pytest.mark.slow
@pytest.mark.hunt
def test_many_edits_at_once_and_one_after_the_other(workplace):
    """Random sets of edits, each on top of the last: results are those of a run without a cache."""
    execute, store = workplace
    draw = random.Random(SEED + 4)
    usable = [edit for edit in EDITS if isinstance(edit[1], str)]
    made = 0
    while made < length(40, 1_000):
        files = dict(FILES)
        for file, before, after, *_ in draw.sample(usable, draw.randint(1, 4)):
            if before in files[file] and " as " not in after and "@noted" not in before:  # type: ignore[operator]
                files[file] = files[file].replace(before, after, 1)  # type: ignore[arg-type]
                made += 1
        cached = execute(files)
        fresh = run(
            load_pipeline("job.py:job"), store=store, reporter=QuietReporter(), use_cache=False
        )
        assert {s.step: s.state.value for s in cached.steps if s.error} == {}
        assert {s.step: dict(s.outputs) for s in cached.steps} == {
            s.step: dict(s.outputs) for s in fresh.steps
        }


def test_what_cannot_be_followed_is_told_and_not_reused_unless_it_is_declared(workplace):
    execute, store = workplace
    body = "    return [shifted(number) for number in numbers]\n"
    dynamic = '    return [eval("shifted(number)") for number in numbers]\n'
    files = {**FILES, "job.py": FILES["job.py"].replace(body, dynamic)}
    execute(files)
    again = execute(files)
    states = {step.step: step.state.value for step in again.steps}
    assert states["shift"] == "finished"
    assert {states[name] for name in ("load", "scale", "measure", "weigh")} == {"cached"}
    line = files["job.py"].splitlines().index(dynamic.rstrip()) + 1
    assert again["shift"].facts["key_parts"]["unfollowed"] == [f"job.py:{line}: eval"]
    told = why(again.run_id, "shift", store=store).reason
    assert told.startswith("It runs what only the run knows")
    declared = files["job.py"].replace(
        "@ps.step\ndef shift(", "@ps.step(uses=[shifted])\ndef shift("
    )
    files = {**files, "job.py": declared}
    execute(files)
    assert execute(files)["shift"].state.value == "cached"
    other = {**files, "deep.py": FILES["deep.py"].replace("number / 2", "number / 8")}
    assert execute(other)["shift"].state.value == "finished"


def test_a_declared_file_that_is_not_there_fails_the_step_with_its_path(workplace):
    execute, _ = workplace
    files = {**FILES, "job.py": FILES["job.py"].replace('uses=["weights.json"]', 'uses=["w.json"]')}
    result = execute(files)
    assert result["weigh"].state.value == "failed"
    assert "says that it uses" in result["weigh"].error
    assert "w.json" in result["weigh"].error
