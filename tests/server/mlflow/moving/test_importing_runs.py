"""An import from a store of MLflow's that is odd, damaged or changed since: nothing is lost in silence.

The databases have the tables and columns of MLflow 3.17 that an import reads; the stores of the real
client are in `test_importing`.
"""

import math
import sqlite3

import pytest

from penstock.core import RunState, Stage
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._kinds import LOGGED
from penstock.server.mlflow._shelf import Shelf
from penstock.server.mlflow.moving import import_mlflow
from penstock.stores import open_store
from penstock.testing._records import a_run, a_version

_TABLES = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name TEXT, artifact_location TEXT,
    lifecycle_stage TEXT, creation_time BIGINT, last_update_time BIGINT,
    workspace TEXT DEFAULT 'default');
CREATE TABLE experiment_tags (key TEXT, value TEXT, experiment_id INTEGER);
CREATE TABLE runs (run_uuid TEXT PRIMARY KEY, name TEXT, user_id TEXT, status TEXT,
    start_time BIGINT, end_time BIGINT, lifecycle_stage TEXT, artifact_uri TEXT,
    experiment_id INTEGER);
CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT,
    is_nan BOOLEAN);
CREATE TABLE latest_metrics (key TEXT, value FLOAT, timestamp BIGINT, step BIGINT,
    is_nan BOOLEAN, run_uuid TEXT);
CREATE TABLE logged_models (model_id TEXT PRIMARY KEY, experiment_id INTEGER, name TEXT,
    artifact_location TEXT, creation_timestamp_ms BIGINT, last_updated_timestamp_ms BIGINT,
    status INTEGER, lifecycle_stage TEXT, model_type TEXT, source_run_id TEXT,
    status_message TEXT);
CREATE TABLE logged_model_params (model_id TEXT, param_key TEXT, param_value TEXT);
CREATE TABLE logged_model_tags (model_id TEXT, tag_key TEXT, tag_value TEXT);
CREATE TABLE logged_model_metrics (model_id TEXT, metric_name TEXT, metric_timestamp_ms BIGINT,
    metric_step BIGINT, metric_value FLOAT, run_id TEXT, dataset_name TEXT, dataset_digest TEXT);
CREATE TABLE registered_models (name TEXT, creation_time BIGINT, last_updated_time BIGINT,
    description TEXT, workspace TEXT DEFAULT 'default');
CREATE TABLE registered_model_tags (key TEXT, value TEXT, name TEXT,
    workspace TEXT DEFAULT 'default');
CREATE TABLE registered_model_aliases (alias TEXT, version INTEGER, name TEXT,
    workspace TEXT DEFAULT 'default');
CREATE TABLE model_versions (name TEXT, version INTEGER, creation_time BIGINT, description TEXT,
    user_id TEXT, current_stage TEXT, source TEXT, run_id TEXT, status TEXT, run_link TEXT,
    storage_location TEXT, workspace TEXT DEFAULT 'default');
CREATE TABLE model_version_tags (key TEXT, value TEXT, name TEXT, version INTEGER,
    workspace TEXT DEFAULT 'default');
CREATE TABLE trace_info (request_id TEXT);
CREATE TABLE budget_policies (id TEXT);
"""
_AT = 1_700_000_000_000


class Source:
    """A database of MLflow's, written by hand."""

    def __init__(self, folder):
        self.file, self.folder = folder / "mlflow.db", folder / "artifacts"
        self._raw = sqlite3.connect(self.file, isolation_level=None)
        self._raw.executescript(_TABLES)

    def add(self, table, **row):
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        self._raw.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))

    def change(self, sql, *values):
        self._raw.execute(sql, values)

    def experiment(self, number, name, stage="active", **more):
        place = f"{self.folder}/{number}"
        self.add("experiments", experiment_id=number, name=name, lifecycle_stage=stage,
                 creation_time=_AT, artifact_location=place, **more)  # fmt: skip

    def run(self, run_id, experiment=1, **more):
        facts = {"name": run_id, "user_id": "ada", "status": "FINISHED", "start_time": _AT,
                 "end_time": _AT + 5, "lifecycle_stage": "active",
                 "artifact_uri": f"{self.folder}/{experiment}/{run_id}/artifacts"}  # fmt: skip
        self.add("runs", run_uuid=run_id, experiment_id=experiment, **{**facts, **more})
        return self.folder / str(experiment) / run_id / "artifacts"

    def point(self, run_id, key, value, step=0, at=_AT, *, nan=False, latest=True):
        row = {"key": key, "value": value, "timestamp": at, "step": step, "is_nan": nan,
               "run_uuid": run_id}  # fmt: skip
        self.add("metrics", **row)
        if latest:
            self.add("latest_metrics", **row)

    def logged(self, model_id, stage="active"):
        self.add("logged_models", model_id=model_id, experiment_id=1, name="m", status=2,
                 creation_timestamp_ms=_AT, lifecycle_stage=stage,
                 artifact_location=f"{self.folder}/1/models/{model_id}/artifacts")  # fmt: skip
        return self.folder / "1" / "models" / model_id / "artifacts"

    def model(self, name, **more):
        self.add("registered_models", name=name, creation_time=_AT, **more)

    def version(self, name, number, stage="None", **more):
        self.add("model_versions", name=name, version=number, creation_time=_AT + number,
                 current_stage=stage, source="s3://far/away", status="READY", **more)  # fmt: skip

    def load(self, store):
        return import_mlflow(str(self.file), store=store)


def put(folder, name, data=b"hi"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


@pytest.fixture
def source(tmp_path):
    made = Source(tmp_path)
    made.folder.mkdir()
    made.experiment(1, "churn")
    (made.folder / "1").mkdir()
    return made


def test_experiments_and_runs_that_are_deleted_are_here_and_deleted_and_come_back(source, store):
    source.experiment(2, "old", stage="deleted")
    source.run("a", 2)
    source.run("b", lifecycle_stage="deleted")
    done = source.load(store)
    desk = Desk(store)
    assert desk.find_experiment("old").deleted_at is not None
    assert store.metadata.runs.get("a").experiment == "old"
    assert store.metadata.runs.get("b").deleted_at is not None
    assert [line for line in done.lost if "a" in line.split()] == []
    source.change("UPDATE experiments SET lifecycle_stage = 'active'")
    source.change("UPDATE runs SET lifecycle_stage = 'active'")
    assert source.load(store).runs == 1  # b; what is said of a is the same
    assert desk.find_experiment("old").deleted_at is None
    assert store.metadata.runs.get("b").deleted_at is None
    store.metadata.runs.update_experiment("old", deleted_at=store.metadata.runs.get("a").created_at)
    source.load(store)
    assert desk.find_experiment("old").deleted_at is not None  # deleted here: it stays so


def test_an_experiment_that_is_deleted_there_deletes_nobodys_runs_here(source, store):
    store.metadata.runs.create(a_run(run_id="mine", experiment="old"))
    source.experiment(2, "old", stage="deleted")
    source.run("theirs", 2)
    done = source.load(store)
    assert Desk(store).find_experiment("old").deleted_at is None
    assert store.metadata.runs.get("mine").deleted_at is None
    assert store.metadata.runs.get("theirs").deleted_at is not None
    assert any("there is another of that name here" in line for line in done.lost)


def test_a_number_that_is_taken_here_is_listed(source, store):
    Desk(store).begin()
    assert Desk(store).number("mine") == "1"
    source.run("a")
    assert "Experiment 'churn' has number 1 there, 2 here" in source.load(store).lost
    assert source.load(store).unchanged == 1


def test_an_experiment_keeps_its_time_and_a_renamed_one_gets_no_twin(source, api, store):
    source.load(store)

    def get():
        found = api.get("/api/2.0/mlflow/experiments/get", params={"experiment_id": "1"}).json()
        return found["experiment"]["name"], found["experiment"]["creation_time"]

    assert get() == ("churn", _AT)
    api.post("/api/2.0/mlflow/experiments/update",
             json={"experiment_id": "1", "new_name": "leavers"})  # fmt: skip
    source.run("a")
    source.load(store)
    assert get() == ("leavers", _AT)
    assert store.metadata.runs.get("a").experiment == "leavers"
    assert "churn" not in store.metadata.runs.list_experiments()


def test_the_same_name_in_two_workspaces_is_two_names_here(source, store):
    source.experiment(2, "churn", workspace="lab")
    source.run("a")
    source.run("b", 2)
    for workspace in ("default", "lab"):
        source.model("m", workspace=workspace)
        source.version("m", 1, workspace=workspace)
    done = source.load(store)
    assert store.metadata.runs.get("a").experiment == "churn"
    assert store.metadata.runs.get("b").experiment == "lab.churn"
    assert [model.name for model in Shelf(Desk(store)).all()] == ["lab.m", "m"]
    assert [line for line in done.lost if "lab" in line and "called" in line] == [
        "Experiment 'churn' of workspace 'lab' is called 'lab.churn' here",
        "Model 'm' of workspace 'lab' is called 'lab.m' here",
    ]


def test_points_of_every_kind_are_here_and_what_cannot_be_is_listed(source, store):
    source.run("a")
    source.point("a", "loss", 0, step=-3, nan=True)
    source.point("a", "loss", 1.5, step=-2, at=_AT + 1, latest=False)
    source.point("a", "loss", 2.5, step=2**60, latest=False)
    source.point("a", "loss", 2.5, step=1, at=-7, latest=False)
    source.point("a", "old", 9.0, latest=False)
    done = source.load(store)
    points = store.metadata.metrics.history("a", "loss")
    assert points.steps.tolist() == [-3, -2]
    assert math.isnan(points.values[0])
    assert points.values[1] == 1.5
    assert store.metadata.metrics.history("a", "old").values.tolist() == [9.0]
    [line] = [line for line in done.lost if "loss" in line]
    assert line.startswith("2 points of metric 'loss' of run a: steps beyond 2^53")
    assert line in source.load(store).lost  # as often as it is imported
    source.point("a", "loss", 0.5, step=-9, latest=False)  # no point is newer than the newest
    assert source.load(store).runs == 1
    assert store.metadata.runs.get("a").metrics["loss"].count == 3


def test_huge_and_odd_parameters_and_tags_come_one_by_one(source, store):
    source.run("a")
    for key, value in {"ok": "1", "big": "x" * 100_000, "bad\x00key": "2"}.items():
        source.add("params", key=key, value=value, run_uuid="a")
        source.add("tags", key=key, value=value, run_uuid="a")
    done = source.load(store)
    found = store.metadata.runs.get("a")
    assert found.params == {"ok": "1", "big": "x" * 100_000}
    assert found.tags == {"ok": "1", "big": "x" * 100_000}
    assert [line.split(" of run")[0] for line in done.lost if "bad" in line] == [
        "Tag 'bad\\x00key'", "Parameter 'bad\\x00key'"]  # fmt: skip


def test_a_run_that_went_on_there_goes_on_here_and_what_was_changed_here_stays(source, store):
    source.run("a", status="RUNNING", end_time=None)
    source.run("b")
    source.load(store)
    assert store.metadata.runs.get("a").state is RunState.RUNNING
    store.metadata.runs.update("b", name="mine")
    source.change("UPDATE runs SET name = 'new', status = 'FAILED', end_time = ?", _AT + 9)
    done = source.load(store)
    for run_id, name in (("a", "new"), ("b", "mine")):
        run = store.metadata.runs.get(run_id)
        assert (run.name, run.state) == (name, RunState.FAILED)
        assert round(run.ended_at.timestamp() * 1000) == _AT + 9
    assert [line for line in done.lost if "changed here" in line] == [
        "The name of run b, 'new': it was changed here, and stays"]  # fmt: skip
    source.change("UPDATE runs SET status = 'RUNNING', end_time = NULL")
    source.load(store)
    assert store.metadata.runs.get("a").state is RunState.RUNNING
    assert store.metadata.runs.get("a").ended_at is None


def test_times_that_nobody_recorded_are_said_to_be_so(source, store):
    source.run("a", end_time=None)
    source.run("b", end_time=_AT - 5)
    source.run("c", start_time=0)
    source.run("d", status="STRANGE")
    done = source.load(store)
    assert store.metadata.runs.get("c").started_at.year == 1970
    told = "\n".join(done.lost)
    assert "Run a has no time of its end there" in told
    assert "Run b ended before it began" in told
    assert "The status of run d, 'STRANGE'" in told
    assert "run c" not in told


def test_files_of_odd_names_are_here_or_listed(source, store, tmp_path):
    folder = source.run("a")
    for name in ("plain.txt", "with space/ü%41.txt", "a#b.txt"):
        put(folder, name)
    (folder / "link.txt").symlink_to(put(tmp_path / "elsewhere", "secret.txt"))
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "broken").symlink_to(tmp_path / "nowhere")
    done = source.load(store)
    assert sorted(store.metadata.artifacts.list("a")) == ["plain.txt", "with space/ü%41.txt"]
    assert sorted(line.split("'")[1] for line in done.lost if "Artifact" in line) == [
        "a#b.txt", "broken", "link.txt", "linked"]  # fmt: skip


def test_files_that_come_later_or_could_not_be_read_come_with_the_next_import(source, store):
    folder = source.run("a")
    put(folder, "one.txt")
    locked = put(folder, "two.txt")
    done = None
    fetched = []

    def fail(self, *, mode="r", **more):
        fetched.append(self.name)
        raise PermissionError(13, "Permission denied", str(self))

    with pytest.MonkeyPatch.context() as patch:
        from penstock.server.mlflow.moving import _source

        def copier(path):
            real = copy(path)
            return (lambda target: fail(path)) if path == locked else real

        copy = _source._copier
        patch.setattr(_source, "_copier", copier)
        done = source.load(store)
    assert fetched == ["two.txt"]
    assert [line for line in done.lost if "two.txt" in line] != []
    assert source.load(store).runs == 1
    assert sorted(store.metadata.artifacts.list("a")) == ["one.txt", "two.txt"]
    assert source.load(store).unchanged == 1
    put(folder, "three.txt")  # nothing in the database tells of it
    assert source.load(store).runs == 1
    assert "three.txt" in store.metadata.artifacts.list("a")


def test_artifacts_of_another_machine_are_listed_and_come_once_they_are_here(
    source, store, tmp_path
):
    source.run("a", artifact_uri="mlflow-artifacts:/1/a/artifacts")
    source.run("b", artifact_uri=f"{tmp_path}/gone/1/b/artifacts")
    done = source.load(store)
    assert [line.split(":")[0] for line in done.lost if "Artifacts of" in line] == [
        "Artifacts of run a", "Artifacts of run b"]  # fmt: skip
    put(tmp_path / "root" / "1" / "a" / "artifacts", "model.pkl")
    again = import_mlflow(str(source.file), artifacts=tmp_path / "root", store=store)
    assert (again.runs, again.unchanged) == (1, 1)
    assert list(store.metadata.artifacts.list("a")) == ["model.pkl"]


def test_a_logged_model_whose_import_was_killed_is_read_again_and_follows(source, store):
    folder = source.logged("m-1")
    source.logged("m-2", stage="deleted")
    put(folder, "MLmodel")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "penstock.server.mlflow.moving._importing_runs.FileImporter.store", _interrupt
        )
        with pytest.raises(KeyboardInterrupt):
            source.load(store)
    assert Desk(store).find(LOGGED, "m-1") is not None  # begun, and without its files
    done = source.load(store)
    assert list(store.metadata.documents.list_files(LOGGED, "m-1")) == ["MLmodel"]
    assert "1 logged models that are deleted there" in done.lost
    source.add("logged_model_metrics", model_id="m-1", metric_name="auc", metric_value=0.9,
               metric_timestamp_ms=_AT, metric_step=0)  # fmt: skip
    assert source.load(store).logged_models == 1
    assert source.load(store).logged_models == 0


def _interrupt(*_values, **_named):
    raise KeyboardInterrupt


@pytest.mark.parametrize("at", ["set_version_tags", "add_files", "create_version", "documents.add"])
def test_a_registry_whose_import_was_killed_anywhere_is_complete_after_the_next(
    source, store, monkeypatch, at
):
    source.model("m")
    source.version("m", 2, "Production")
    source.version("m", 4, "Staging")
    source.add("registered_model_aliases", alias="best", version=2, name="m")
    source.add("model_version_tags", key="k", value="v", name="m", version=4)
    noun = (
        store.metadata.documents if at in {"add_files", "documents.add"} else store.metadata.models
    )
    name = at.rpartition(".")[2]
    real = getattr(type(noun), name)
    calls: list[int] = []
    for killed_at in range(1, 12):
        calls.clear()

        def dying(self, *values, _real=real, _at=killed_at, **named):
            calls.append(1)
            result = _real(self, *values, **named)
            if len(calls) == _at:
                raise KeyboardInterrupt
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(noun), name, dying)
            try:
                source.load(store)
            except KeyboardInterrupt:
                continue
        break
    done = source.load(store)
    model = Shelf(Desk(store)).get("m")
    assert [(v.record.version, v.record.stage) for v in model.versions] == [
        (2, Stage.PRODUCTION), (4, Stage.STAGING)]  # fmt: skip
    assert model.aliases == {"best": 2, "champion": 2, "challenger": 4}
    assert model.versions[1].record.tags == {"k": "v"}
    assert [line for line in done.lost if "version" not in line] == []


def test_stages_and_aliases_that_cannot_all_be_are_listed(source, store):
    source.model("m")
    for number, stage in enumerate(("Production", "Production", "None", "Archived"), 1):
        source.version("m", number, stage)
    for alias, number in {"champion": 4, "gone": 9, "challenger": 3}.items():
        source.add("registered_model_aliases", alias=alias, version=number, name="m")
    done = source.load(store)
    model = Shelf(Desk(store)).get("m")
    assert model.aliases == {"champion": 2, "challenger": 3}
    told = [line for line in done.lost if not line.startswith("Artifacts of")]
    assert told == [
        "Alias 'gone' of model 'm': there is no version 9",
        "Alias 'champion' of m@4, which is in Archived: the alias means Production here",
        "Stage Production of m@1: it is in Archived here",
    ]


def test_what_was_decided_here_is_not_undone_by_the_next_import(source, store):
    source.model("m")
    source.version("m", 1, "Production")
    source.version("m", 2)
    source.add("registered_model_aliases", alias="best", version=1, name="m")
    source.load(store)
    shelf = Shelf(Desk(store))
    shelf.touch(shelf.get("m"), lambda body: body | {"aliases": {"best": 2}})
    from penstock.registry import Registry

    Registry(store=store).promote("m", 2)
    source.add("model_version_tags", key="k", value="v", name="m", version=1)
    source.change("UPDATE model_versions SET description = 'told later' WHERE version = 1")
    source.load(store)
    model = shelf.get("m")
    assert model.aliases == {"best": 2, "champion": 2}
    assert model.versions[0].record.tags == {"k": "v"}
    assert model.versions[0].record.note == "told later"


def test_a_number_or_a_name_of_a_model_that_is_somebodys_here_is_listed(source, store):
    store.metadata.models.create_version(a_version(model="theirs"), actor="ada")
    source.model("theirs")
    source.version("theirs", 1)
    source.model("m")
    source.version("m", 1)
    source.load(store)
    store.metadata.models.create_version(a_version(model="m"), actor="ada")
    source.version("m", 2)
    done = source.load(store)
    assert "Model 'theirs': there is another of that name here" in done.lost
    assert "Version 2 of model 'm': another version has that number here" in done.lost


def test_what_has_no_place_here_is_counted_by_table(source, store):
    source.add("trace_info", request_id="tr-1")
    source.add("budget_policies", id="b")
    done = source.load(store)
    assert done.lost == ["1 rows of its table budget_policies", "1 traces"]


def test_a_database_of_an_early_version_is_read(store, tmp_path):
    with sqlite3.connect(tmp_path / "mlflow.db") as raw:
        raw.executescript(_TABLES.partition("CREATE TABLE logged_models")[0])
        raw.execute("INSERT INTO experiments VALUES (3, 'e', ?, 'active', NULL, NULL, NULL)",
                    (str(tmp_path),))  # fmt: skip
        raw.execute("INSERT INTO runs VALUES ('a', '', 'ada', 'FINISHED', 1, 2, 'active', '', 3)")
    raw.close()
    done = import_mlflow(str(tmp_path / "mlflow.db"), store=store)
    assert (done.runs, done.lost) == (1, [])


def test_a_damaged_folder_is_read_as_far_as_it_goes(tmp_path, store):
    place = tmp_path / "mlruns" / "7"
    meta = "run_id: {0}\nstatus: 3\nstart_time: 1\nend_time: 2\nartifact_uri: ''\nrun_name: {0}\n"
    files = {
        "meta.yaml": b"experiment_id: '7'\nname: filed\nartifact_location: ''\n",
        "a/meta.yaml": meta.format("a").encode(),
        "a/metrics/loss": b"1 0.5 0\nnonsense\n2 0.25 1\n",
        "a/params/p": b"\xff\xfe",
        "a/params/q": b"1",
        "b/meta.yaml": b"{ not: [yaml",
        "c/params/q": b"1",
    }
    for name, data in files.items():
        put(place, name, data)
    put(tmp_path / "mlruns" / "8", "a/meta.yaml", b"x: 1")
    done = import_mlflow(str(tmp_path / "mlruns"), store=store)
    run = store.metadata.runs.get("a")
    assert (run.params, run.metrics["loss"].count, done.runs) == ({"q": "1"}, 2, 1)
    told = [line.partition("mlruns/")[2].partition(": ")[0] for line in done.lost]
    assert sorted(set(told)) == sorted(
        ["8", "7/a/metrics/loss", "7/a/params/p", "7/b/meta.yaml", "7/c"]
    )
    with open_store(store.url) as same:
        assert import_mlflow(str(tmp_path / "mlruns"), store=same).unchanged == 1
