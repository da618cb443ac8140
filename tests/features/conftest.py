"""Real tables, where they are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# A deadline measures how busy the machine is.
settings.register_profile("penstock", deadline=None)
settings.load_profile("penstock")

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def real_table() -> Callable[[str], Path]:
    """Find a real table; skip where the tables are not, fail in CI."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.is_file():
            if os.environ.get("CI"):
                pytest.fail(f"{path} is missing")
            pytest.skip(f"real table ../shared/data/{name} is missing")
        return path

    return find
