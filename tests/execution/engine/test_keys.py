"""Caching: a step is reused exactly if nothing that its result depends on has changed."""

import sys

import matplotlib.style
import pytest
import sklearn

from penstock.core import StepState, Verdict
from penstock.execution import why
from penstock.proofs import verify

BODY = """
import polars as pl

LIMIT = 3


@ps.step
def first(start: int, options: dict) -> int:
    note("first")
    return start + LIMIT


@ps.step
def second(x: int) -> int:
    note("second")
    return x // 10


@ps.step
def third(x: int) -> int:
    note("third")
    return x


@ps.pipeline
def job(start: int = 1):
    return third(second(first(start, {"a": [1, 2]})))
"""
ALL = ["first", "second", "third"]


def test_a_second_run_reuses_everything(project):
    first = project.run(BODY)
    second = project.run(BODY)
    assert {step.state for step in second.steps} == {StepState.CACHED}
    assert second.output() == first.output()
    assert [s.key for s in second.steps] == [s.key for s in first.steps]
    assert project.calls == ALL
    steps = project.steps(second.run_id)
    assert steps["first"].cached_from == project.steps(first.run_id)["first"].step_run_id
    third = project.run(BODY)
    assert project.steps(third.run_id)["first"].cached_from == steps["first"].cached_from


@pytest.mark.parametrize(
    ("old", "new", "options", "called"),
    [
        ("LIMIT = 3", "LIMIT = 3  # a comment", {}, []),
        (
            "LIMIT = 3",
            "LIMIT = 4",
            {},
            ["first", "second"],
        ),  # 4 // 10 == 5 // 10: third is as before
        ("LIMIT = 3", "LIMIT = 30", {}, ALL),
        ("x // 10", "x // 10 + 0", {}, ["second"]),
        ("[1, 2]", "[2, 1]", {}, ["first"]),
        ("[1, 2]", "(1, 2)", {}, ["first"]),
        ("LIMIT = 3", "LIMIT = 3", {"start": 2}, ["first", "second"]),
        ("LIMIT = 3", "LIMIT = 3", {"seed": 1}, ALL),
        ("LIMIT = 3", "LIMIT = 3", {"use_cache": False}, ALL),
        ("LIMIT = 3", "LIMIT = 3", {"refresh": ["second"]}, ["second"]),
        ("@ps.step\ndef third", "@ps.step(cache=False)\ndef third", {}, ["third"]),
        ("@ps.step\ndef third", "@ps.step(effect=True)\ndef third", {}, ["third"]),
        ("@ps.step\ndef third", "@ps.step(retries=3)\ndef third", {}, []),
    ],
)
def test_only_what_depends_on_a_change_runs_again(project, old, new, options, called):
    project.run(BODY)
    assert project.calls == ALL
    assert old in BODY
    result = project.run(BODY.replace(old, new), **options)
    assert result.ok
    assert project.calls == called


def test_a_step_that_is_never_cached_has_no_key_but_tells_its_parts(project):
    result = project.run(BODY.replace("@ps.step\ndef third", "@ps.step(cache=False)\ndef third"))
    assert result["third"].key is None
    facts = project.steps(result.run_id)["third"].facts
    assert facts["key"].startswith("sha256:")
    assert "job.py:third" in facts["key_parts"]["code_parts"]


def test_a_failed_step_is_not_reused(project):
    body = BODY.replace("return x // 10", "return 1 / 0")
    project.run(body)
    project.run(body)
    assert project.calls == ["first", "second", "second"]


SOURCE = """
class Source:
    def __init__(self, path): self.path = path
    def fingerprint(self): return {{"text": open(self.path).read()}}

table = Source("data.txt")

@ps.step({options})
def read({arguments}) -> str:
    note("read")
    return open("data.txt").read()

@ps.pipeline
def job():
    return read({given})
"""


@pytest.mark.parametrize(
    ("arguments", "given", "options"),
    [
        ("source", "table", "source=True"),
        ("source", "table", ""),
        ("sources", "[table]", "source=True"),
        ("unused", "table.path", ""),
    ],
)
def test_a_source_counts_with_its_state(project, arguments, given, options):
    body = SOURCE.format(arguments=arguments, given=given, options=options)
    if arguments == "unused":  # the step reads the global instead
        body = body.replace('return open("data.txt").read()', "return open(table.path).read()")
    (project.folder / "data.txt").write_text("one")
    assert project.run(body).output() == "one"
    assert project.run(body)["read"].state is StepState.CACHED
    (project.folder / "data.txt").write_text("two")
    assert project.run(body).output() == "two"


def test_a_source_step_without_a_state_is_never_cached(project):
    body = SOURCE.format(arguments="path", given="'data.txt'", options="source=True")
    (project.folder / "data.txt").write_text("one")
    project.run(body)
    assert project.run(body)["read"].state is StepState.FINISHED
    assert project.calls == ["read", "read"]


def test_a_source_that_is_missing_fails_its_step_in_a_sentence(project):
    body = SOURCE.format(arguments="source", given="table", options="source=True")
    result = project.run(body)
    assert result["read"].state is StepState.FAILED
    assert "step 'read' failed: FileNotFoundError" in result.error
    assert project.calls == []


CONSTANTS = """
import numpy as np
import polars as pl
from dataclasses import dataclass

@dataclass
class Point:
    x: int

def helper(x):
    return x + {added}

class Odd:
    def __reduce__(self): raise TypeError("no")
    def __getstate__(self): raise TypeError("no")

@ps.step
def use(value) -> int:
    note("use")
    return 1

@ps.pipeline
def job():
    return use({value})
"""


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("pl.DataFrame({'a': [1]})", "pl.DataFrame({'a': [2]})"),
        ("np.arange(3)", "np.arange(4)"),
        ("np.arange", "np.zeros"),
        ("{'k': np.arange(3)}", "{'k': np.arange(4)}"),
        ("1", "1.0"),
        ("[Point, int]", "[Point, str]"),
    ],
)
def test_constants_of_any_type_count_by_value(project, value, other):
    for text, called in ((value, ["use"]), (value, []), (other, ["use"])):
        project.run(CONSTANTS.replace("{value}", text).replace("{added}", "1"))
        assert project.calls == called, text


def test_a_function_as_a_constant_counts_by_its_code(project):
    for added, called in (("1", ["use"]), ("1", []), ("2", ["use"])):
        project.run(CONSTANTS.replace("{value}", "helper").replace("{added}", added))
        assert project.calls == called


def test_a_constant_without_a_digest_is_never_reused_nor_stored_in_a_key(project):
    body = CONSTANTS.replace("{value}", "Odd()").replace("{added}", "1")
    for _ in range(2):
        result = project.run(body)
        assert result["use"].key is None
        assert project.calls == ["use"]


def test_a_class_changed_after_its_object_was_made_counts_for_who_gets_the_object(project):
    body = """
    from helpers import make

    @ps.step
    def build():
        note("build")
        return make()

    @ps.step
    def use(model) -> int:
        note("use")
        return 1

    @ps.pipeline
    def job():
        return use(build())
    """
    helpers = """
class Model(dict):
    def predict(self): return {answer}

def make():
    return dict(Model())
"""
    for answer, called in ((1, ["build", "use"]), (1, []), (2, ["build", "use"])):
        (project.folder / "helpers.py").write_text(helpers.format(answer=answer))
        sys.modules.pop("helpers", None)
        project.run(body.replace("from helpers", f"{answer}\n    from helpers"))
        assert project.calls == called


CHOSEN = """
import functools
from enum import Enum
from dataclasses import dataclass

class Size(Enum):
    SMALL = {k}

@dataclass(frozen=True)
class Plan:
    depth: int = 3
    @property
    def leaves(self):
        return self.depth * {k}

class Scale:
    def __init__(self, by):
        self.by = by
    def apply(self, x):
        return x * self.by
    def __call__(self, x):
        return x * {k}
    @staticmethod
    def low(x):
        return {k}

def loss(x, by):
    return x * by

def nested():
    def inner(x):
        return x * {k}
    return inner

TABLE = {{"a": lambda x: x * {k}}}

@ps.step
def use(value) -> int:
    note("use")
    return 1

@ps.pipeline
def job():
    return use({value})
"""


@pytest.mark.parametrize(
    "value",
    [
        "TABLE['a']", "lambda x: x * {k}", "nested()", "Scale({k}).apply", "Scale(1)", "Scale.low",
        "Scale", "Plan()", "Size.SMALL", "functools.partial(loss, by={k})", "[Plan(), Size.SMALL]",
        "{{'f': TABLE['a']}}", "functools.lru_cache(TABLE['a'])",
    ],
)  # fmt: skip
def test_what_a_constant_is_and_can_do_counts(project, value):
    body = CHOSEN.replace("{value}", value)
    for k, called in ((2, ["use"]), (2, []), (3, ["use"])):
        result = project.run(body.format(k=k))
        assert result.ok, result.error
        assert project.calls == called, value


POISONED = """
    import time
    from pathlib import Path
    import helper

    @ps.step
    def wait() -> int:
        Path("helper.py").write_text("RATE = 2\\ndef rate():\\n    return RATE * 10\\n")
        return 1

    @ps.step
    def use(x: int) -> int:
        return helper.rate()

    @ps.pipeline
    def job():
        return use(wait())
    """


def test_a_helper_that_is_edited_while_the_run_goes_on_spoils_no_key(project):
    (project.folder / "helper.py").write_text("RATE = 1\ndef rate():\n    return RATE\n")
    assert project.run(POISONED).output() == 1
    assert project.run(POISONED).output() == 1, "this process runs what it has loaded"
    sys.modules.pop("helper")
    assert project.run(POISONED.replace("import time", "import time as t")).output() == 20


def test_code_that_an_objects_method_reaches_counts_for_who_gets_the_object(project):
    helpers = """
class Model:
    def predict(self):
        return rate()

def rate():
    return {answer}
"""
    body = """
    from helpers import Model

    @ps.step
    def build():
        note("build")
        return Model()

    @ps.step
    def use(model) -> int:
        note("use")
        return model.predict()

    @ps.pipeline
    def job():
        return use(build())
    """
    for answer, called in ((1, ["build", "use"]), (1, []), (2, ["build", "use"])):
        (project.folder / "helpers.py").write_text(helpers.format(answer=answer))
        sys.modules.pop("helpers", None)
        assert (
            project.run(body.replace("from helpers", f"{answer}\n    from helpers")).output()
            == answer
        )
        assert project.calls == called


def test_a_constant_of_a_script_and_one_of_another_module_count_by_what_they_are(project):
    (project.folder / "settings.py").write_text("class Config:\n    rate = 1\n")
    body = """
    import settings

    @ps.step
    def use() -> int:
        note("use")
        return settings.Config.rate

    @ps.pipeline
    def job():
        return use()
    """
    pipeline = project.load(body)
    for rate, called in ((1, ["use"]), (2, ["use"]), (1, [])):
        sys.modules["settings"].Config.rate = rate
        assert project.again(pipeline).output() == rate
        assert project.calls == called
    told = why("last", "use", store=project.store, against=None)
    assert not told.executed


def test_why_names_a_value_that_was_set_elsewhere(project):
    (project.folder / "settings.py").write_text("RATE = 1\n")
    body = """
    import settings

    @ps.step
    def use() -> int:
        return settings.RATE

    @ps.pipeline
    def job():
        return use()
    """
    pipeline = project.load(body)
    project.again(pipeline)
    sys.modules["settings"].RATE = 2  # type: ignore[attr-defined]
    project.again(pipeline)
    [change] = why("last", "use", store=project.store).changes
    assert (change.name, change.before, change.after) == ("settings.py:RATE", "1", "2")


SCALED = """
import numpy as np
from sklearn.preprocessing import StandardScaler


@ps.step
def scale() -> str:
    return type(StandardScaler().fit_transform(np.array([[1.0], [2.0]]))).__name__


@ps.pipeline
def job():
    return scale()
"""


@pytest.mark.parametrize("runner", ["local", "processes"])
def test_settings_of_libraries_count_whoever_made_them(project, runner):
    """A notebook's cell is no code that a step reaches, and a worker imports everything anew."""
    job = project.load(SCALED)
    plain = project.again(job, runner=runner)
    try:
        sklearn.set_config(transform_output="pandas")
        other = project.again(job, runner=runner)
    finally:
        sklearn.set_config(transform_output="default")
    again = project.again(job, runner=runner)
    assert [each.output() for each in (plain, other, again)] == ["ndarray", "DataFrame", "ndarray"]
    assert again.steps[0].state is StepState.CACHED
    answer = why(other.run_id, "scale", store=project.store)
    assert answer.reason.startswith("setting sklearn.transform_output changed")
    assert (answer.changes[0].before, answer.changes[0].after) == (None, "pandas")
    assert verify(other.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE


DRAWN = """
import io

import matplotlib.figure
import penstock as ps

@ps.step
def draw() -> bytes:
    figure, file = matplotlib.figure.Figure(), io.BytesIO()
    figure.subplots().plot([1, 3, 2])
    figure.savefig(file, format="raw", dpi=20)
    return file.getvalue()

@ps.pipeline
def job():
    return draw()
"""


def test_a_style_of_plots_counts_and_is_drawn_again_elsewhere(project):
    job = project.load(DRAWN)
    plain = project.again(job)
    with matplotlib.style.context("ggplot"):
        styled = project.again(job)
        other = project.again(job, runner="processes", use_cache=False)
    assert plain.output() != styled.output() == other.output()
    assert project.again(job).output() == plain.output()
    assert verify(styled.run_id, store=project.store, hash_seeds=1).verdict is Verdict.BITWISE
