"""Lines that can make a step differ are named with file and line."""

import os
import random
import time
import uuid
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from penstock.proofs import list_suspects


def clock():
    return time.time()


def today():
    return datetime.now()  # noqa: DTZ005 - the planted mistake


def entropy():
    return os.urandom(4)


def name():
    return uuid.uuid4()


def generator():
    return np.random.default_rng().random()


def seeded():
    return np.random.default_rng(3).random() + random.Random(1).random()


def set_loop():
    return [value * 2 for value in set("ab")]


def ordered_set():
    return sorted({"a", "b"})


def listing():
    return os.listdir()  # noqa: PTH208 - the planted mistake


def cores():
    return os.cpu_count()


def inner():
    return clock()


@pytest.mark.parametrize(
    ("function", "word"),
    [
        (clock, "reads the clock"),
        (today, "reads the clock"),
        (entropy, "fresh randomness"),
        (name, "fresh randomness"),
        (generator, "generator without a seed"),
        (set_loop, "goes through a set"),
        (listing, "depends on the process or the folder"),
        (cores, "depends on the machine"),
        (inner, "reads the clock"),
    ],
)
def test_a_suspect_line_is_named(function, word):
    [suspect] = list_suspects(function, root=Path(__file__).parent)
    assert word in suspect
    assert suspect.startswith("test_suspects.py:")


@pytest.mark.parametrize("function", [seeded, ordered_set, len])
def test_innocent_functions_are_not_accused(function):
    assert list_suspects(function) == []
