"""The hash chain of a model's history."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from penstock.core import Stage
from penstock.registry import verify_events


@pytest.fixture
def events(registry, add):
    for number in range(1, 6):
        add()
        registry.promote("tips", number, actor="ada", reason=f"Number {number}.")
    add("other")
    return registry.history("tips")


def test_a_history_is_as_it_was_written(registry, events):
    assert verify_events(events) is None
    assert registry.verify_history("tips") is None
    assert registry.verify_history("other") is None


CHANGES = [
    lambda event: replace(event, actor=event.actor + "x"),
    lambda event: replace(event, reason=event.reason + " "),
    lambda event: replace(event, version=event.version + 1),
    lambda event: replace(event, to_stage=Stage.REJECTED),
    lambda event: replace(event, from_stage=Stage.STAGING),
    lambda event: replace(event, at=event.at + timedelta(microseconds=1)),
    lambda event: replace(event, model="tip"),
    lambda event: replace(event, hash="sha256:" + "0" * 64),
]


def test_every_change_is_found_at_its_place(events):
    for index, event in enumerate(events):
        for change in CHANGES:
            damaged = [*events]
            damaged[index] = change(event)
            assert verify_events(damaged) == index


def test_a_removed_doubled_or_moved_event_is_found(events):
    chance = random.Random(7)
    for _ in range(200):
        index = chance.randrange(len(events) - 1)
        removed = events[:index] + events[index + 1 :]
        doubled = [*events[: index + 1], *events[index:]]
        swapped = [*events]
        swapped[index], swapped[index + 1] = swapped[index + 1], swapped[index]
        assert verify_events(removed) == index
        assert verify_events(doubled) == index + 1
        assert verify_events(swapped) == index


def test_a_changed_store_is_found(store, registry, events):
    import sqlite3

    with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE stage_events SET actor = 'eve' WHERE version = 3")
    connection.close()
    first = next(index for index, event in enumerate(events) if event.version == 3)
    assert registry.verify_history("tips") == first
