"""penstock artifacts."""

import polars as pl
import pytest

from penstock.tracking import start_run


@pytest.fixture
def kept(world):
    with start_run(store=world.store) as run:
        run.log_artifact(pl.DataFrame({"a": range(1000)}), name="rows")
        run.log_artifact({"threshold": 0.4}, name="set[bold]tings")
    return run.run_id


def test_artifacts_of_a_run_are_listed(world, kept):
    out = world("artifacts", kept).out
    assert "rows" in out
    assert "set[bold]tings" in out
    assert "polars.DataFrame" in out
    listed = world("artifacts", "last", "--json").json
    assert [item["name"] for item in listed] == ["rows", "set[bold]tings"]
    assert [item["format"] for item in listed] == ["parquet", "json"]
    assert listed[0]["size_bytes"] > 1000
    assert listed[0]["digest"].startswith("sha256:")
    assert [item["name"] for item in world("artifacts", kept, "rows", "--json").json] == ["rows"]
    assert "Did you mean 'rows'?" in world("artifacts", kept, "row", code=2).err


def test_artifacts_are_written_to_files(world, kept, tmp_path):
    out = world("artifacts", kept, "--download", tmp_path / "out").out
    assert str(tmp_path / "out" / "rows.parquet") in out
    assert pl.read_parquet(tmp_path / "out" / "rows.parquet").height == 1000
    document = world("artifacts", kept, "rows", "--download", tmp_path / "one", "--json").json
    assert document == {"files": [str(tmp_path / "one" / "rows.parquet")]}
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["rows.parquet"]


def test_an_artifact_whose_name_leads_elsewhere_stays_in_the_folder(world, tmp_path):
    with start_run(store=world.store) as run:
        run.log_artifact(b"x", name="../../evil")
    world("artifacts", run.run_id, "--download", tmp_path / "out")
    assert (tmp_path / "out" / "%2E%2E" / "%2E%2E" / "evil").read_bytes() == b"x"


def test_addresses_are_printed_one_a_line(world, kept):
    answer = world("artifacts", kept, "--url")
    assert answer.out.startswith("file:///")
    assert "set[bold]tings is in the store's database" in answer.err
    found = world("artifacts", kept, "--url", "--expires", "0.5", "--json").json
    assert found["set[bold]tings"] is None
    assert world("artifacts", kept, "--url", "--expires", "0", code=2).err


def test_a_run_without_artifacts_says_so(world, tmp_path):
    with start_run(store=world.store) as run:
        pass
    assert "has no artifacts" in world("artifacts", run.run_id).out
    assert "has no artifacts" in world("artifacts", run.run_id, "--download", tmp_path).out
