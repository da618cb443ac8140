"""The table of what was attacked names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


def test_each_point_names_tests_that_exist():
    missing = []
    rows = [line for line in (ROOT / "tests/attacked.md").read_text().splitlines() if "`" in line]
    for row in rows:
        if row.startswith("| "):
            assert NAMED.search(row), row
        for file, name in NAMED.findall(row):
            path = ROOT / file
            if not path.exists() or (name and f"def {name}" not in path.read_text()):
                missing.append(f"{file}::{name}")
    assert not missing
