"""Every item of a map is kept under its own key, of whatever type, and found again by it."""

import datetime as dt
import os
import subprocess
import sys

import pytest

from penstock.stores import NamedParts

MAPPED = """
import datetime as dt

ITEMS = {{1: "a", "1": "b", None: "c", "null": "d", "None": "e", (1, 2): "f", -1: "g", 2.5: "h",
         dt.date(2024, 1, 1): "i", "%1": "j", "x/y[0]": "k", "": "l", True + 1: "m"}}

@ps.step
def items() -> dict:
    return ITEMS

@ps.step
def same(text: str) -> str:
    return text

@ps.step
def look(found: dict) -> list:
    return [[key, type(key).__name__, value] for key, value in found.items()]

@ps.pipeline
def job():
    return look(ps.map(same, {source}))
"""
KEYS = [1, "1", None, "null", "None", (1, 2), -1, 2.5, dt.date(2024, 1, 1), "%1", "x/y[0]", "", 2]


@pytest.mark.parametrize("source", ["items()", "ITEMS"])
def test_keys_of_a_dict_are_told_apart_and_keep_their_types(project, source):
    result = project.run(MAPPED.format(source=source))
    assert result.ok, result.error
    expected = [[key, type(key).__name__, "abcdefghijklm"[i]] for i, key in enumerate(KEYS)]
    assert result.output() == expected
    again = project.again(project.load(MAPPED.format(source=source)), refresh=["look"])
    assert again.output() == expected
    assert again["same"].state.value == "cached"
    graph = project.load(MAPPED.format(source=source)).trace()
    names = [step.step for step in result.steps if step.step.startswith("same[")]
    assert len(names) == len(set(names)) == len(KEYS)
    assert all(graph.find(name).name == name for name in names)


@pytest.mark.parametrize("kind", ["polars", "pandas"])
def test_rows_by_a_column_are_found_by_its_values(project, kind):
    pytest.importorskip(kind)
    result = project.run(f"""
    import {kind} as frames

    @ps.step
    def rows():
        return frames.DataFrame({{"k": ["null", None, "a", "null"], "year": [2015, 2016, 2015, 2015], "x": [1, 2, 3, 4]}})

    @ps.step
    def values(rows: frames.DataFrame) -> list:
        return [int(x) for x in rows["x"]]

    @ps.pipeline
    def job():
        return ps.map(values, rows(), by="k", name="text"), ps.map(values, rows(), by="year", name="whole")
    """)
    text, whole = result.output()
    assert dict(text) == {"a": [3], "null": [1, 4], None: [2]}
    assert dict(whole) == {2015: [1, 3, 4], 2016: [2]}
    assert whole[2016] == [2]


def test_a_key_that_nothing_tells_apart_is_refused(project):
    result = project.run("""
    class Key:
        pass

    @ps.step
    def same(text: str) -> str:
        return text

    @ps.pipeline
    def job():
        return ps.map(same, {Key(): "a"})
    """)
    assert not result.ok
    assert "is the key of an item, and a Key" in result.error


def test_named_parts_take_any_key():
    parts = NamedParts({1: "a", "1": "b", None: "c"})
    assert list(parts) == [1, "1", None]
    assert [parts[key] for key in (1, "1", None)] == ["a", "b", "c"]
    assert object() not in parts


def test_outputs_in_a_dict_of_like_keys_are_not_swapped(project):
    result = project.run("""
    @ps.step
    def one() -> str:
        return "number"

    @ps.step
    def two() -> str:
        return "text"

    @ps.step
    def look(parts: dict) -> list:
        return [parts[1], parts["1"]]

    @ps.pipeline
    def job():
        return look({1: one(), "1": two()})
    """)
    assert result.output() == ["number", "text"]


ORDERED = """
WORDS = {{"ant", "bee", "cow", "dog", "eel", "fox"}}
PAIRS = {{(1, "a"), (2, "b"), (3, "c"), (None, "d")}}

@ps.step
def items() -> set:
    return {source}

@ps.step
def same(item):
    return item

@ps.step
def as_list(found: list) -> list:
    return [item for item in found]

@ps.pipeline
def job():
    return as_list(ps.map(same, items()))
"""
PROGRAM = (
    "import sys, penstock as ps; print(ps.run(ps.execution.load_pipeline(sys.argv[1])).output())"
)


@pytest.mark.parametrize("source", ["WORDS", "PAIRS"])
def test_a_map_over_a_set_has_one_order_in_every_process(project, source):
    file = project.write(ORDERED.format(source=source))
    found = {
        seed: subprocess.run(
            [sys.executable, "-c", PROGRAM, str(file)],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PENSTOCK_STORE": f"sqlite:///{file.parent}/{seed}.db",
            },
            capture_output=True,
            text=True,
            check=True,
        ).stdout.splitlines()[-1]
        for seed in ("1", "2")
    }
    assert found["1"] == found["2"]
    if source == "WORDS":
        assert found["1"] == "['ant', 'bee', 'cow', 'dog', 'eel', 'fox']"
