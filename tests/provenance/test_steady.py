"""A digest holds while the tables that the code reads hold the same objects, and not longer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.pipelines import pipeline as made_a_pipeline
from penstock.pipelines import step as made_a_step
from penstock.provenance import code_digest

HERE = Path(__file__).parent
SETTINGS: dict[str, Any] = {}
OBJECTS: list[Any] = [object]


class Box:
    size = 1


def step() -> Any:
    return SETTINGS["rate"]


def step_of_objects() -> Any:
    return OBJECTS[0].size


@pytest.fixture(autouse=True)
def settings() -> None:
    SETTINGS.clear()
    SETTINGS.update(rate=[1, 2], names={"a"}, deep={"lists": [["x"]]}, place=HERE)


def test_it_holds_while_nothing_changes() -> None:
    code = code_digest(step, HERE)
    assert code.holds()
    SETTINGS["rate"].append(3)
    SETTINGS["rate"].pop()
    assert code.holds()
    assert code_digest(step, HERE).digest == code.digest


CHANGES: dict[str, Callable[[], object]] = {
    "item added": lambda: SETTINGS["rate"].append(3),
    "item of another type": lambda: SETTINGS["rate"].__setitem__(0, True),
    "equal number of another type": lambda: SETTINGS["rate"].__setitem__(0, 1.0),
    "order of items": lambda: SETTINGS["rate"].sort(reverse=True),
    "member added": lambda: SETTINGS["names"].add("b"),
    "key added": lambda: SETTINGS.update(new=1),
    "key removed": lambda: SETTINGS.pop("names"),
    "order of keys": lambda: SETTINGS.update(rate=SETTINGS.pop("rate")),
    "far inside": lambda: SETTINGS["deep"]["lists"][0].append("y"),
    "list bound anew": lambda: SETTINGS["deep"].update(lists=[["z"]]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_in_place_ends_it_and_moves_the_digest(change: str) -> None:
    code = code_digest(step, HERE)
    CHANGES[change]()
    assert not code.holds()
    assert code_digest(step, HERE).digest != code.digest


@pytest.mark.parametrize("item", [Box, Box(), bytearray(b"x"), list(range(2_000))])
def test_what_changes_unseen_never_holds(item: Any) -> None:
    OBJECTS[0] = item
    code = code_digest(step_of_objects, HERE)
    assert not code.holds()
    assert not code.steady.containers  # and is not kept alive


@made_a_step
def called() -> int:
    return 1


@made_a_pipeline
def job() -> Any:
    return called()


def script() -> Any:
    return job


def test_a_pipeline_with_steps_is_steady_until_one_has_another_function() -> None:
    code = code_digest(script, HERE)
    assert code.holds()
    earlier = called.function
    try:
        called.function = lambda: 2
        assert not code.holds()
        assert code_digest(script, HERE).digest != code.digest
    finally:
        called.function = earlier
    assert code.holds()
    assert code_digest(script, HERE).digest == code.digest
