"""Killed at any point, materialization, rebuild and erasure are completed by another call.

A few points are tried in the suite; PENSTOCK_KILLS=200 tries as many as one likes.
"""

import shutil

import numpy as np
import pytest
from tests.features import kill_points as work
from tests.features.kill_points import run
from tests.hunting import length

KILLS = length(6, 200, name="PENSTOCK_KILLS")
pytestmark = pytest.mark.hunt


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed") / "features"
    run(work.written, str(folder))
    return str(folder)


@pytest.fixture(params=["sqlite", "redis"])
def online(request, tmp_path):
    if request.param == "redis":
        return request.getfixturevalue("redis_url")
    return f"sqlite:///{tmp_path}/online.db"


def points(events):
    """Points over the whole work, the first and the last among them."""
    return sorted({int(point) for point in np.linspace(1, events, KILLS)})


def test_a_killed_materialization_is_completed(history, online):
    events, version = run(work.loaded, history, online)
    _, whole = run(work.resumed, history, online)
    assert (version, events > 300) == (2 * work.COMMITS, True)
    reached = set()
    for point in points(events):
        assert run(work.loaded, history, online, kill_at=point) is None
        _, (progress, _, behind) = run(work.seen, history, online)
        assert behind == [], point
        assert run(work.resumed, history, online)[1] == whole, point
        reached.add(progress)
    assert len(reached) > 2


def test_a_killed_rebuild_answers_as_before_and_is_completed(history, online):
    _, whole = run(work.resumed, history, online)
    events, rows = run(work.rebuilt, history, online)
    assert rows == 50 * work.COMMITS
    for point in points(events):
        assert run(work.rebuilt, history, online, kill_at=point) is None
        _, (progress, digest, behind) = run(work.seen, history, online)
        assert (progress, digest, behind) == (2 * work.COMMITS, whole, []), point
        if point % 5 == 0:  # it goes on where this one was killed
            assert run(work.continued, history, online)[1] <= rows
            assert run(work.resumed, history, online)[1] == whole


def test_a_killed_erasure_loses_no_other_row_and_is_completed(history, online, tmp_path):
    folder, key = str(tmp_path / "features"), "card-7."
    shutil.copytree(history, folder)
    _, (rest, status) = run(work.others, folder, online, key) if run(work.resumed, folder, online) else None  # fmt: skip
    assert status != "NOT_FOUND"
    events, report = run(work.erased, folder, online, key)
    assert sum(place["rows"] for place in report["places"]) > 5
    for point in points(events):
        shutil.rmtree(folder)
        shutil.copytree(history, folder)
        run(work.resumed, folder, online)
        # How often Redis is asked whether its files are written differs: the last may not be reached.
        ended = run(work.erased, folder, online, key, kill_at=point)
        assert ended is None or (point > 0.8 * events and "redis" in online), point
        assert run(work.others, folder, online, key)[1][0] == rest, point
        run(work.erased, folder, online, key)
        assert run(work.others, folder, online, key)[1] == (rest, "NOT_FOUND"), point
        assert [file for file in (tmp_path / "features").rglob("*") if key.encode() in read(file)] == []  # fmt: skip
        if online.startswith("sqlite"):
            assert [file for file in tmp_path.glob("online*") if key.encode() in read(file)] == []


def read(file):
    return file.read_bytes() if file.is_file() else b""
