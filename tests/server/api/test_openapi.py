"""The API's description is what the API does: Schemathesis reads it and tries every operation."""

import os
import re
import subprocess

import httpx
import pytest
from tests.server.serving import serving

from penstock.core import ANY_PROJECT, Identity, Permission
from penstock.stores import open_store

# Schemathesis cannot read the schema of their results: a list of fixed length inside of another.
UNREADABLE = "tokens/(find|find-session)$"


def owner(_call):
    """Whoever asks may do everything: users that requests add would lock all others out."""
    return Identity("owner", {ANY_PROJECT: frozenset(Permission)}, attested="token owner")


@pytest.fixture
def schemathesis():
    if given := os.environ.get("PENSTOCK_SCHEMATHESIS"):
        return given
    pytest.skip("needs the program schemathesis, named by PENSTOCK_SCHEMATHESIS: see .ci/run")


def test_every_operation_does_what_its_description_says(tmp_path, schemathesis):
    """No 5xx, no undeclared status, form or body, no method that is not described; see UNREADABLE."""
    with (
        open_store(f"sqlite:///{tmp_path}/penstock.db") as store,
        serving(store, authenticate=owner) as url,
    ):
        done = subprocess.run(
            [
                schemathesis, "run", f"{url}/api/v1/openapi.json", "--seed", "1",
                "--phases", "coverage,fuzzing", "--max-examples", "2", "--continue-on-failure",
                "--exclude-path-regex", UNREADABLE, "--exclude-checks", "positive_data_acceptance",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    found = re.search(r"Tested: (\d+)", done.stdout)
    assert found
    assert int(found[1]) > 200


def test_a_refused_method_says_which_are_taken(tmp_path):
    with open_store(f"sqlite:///{tmp_path}/penstock.db") as store, serving(store) as url:
        answer = httpx.put(f"{url}/api/v1/runs/search", json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, POST"
