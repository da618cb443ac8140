"""The store is checked, backed up, copied and cleaned from the command line."""

import os
import time
from pathlib import Path

from penstock.core import now
from penstock.stores import open_store
from penstock.tracking import start_run


def make(shell, name="base"):
    with start_run(name, store=str(shell.folder / ".penstock/penstock.db")) as run:
        run.log_metric("auc", 0.9)
        run.log_text("text", "x" * 5000)
    return run


def test_a_store_is_checked(shell):
    make(shell)
    assert shell("store", "check", "--json").json == {"sound": True, "findings": []}
    assert "The store is sound" in shell("store", "check", "--quick").out
    [path] = (shell.folder / ".penstock" / "artifacts").glob("??/*")
    path.write_bytes(b"other")
    answer = shell("store", "check", "--json", code=1).json
    assert [finding["kind"] for finding in answer["findings"]] == ["bytes"]
    assert "The store is damaged" in shell("store", "check", code=1).out


def test_a_backup_is_a_store(shell):
    run = make(shell)
    assert shell("store", "backup", "safe", "--json").json["sound"] is True
    assert "is not empty" in shell("store", "backup", "safe", code=2).err
    found = shell("--store", "safe/penstock.db", "runs", "--json").json
    assert [row["run_id"] for row in found] == [run.run_id]
    told = shell("store", "backup", "other").out
    assert "penstock --store other/penstock.db runs" in told


def test_a_store_is_copied_and_merged(shell):
    make(shell)
    words = ("store", "copy", ".penstock/penstock.db", "team/penstock.db")
    assert shell(*words, "--json").json["changed"] == 1
    assert "0 of 1 runs were new" in shell(*words).out
    with open_store(str(shell.folder / "team/penstock.db")) as team:
        assert team.metadata.runs.count() == 1
        assert Path(team.artifacts.url) == shell.folder / "team" / "artifacts"
    assert "not a day" in shell(*words, "--since", "yesterday", code=2).err
    assert "There is no store" in shell("store", "copy", "none.db", "x.db", code=2).err
    assert not (shell.folder / "x.db").exists()


def test_garbage_is_told_and_removed(shell):
    run = make(shell)
    shell("delete", run.run_id)
    assert shell("gc", "--json").json["runs"] == []  # deleted just now
    dry = shell("gc", "--older-than", "0s")
    assert "Would delete 1 runs" in dry.out
    assert "penstock gc --delete" in dry.out
    assert shell("gc", "--older-than", "0s", "--delete", "--json").json["deleted"] is True
    assert "There is no run" in shell("show", run.run_id, code=2).err
    assert "0 is not in the range" in shell("gc", "--keep-last", "0", code=2).err


def test_what_production_stands_on_survives_any_gc(world):
    runs = [run.run_id for run in world.store.metadata.runs.search()]
    for run_id in runs:  # whatever their owners thought
        world.store.metadata.runs.update(run_id, deleted_at=now())
    with world.store.metadata.database.write() as rows:
        rows.execute("UPDATE artifacts SET created_at = created_at - 7200000000")
    for path in (world.folder / ".penstock" / "artifacts").glob("??/*"):
        os.utime(path, (time.time() - 7200,) * 2)
    before = world("lineage", "fraud@1", "--json").json
    world("gc", "--older-than", "0s", "--keep-last", "1", "--delete")
    assert world("store", "check", "--json").json == {"sound": True, "findings": []}
    assert world("lineage", "fraud@1", "--json").json == before
    made_by = world.store.metadata.models.get_version("fraud", 1).run_id
    assert world("verify", made_by, "--json").json["verdict"] == "bitwise"
    world("promote", "fraud@2", "--reason", "better")
    world("rollback", "fraud")
    assert world.store.metadata.models.get_version("fraud", 1).stage == "production"


def test_store_info_says_where_it_is_and_who_chose_that(world):
    document = world("store", "info", "--json").json
    assert document["runs"] == 3
    assert document["models"] == 1
    assert document["single_user"] is True
    assert str(world.folder) in document["store"]
    assert "origin" in world("store", "info").out
    (world.folder / "new/.git").mkdir(parents=True)
    answer = world("--store", "new/penstock.db", "store", "info", "--json").json
    assert answer["store"] == f"sqlite:///{world.folder}/new/penstock.db"
    assert answer["exists"] is False
    assert not (world.folder / "new/penstock.db").exists()
    assert "is not one of" in world("store", "users", "crowd", code=2).err


def test_the_policy_for_unsafe_models_is_shown_set_and_in_the_history(world):
    assert world("store", "unsafe-models", "--json").json == {"unsafe_models": "refuse"}
    assert "none goes to staging" in world("store", "unsafe-models", "register").out
    document = world("store", "unsafe-models", "production", "--actor", "ana", "--json").json
    assert document == {"unsafe_models": "production"}
    assert world("store", "info", "--json").json["unsafe_models"] == "production"
    history = world("history", "fraud").out
    assert "Setting unsafe_models: register -> production" in " ".join(history.split())
    assert "is not one of" in world("store", "unsafe-models", "maybe", code=2).err
