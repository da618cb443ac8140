"""Hash seeds are chosen so that pairs of known strings stand in both orders."""

import json
import os
import subprocess
import sys

import pytest

from penstock.proofs._hash_seeds import (
    choose_seeds,
    first_of_two,
    hash_of,
    places_of_sets,
    strings_of,
)

TEXTS = ["", "a", "yes", "no", "abcdefgh", "héllo", "日本", "x" * 17, "😀ab", "train", "test"]
PRINTING = "import sys; print([hash(text) & (2**64 - 1) for text in eval(sys.argv[1])])"


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="CPython before 3.11")
@pytest.mark.parametrize("seed", [0, 1, 4242])
def test_hashes_are_those_of_an_interpreter_with_that_seed(seed):
    told = subprocess.run(
        [sys.executable, "-S", "-c", PRINTING, repr(TEXTS)],
        env={**os.environ, "PYTHONHASHSEED": str(seed)}, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert json.loads(told) == [hash_of(text, seed) for text in TEXTS]


def test_both_orders_of_a_pair_are_among_two_seeds():
    for pair in (("yes", "no"), ("M", "F"), ("train", "test"), ("0", "1"), ("a", "b")):
        seeds = choose_seeds([pair], recorded="0", count=2)
        assert {first_of_two(*pair, seed) for seed in seeds} == set(pair)


def test_many_pairs_are_covered_by_few_seeds():
    groups = [[f"{word}{place}" for word in ("left", "right", "none")] for place in range(10)]
    seeds = choose_seeds(groups, recorded="7", count=6)
    assert len(set(seeds)) == 6
    assert 7 not in seeds
    missed = [
        (one, two)
        for group in groups
        for one in group
        for two in group
        if one < two and len({first_of_two(one, two, s) for s in seeds} - {None}) < 2
    ]
    assert len(missed) <= 1


def test_strings_of_sets_come_first_and_long_ones_are_left_out():
    source = b"A = ['x', 'y']\nB = {'m', 'f'}\nC = {'k': 1}\nD = ['" + b"z" * 99 + b"']\n"
    assert strings_of({"a.py": source, "b.txt": b"{'n'}", "c.py": b"("}) == [
        ["m", "f"], ["x", "y"], ["k"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("x in {'a', 'b'}", False),
        ("x not in {'a'} and [1]", False),
        ("list({'a', 'b'})", True),
        ("list(set(x))", True),
        ("{y for y in x}", True),
        ("x.keys() & y", True),
        ("x - y", False),
        ("x.symmetric_difference(y)", True),
        ("hash(x)", True),
        ("x in {'a'} or list({'b'})", True),
    ],
)
def test_code_that_uses_sets_is_seen(body, found):
    source = f"def first(x, y):\n    return {body}\n".encode()
    assert places_of_sets({"a.py": source}) == ({"a.py": ["first"]} if found else {})


def test_sets_outside_of_definitions_count_for_the_whole_file():
    assert places_of_sets({"a.py": b"A = {'x'}", "b.py": b"("}) == {"a.py": [], "b.py": []}
