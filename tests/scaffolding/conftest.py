"""Small tables as a newcomer would bring them, and a place to write projects to."""

import csv
import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

TableWriter = Callable[..., Path]


@pytest.fixture
def write_table(tmp_path: Path) -> TableWriter:
    """Write a CSV file: names, rows, and it is there."""

    def write(
        names: Sequence[str], rows: Iterable[Sequence[object]], *, file: str = "table.csv", sep=","
    ) -> Path:
        path = tmp_path / file
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, delimiter=sep)
            writer.writerows([names] if names else [])
            writer.writerows(rows)
        return path

    return write


@pytest.fixture
def chance() -> random.Random:
    return random.Random(7)


@pytest.fixture
def visits(write_table: TableWriter, chance: random.Random) -> Path:
    """A plain table: two numbers, a category, a target that hangs on both."""
    rows = []
    for _ in range(400):
        age, city = chance.randint(18, 80), chance.choice(["Bonn", "Kiel", "Ulm"])
        score = age / 80 + (city == "Kiel") + chance.gauss(0, 0.5)
        rows.append((age, round(chance.random(), 4), city, "yes" if score > 1 else "no"))
    return write_table(["age", "size", "city", "came"], rows)
