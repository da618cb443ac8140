"""An SQLite database of MLflow's, read only."""

import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.server.mlflow._fields import compact, number, pairs
from penstock.server.mlflow.moving._source import Entry, ListedFile, local_folder, no_source, walk

_LOGGED_STATUS = {
    1: "LOGGED_MODEL_PENDING",
    2: "LOGGED_MODEL_READY",
    3: "LOGGED_MODEL_UPLOAD_FAILED",
}
# What has no place here, by table: any other table with rows is named as it is.
_LOST = {
    "trace_info": "traces",
    "assessments": "assessments of traces",
    "evaluation_datasets": "evaluation datasets",
}
_READ = frozenset(
    [
        "experiments",
        "experiment_tags",
        "runs",
        "params",
        "tags",
        "metrics",
        "latest_metrics",
        "datasets",
        "inputs",
        "input_tags",
        "logged_models",
        "logged_model_params",
        "logged_model_tags",
        "logged_model_metrics",
        "registered_models",
        "registered_model_tags",
        "registered_model_aliases",
        "model_versions",
        "model_version_tags",
    ]
)
# Parts of what is named above, and what a server keeps for itself.
_UNNAMED = frozenset(
    [
        "alembic_version",
        "workspaces",
        "scheduler_leases",
        "job_locks",
        "sqlite_sequence",
        "sqlite_stat1",
        "sqlite_stat4",
        "trace_tags",
        "trace_request_metadata",
        "trace_metrics",
        "spans",
        "span_metrics",
        "sql_trace_metric_daily_rollups",
        "sql_span_cost_daily_rollups",
        "sql_assessment_daily_rollups",
        "sql_trace_rollup_rebuild_queue",
        "evaluation_dataset_tags",
        "evaluation_dataset_records",
    ]
)
_DEFAULT_WORKSPACE = "default"
_LARGEST = 1.7976931348623157e308  # what MLflow writes for an infinity


class DatabaseSource:
    """MlflowSource of a SQLite file.

    Args:
        path: The file.
        artifacts: Folder of the server's artifacts, if the database is a server's.
    """

    def __init__(self, path: Path, artifacts: Path | None) -> None:
        self._path, self._artifacts = path, artifacts
        self._raw = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._raw.row_factory = sqlite3.Row
        try:
            found = self._raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            self._tables = {row[0] for row in found.fetchall()}
        except sqlite3.DatabaseError as error:
            raise no_source(str(path)) from error
        if not {"experiments", "runs", "latest_metrics"} <= self._tables:
            raise no_source(str(path))
        self._renamed: list[str] = []
        self._models: dict[str, tuple[str, str]] = {}  # workspace and name there by name here

    @property
    def name(self) -> str:
        """See MlflowSource."""
        return f"sqlite:///{self._path.resolve()}"

    def experiments(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for row in self._rows("SELECT * FROM experiments ORDER BY experiment_id"):
            yield {
                **row,
                "name": self._name_of(row, "Experiment"),
                "experiment_id": str(row["experiment_id"]),
                "tags": self._pairs("experiment_tags", "experiment_id", row["experiment_id"]),
            }

    def runs(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        sql = "SELECT * FROM runs WHERE experiment_id = ? ORDER BY start_time, run_uuid"
        for row in self._rows(sql, int(experiment_id)):
            run_id = row["run_uuid"]
            metrics = self._metrics(run_id)
            info = compact(
                run_id=run_id,
                run_name=row["name"],
                user_id=row["user_id"],
                status=row["status"],
                start_time=row["start_time"],
                end_time=row["end_time"],
                artifact_uri=row["artifact_uri"],
                lifecycle_stage=row["lifecycle_stage"],
            )
            data = {
                "metrics": metrics,
                "params": self._pairs("params", "run_uuid", run_id),
                "tags": self._pairs("tags", "run_uuid", run_id),
            }
            yield {"info": info, "data": data, **self._sides(run_id)}

    def history(self, run_id: str, key: str) -> Sequence[tuple[int, int, float]]:
        """See MlflowSource."""
        sql = 'SELECT * FROM metrics WHERE run_uuid = ? AND "key" = ?'
        return [(m["timestamp"], m["step"], _value(m)) for m in self._rows(sql, run_id, key)]

    def logged_models(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        sql = "SELECT * FROM logged_models WHERE experiment_id = ? AND lifecycle_stage = 'active'"
        for row in self._rows(sql, int(experiment_id)):
            key = row["model_id"]
            metrics = [
                compact(
                    key=m["metric_name"],
                    value=number(math.nan if m["metric_value"] is None else m["metric_value"]),
                    timestamp=m["metric_timestamp_ms"],
                    step=m["metric_step"],
                    run_id=m["run_id"],
                    model_id=key,
                    dataset_name=m["dataset_name"],
                    dataset_digest=m["dataset_digest"],
                )
                for m in self._rows("SELECT * FROM logged_model_metrics WHERE model_id = ?", key)
            ]
            info = {
                **{name: row[name] for name in row},
                "artifact_uri": row["artifact_location"],
                "status": _LOGGED_STATUS.get(row["status"], "LOGGED_MODEL_PENDING"),
                "tags": self._named("logged_model_tags", "tag", key),
            }
            params = self._named("logged_model_params", "param", key)
            yield {"info": info, "data": {"params": params, "metrics": metrics}}

    def registered_models(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for row in self._rows("SELECT * FROM registered_models ORDER BY name"):
            here = self._name_of(row, "Model")
            place = self._models[here] = (row.get("workspace") or "", row["name"])
            aliases = self._of_model("registered_model_aliases", *place)
            tags = self._of_model("registered_model_tags", *place)
            yield {
                "name": here,
                "description": row["description"] or "",
                "creation_timestamp": row["creation_time"],
                "tags": pairs({tag["key"]: tag["value"] or "" for tag in tags}),
                "aliases": [{"alias": a["alias"], "version": str(a["version"])} for a in aliases],
            }

    def versions(self, name: str) -> Sequence[Entry]:
        """See MlflowSource."""
        found = []
        place = self._models[name]
        all_tags = self._of_model("model_version_tags", *place)
        rows = self._of_model("model_versions", *place)
        for row in sorted(rows, key=lambda each: int(each["version"])):
            if row["current_stage"] == "Deleted_Internal":
                continue
            tags = {t["key"]: t["value"] or "" for t in all_tags if t["version"] == row["version"]}
            found.append(
                {
                    **row,
                    "version": str(row["version"]),
                    "creation_timestamp": row["creation_time"],
                    "tags": pairs(tags),
                }
            )
        return found

    def files(self, uri: str) -> Iterator[ListedFile]:
        """See MlflowSource."""
        return walk(local_folder(uri, self._artifacts, self._path.parent))

    def lost(self) -> Sequence[str]:
        """See MlflowSource."""
        found = list(self._renamed)
        for table in sorted(self._tables - _READ - _UNNAMED):
            [row] = self._rows(f'SELECT COUNT(*) AS n FROM "{table}"')  # noqa: S608 - read from the database itself
            if row["n"]:
                found.append(f"{row['n']} {_LOST.get(table, f'rows of its table {table}')}")
        if "logged_models" in self._tables:
            [row] = self._rows(
                "SELECT COUNT(*) AS n FROM logged_models WHERE lifecycle_stage <> 'active'"
            )
            found += [f"{row['n']} logged models that are deleted there"] if row["n"] else []
        sql = "SELECT COUNT(*) AS n FROM metrics WHERE ABS(value) = ?"
        [row] = self._rows(sql, _LARGEST)
        if row["n"]:
            found.append(
                f"{row['n']} metric points of ±1.797e308 are kept so: MLflow writes infinities so"
            )
        return found

    def _sides(self, run_id: str) -> Entry:
        sql = (
            "SELECT i.input_uuid, d.* FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id"
            " WHERE i.source_type = 'DATASET' AND i.destination_id = ?"
        )
        datasets = [
            {
                "dataset": compact(
                    name=row["name"],
                    digest=row["digest"],
                    source_type=row["dataset_source_type"],
                    source=row["dataset_source"],
                    schema=row["dataset_schema"],
                    profile=row["dataset_profile"],
                ),
                "tags": [
                    {"key": tag["name"], "value": tag["value"]}
                    for tag in self._rows(
                        "SELECT * FROM input_tags WHERE input_uuid = ?", row["input_uuid"]
                    )
                ],
            }
            for row in self._rows(sql, run_id)
        ]
        sql = "SELECT * FROM inputs WHERE source_id = ? AND destination_type = ?"
        read = [{"model_id": r["destination_id"]} for r in self._rows(sql, run_id, "MODEL_INPUT")]
        made = [
            {"model_id": r["destination_id"], "step": dict(r).get("step", 0)}
            for r in self._rows(sql, run_id, "MODEL_OUTPUT")
        ]
        return {
            "inputs": {"dataset_inputs": datasets, "model_inputs": read},
            "outputs": {"model_outputs": made},
        }

    def _metrics(self, run_id: str) -> list[Entry]:
        """Return the latest points with the number of all: one that is added shows in that."""
        latest = {
            row["key"]: {
                "value": number(_value(row)),
                "timestamp": row["timestamp"],
                "step": row["step"],
            }
            for row in self._rows("SELECT * FROM latest_metrics WHERE run_uuid = ?", run_id)
        }
        sql = 'SELECT "key", COUNT(*) AS n FROM metrics WHERE run_uuid = ? GROUP BY "key"'
        counts = {row["key"]: row["n"] for row in self._rows(sql, run_id)}
        keys = sorted({*latest, *counts})
        return [{"key": key, "count": counts.get(key, 0), **latest.get(key, {})} for key in keys]

    def _name_of(self, row: Mapping[str, Any], what: str) -> str:
        """Return a name here: names are unique in a workspace there, and in the store here."""
        workspace = row.get("workspace") or _DEFAULT_WORKSPACE
        if workspace == _DEFAULT_WORKSPACE:
            return str(row["name"])
        here = f"{workspace}.{row['name']}"
        sentence = f"{what} {row['name']!r} of workspace {workspace!r} is called {here!r} here"
        if sentence not in self._renamed:
            self._renamed.append(sentence)
        return here

    def _of_model(self, table: str, workspace: str, name: str) -> list[Mapping[str, Any]]:
        rows = self._rows(f"SELECT * FROM {table} WHERE name = ?", name)  # noqa: S608 - our own words
        return [row for row in rows if (row.get("workspace") or "") == workspace]

    def _pairs(self, table: str, column: str, value: Any) -> list[Entry]:
        sql = f'SELECT "key", value FROM {table} WHERE {column} = ?'  # noqa: S608 - our own words
        return pairs({row["key"]: row["value"] or "" for row in self._rows(sql, value)})

    def _named(self, table: str, prefix: str, model_id: str) -> list[Entry]:
        sql = f"SELECT * FROM {table} WHERE model_id = ?"  # noqa: S608 - our own words
        rows = self._rows(sql, model_id)
        return pairs({row[f"{prefix}_key"]: row[f"{prefix}_value"] for row in rows})

    def _rows(self, sql: str, *values: Any) -> list[Mapping[str, Any]]:
        try:
            return [dict(row) for row in self._raw.execute(sql, values).fetchall()]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # an older version has it not yet
                return []
            raise


def _value(row: Mapping[str, Any]) -> float:
    return math.nan if row["is_nan"] or row["value"] is None else float(row["value"])
