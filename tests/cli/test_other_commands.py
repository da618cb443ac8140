"""penstock new, store, doctor, ui and demo."""

import json


def test_new_writes_a_pipeline_that_runs(world):
    answer = world("new", "frauds", "--data", "payments", "--target", "fraud", "--time", "time",
                   "--json")  # fmt: skip
    assert set(answer.json) == {"folder", "file", "files"}
    assert answer.json["files"][0] == answer.json["file"]
    ran = world("run", answer.json["file"], "--json")
    assert ran.json["model_version"] == "frauds@1"
    told = world("models", "frauds@1").out
    assert "✓ roc_auc > 0." in told  # too few frauds to test on for an interval
    assert "cannot be told" not in told


def test_new_tells_what_it_saw_and_what_to_do_next(world):
    out = world("new", "frauds", "--data", "payments", "--target", "fraud", "--time", "time").out
    assert out.startswith("frauds/")
    assert "(binary)" in out.splitlines()[0]
    assert "also written: test_frauds.py, README.md, .gitignore" in out
    assert "Next:  penstock run frauds/" in out
    answer = world("new", "other", "--data", "payments", "--target", "frad", code=2)
    assert "Did you mean 'fraud'?" in answer.err


def test_new_takes_names_for_a_file_without_a_header(world):
    rows = "\n".join(
        f"{i % 7 + i / 1000},{i % 3},{int(i % 7 + 2 * (i % 3) > 5)}" for i in range(400)
    )
    (world.folder / "bare.csv").write_text(rows + "\n")
    words = ("--data", "bare.csv", "--target", "y", "--no-header", "--columns", "a, b,y")
    made = world("new", "bare", *words, "--folder", "elsewhere", "--json").json
    assert "elsewhere" in made["folder"]
    assert world("run", made["file"], "--json").json["model_version"] == "bare@1"


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
    assert answer["made"] is False
    assert not (world.folder / "new/penstock.db").exists()
    assert "is not one of" in world("store", "users", "crowd", code=2).err


def test_doctor_is_well_here(world):
    document = world("doctor", "--json").json
    assert document["ok"] is True
    assert {"python", "packages", "store", "disk"} <= {c["name"] for c in document["checks"]}
    assert "✓ store" in world("doctor").out


def test_doctor_names_what_is_wrong_and_leaves_with_two(world):
    (world.folder / "blocked").write_text("a file where a folder is needed")
    url = f"sqlite:///{world.folder}/blocked/penstock.db"
    document = json.loads(world("--store", url, "doctor", "--json", code=2).out)
    assert document["ok"] is False
    [bad] = [check for check in document["checks"] if check["level"] == "fail"]
    assert bad["name"] == "store"
    assert bad["fix"]
    assert "✗ store" in world("--store", url, "doctor", code=2).out


def test_ui_serves_the_projects_store(world, monkeypatch):
    given = {}
    monkeypatch.setattr(
        "penstock.cli._ui.serve_ui", lambda store, **options: given.update(url=store.url, **options)
    )
    assert "UI at http://127.0.0.1:4321" in world("ui", "--port", "4321").err
    assert given["port"] == 4321
    assert given["url"].endswith("penstock.db")


def test_demo_ends_after_the_story_or_serves_the_ui(world, monkeypatch):
    served = []
    monkeypatch.setattr("penstock.cli._demo.run_demo", lambda folder: world.store)
    monkeypatch.setattr("penstock.cli._demo.serve_ui", lambda store, **_: served.append(store))
    monkeypatch.delenv("PENSTOCK_DEMO_ONCE", raising=False)
    world("demo", "--once")
    assert served == []
    out = world("demo", "--port", "4299").out
    assert "http://127.0.0.1:4299" in out
    assert f"Later: penstock --store {world.store.url} ui" in out
    assert len(served) == 1
    monkeypatch.setenv("PENSTOCK_DEMO_ONCE", "1")
    world("demo")
    assert len(served) == 1
