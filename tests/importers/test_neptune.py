"""Files in the schema of neptune-exporter arrive with decimal steps, forks and files."""

from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from penstock.core import RunState
from penstock.importers import import_neptune
from penstock.tracking import Run

# As neptune_exporter.model.SCHEMA.
SCHEMA = pa.schema(
    [
        ("project_id", pa.string()),
        ("run_id", pa.string()),
        ("attribute_path", pa.string()),
        ("attribute_type", pa.string()),
        ("step", pa.decimal128(18, 6)),
        ("timestamp", pa.timestamp("ms", tz="UTC")),
        ("int_value", pa.int64()),
        ("float_value", pa.float64()),
        ("string_value", pa.string()),
        ("bool_value", pa.bool_()),
        ("datetime_value", pa.timestamp("ms", tz="UTC")),
        ("string_set_value", pa.list_(pa.string())),
        ("file_value", pa.struct([("path", pa.string())])),
        (
            "histogram_value",
            pa.struct(
                [
                    ("type", pa.string()),
                    ("edges", pa.list_(pa.float64())),
                    ("values", pa.list_(pa.float64())),
                ]
            ),
        ),
    ]
)
T0 = datetime(2025, 3, 1, 12, tzinfo=UTC)
SECRET = "outside.txt"


def row(path, kind, run_id="RUN-1", step=None, at=None, **value):
    step = None if step is None else Decimal(step)
    return {"project_id": "team/churn", "run_id": run_id, "attribute_path": path,
            "attribute_type": kind, "step": step, "timestamp": at, **value}  # fmt: skip


def system(run_id="RUN-1", **extra):
    return [
        row("sys/name", "string", run_id, string_value="baseline"),
        row("sys/creation_time", "datetime", run_id, datetime_value=T0),
        row("sys/owner", "string", run_id, string_value="ann"),
        row("sys/tags", "string_set", run_id, string_set_value=["risk", "first"]),
        *extra.get("more", []),
    ]


def write(folder, name, rows):
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), folder / name, compression="snappy")


@pytest.fixture
def export(tmp_path):
    """The exporter's two folders: a run in two parts, and one that continues it."""
    data, files = tmp_path / "exports" / "data" / "team_churn_ab12", tmp_path / "exports" / "files"
    files.mkdir(parents=True)
    (files / "weights.bin").write_bytes(b"\x00\x01")
    (files / "0001.png").write_bytes(b"png")
    (tmp_path / "exports" / SECRET).write_text("hush")
    points = [
        row("metrics/loss", "float_series", step=step, at=T0, float_value=value)
        for step, value in (("0.5", 0.9), ("1.25", 0.7), ("2", float("nan")))
    ]
    rows = [
        *system(),
        row("params/lr", "float", float_value=0.1),
        row("params/layers", "int", int_value=3),
        row("params/name", "string", string_value="net"),
        row("params/bias", "bool", bool_value=True),
        row("params/when", "datetime", datetime_value=T0),
        row("params/columns", "string_set", string_set_value=["b", "a"]),
        row("sys/size", "float", float_value=12.5),
        *points[:2],
    ]
    histogram = {"type": "COUNTING", "edges": [0.0, 1.0, 2.0], "values": [3.0, 4.0]}
    more = [
        points[2],
        row("logs/out", "string_series", step="1", at=T0, string_value="hello"),
        row("weights/h", "histogram_series", step="1", at=T0, histogram_value=histogram),
        row("model/weights", "file", file_value={"path": "weights.bin"}),
        row("images", "file_series", step="1.5", at=T0, file_value={"path": "0001.png"}),
        row("stolen", "file", file_value={"path": f"../{SECRET}"}),
        row("gone", "file", file_value={"path": "nowhere.bin"}),
    ]
    write(data, "RUN-1_part_0.parquet", rows)
    write(data, "RUN-1_part_1.parquet", more)
    fork = [
        row("sys/forking/parent", "string", "RUN-2", string_value="RUN-1"),
        row("sys/forking/step", "float", "RUN-2", float_value=1.25),
        row("sys/failed", "bool", "RUN-2", bool_value=True),
        row("metrics/loss", "float_series", "RUN-2", "1.5", T0, float_value=0.6),
    ]
    write(data, "RUN-2_part_0.parquet", [*system("RUN-2"), *fork])
    return tmp_path / "exports" / "data"


def test_a_run_in_parts_arrives_with_its_decimal_steps(export, store):
    done = import_neptune([export], store=store)
    assert done.failed == {}
    first = Run(store.metadata.runs.get(done.runs[0].run_id), store)
    record = first.record
    assert (record.name, record.experiment, record.user, record.created_at) == (
        "baseline",
        "team.churn",
        "ann",
        T0,
    )
    assert record.state is RunState.FINISHED
    assert record.params == {
        "params/lr": 0.1,
        "params/layers": 3,
        "params/name": "net",
        "params/bias": True,
        "params/when": T0.isoformat(),
        "params/columns": ["a", "b"],
    }
    assert {"risk": "true", "first": "true", "neptune.size": "12.5"}.items() <= record.tags.items()
    history = first.metric_history("metrics/loss")
    assert history["step"].to_list() == [0.5, 1.25, 2.0]
    assert str(history["value"].to_list()) == "[0.9, 0.7, nan]"
    assert history["time"].to_list() == [T0] * 3
    assert first.artifact("neptune/logs/out.json") == [
        {"step": 1.0, "time": T0.isoformat(), "value": "hello"}
    ]
    assert first.artifact("neptune/weights/h.json")[0]["value"]["values"] == [3.0, 4.0]
    assert {"model/weights.bin", "images/step-1.5"} <= first.artifacts().keys()


def test_what_is_not_there_is_listed_and_nothing_outside_is_read(export, store):
    (first, _) = import_neptune([export], store=store).runs
    assert [sentence.partition(":")[0] for sentence in first.lost] == ["file stolen", "file gone"]
    run = Run(store.metadata.runs.get(first.run_id), store)
    assert not any("stolen" in name for name in run.artifacts())
    assert run.artifact("neptune/lost.json") == list(first.lost)


def test_a_fork_knows_its_run_and_step(export, store):
    first, second = import_neptune([export], store=store).runs
    record = store.metadata.runs.get(second.run_id)
    assert (record.forked_from, record.forked_at) == (first.run_id, 1.25)
    assert record.state is RunState.FAILED
    assert record.metrics["metrics/loss"].count == 1


def test_a_second_import_changes_nothing(export, store):
    once = import_neptune([export], store=store).runs
    again = import_neptune([export], store=store, experiment="other").runs
    assert [run.run_id for run in once] == [run.run_id for run in again]
    assert not any(run.new for run in again)
    assert len(store.metadata.runs.search()) == 2
    assert store.metadata.runs.get(once[0].run_id).metrics["metrics/loss"].count == 3


def test_a_file_of_something_else_is_named_and_the_others_arrive(export, store):
    pq.write_table(pa.table({"a": [1]}), export / "other.parquet")
    (export / "broken.parquet").write_bytes(b"PAR1")
    done = import_neptune([export], store=store)
    assert len(done.runs) == 2
    assert "no file of neptune-exporter" in done.failed[str(export / "other")]
    assert str(export / "broken") in done.failed


def test_the_command_does_the_same(export, shell):
    told = shell("import", "neptune", export, "--json").json
    assert [run["new"] for run in told["runs"]] == [True, True]
    assert len(told["runs"][0]["lost"]) == 2
    said = shell("import", "neptune", export).out
    assert "(known)" in said
    assert "lost: file gone" in said
    assert "no file or folder" in shell("import", "neptune", "nowhere", code=2).err
