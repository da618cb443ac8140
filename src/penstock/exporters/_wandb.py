"""Runs in the form of W&B: offline folders, which its viewer reads and ``wandb sync`` uploads."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import penstock
from penstock.core import MetricColumns, ParameterError, RunRecord, RunState
from penstock.exporters._exported import RunsExport
from penstock.importers import write_wandb_log
from penstock.stores import open_store
from penstock.tracking import SYSTEM, get_run

if TYPE_CHECKING:
    from penstock.stores import Store

_MARK = "penstock.json"
_LARGEST_STEP = 2**53
_ENDED = {RunState.FINISHED: 0, RunState.FAILED: 1, RunState.KILLED: 137}


def export_wandb(
    runs: Sequence[str], *, to: str | Path, store: "Store | str | None" = None
) -> RunsExport:
    """Write runs as offline runs of W&B; a run that is there already is not written again.

    Parameters become the configuration, metrics the history, system metrics the system's, the
    experiment the project, artifacts files. A run that has changed since is written anew, whole.

    Args:
        runs: Ids, unique beginnings of ids, or ``last``.
        to: A folder, such as ``wandb``; each run gets a folder in it.
        store: The store of the runs; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
        ParameterError: If a run's folder is there and was not written by penstock.
        MissingPackageError: If protobuf is not installed.
    """
    opened, done = open_store(store), RunsExport(str(to))
    records = [opened.metadata.runs.get(run) for run in runs]
    for record in records:
        _write(opened, record, Path(to), done)
    return done


def _write(store: "Store", run: RunRecord, target: Path, done: RunsExport) -> None:
    began = run.started_at or run.created_at
    folder = target / f"offline-run-{began:%Y%m%d_%H%M%S}-{run.run_id}"
    mark = {"run_id": run.run_id, "state": _state_of(store, run)}
    done.runs[run.run_id] = str(folder)
    if folder.exists() and _known_mark(folder) == mark:
        done.unchanged += 1
        return
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".penstock-", dir=target) as place:
        made = Path(place) / folder.name
        files = made / "files"
        files.mkdir(parents=True)
        paths = get_run(run.run_id, store=store).download(to=files)
        names = sorted(path.relative_to(files).as_posix() for path in paths)
        records = _records(store, run, names, done)
        write_wandb_log(made / f"run-{run.run_id}.wandb", records)
        (made / _MARK).write_text(json.dumps(mark), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)  # whole or not at all
    done.files += len(names)


def _known_mark(folder: Path) -> Any:
    try:
        return json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ParameterError(
            what=f"{folder} is there, and penstock did not write it.",
            why="It may be a run of W&B's own, which would be lost.",
            fix="Give another folder by --to, or move it away.",
            path=folder,
        ) from None


def _state_of(store: "Store", run: RunRecord) -> str:
    points = sum(summary.count for summary in run.metrics.values())
    facts = [run.name, run.note, run.group, dict(run.tags), dict(run.params), str(run.ended_at)]
    files = {name: each.digest for name, each in store.metadata.artifacts.list(run.run_id).items()}
    return json.dumps([run.state.value, points, facts, files], default=str, sort_keys=True)


def _records(
    store: "Store", run: RunRecord, names: Sequence[str], done: RunsExport
) -> Iterator[dict[str, Any]]:
    """Return the records of a run's log in the order in which W&B writes them."""
    began = run.started_at or run.created_at
    yield {"header": {"version_info": {"producer": f"penstock {penstock.__version__}"}}}
    yield {"run": _run_facts(run, began)}
    history = {key: store.metadata.metrics.history(run.run_id, key) for key in run.metrics}
    rows = _rows(history, lambda what: done.lost.append(f"Run {run.run_id}: {what}"))
    for step in sorted(rows):
        done.points += sum(not key.startswith("_") for key in rows[step])
        items = [
            {"nested_key": [key], "value_json": json.dumps(value)}
            for key, value in {"_step": step, **rows[step]}.items()
        ]
        yield {"history": {"step": {"num": step}, "item": items}}
    for at, values in _system_rows(history):
        done.points += len(values)
        yield {"stats": {"timestamp": _time(at), "item": _items(values)}}
    lasts = {k: s.last for k, s in run.metrics.items() if not k.startswith(SYSTEM)}
    yield {"summary": {"update": _items(lasts)}}
    if names:
        yield {"files": {"files": [{"path": name} for name in names]}}
    if run.state in _ENDED:
        seconds = int(((run.ended_at or began) - began).total_seconds())
        yield {"exit": {"exit_code": _ENDED[run.state], "runtime": seconds}}
    _note_lost(store, run, done)


def _run_facts(run: RunRecord, began: datetime) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "project": run.experiment,
        "display_name": run.name,
        "notes": run.note or "",
        "run_group": run.group or "",
        "tags": [k if v == "true" else f"{k}={v}" for k, v in sorted(run.tags.items())],
        "start_time": _time(round(began.timestamp() * 1e6)),
        "config": {"update": _items(run.params)},
    }


def _rows(history: dict[str, MetricColumns], lose: Any) -> dict[int, dict[str, Any]]:
    """Return values by step; a row of W&B has one value of each metric, at a whole step from 0."""
    rows: dict[int, dict[str, Any]] = {}
    for key, columns in history.items():
        if key.startswith(SYSTEM):
            continue
        between = twice = 0
        points = zip(
            columns.times.tolist(), columns.steps.tolist(), columns.values.tolist(), strict=True
        )
        for at, step, value in sorted(points, key=lambda point: point[0]):
            if not (0 <= step <= _LARGEST_STEP and float(step).is_integer()):
                between += 1
                continue
            row = rows.setdefault(int(step), {})
            twice += key in row
            row[key] = value
            row["_timestamp"] = max(row.get("_timestamp", 0.0), at / 1e6)
        if between:
            lose(f"{between} points of {key!r} at negative steps or fractions of steps")
        if twice:
            lose(f"{twice} points of {key!r} at a step that has a later one")
    return rows


def _system_rows(history: dict[str, MetricColumns]) -> Iterator[tuple[int, dict[str, Any]]]:
    rows: dict[int, dict[str, Any]] = {}
    for key, columns in history.items():
        if key.startswith(SYSTEM):
            name = key.removeprefix(SYSTEM)
            for at, value in zip(columns.times.tolist(), columns.values.tolist(), strict=True):
                rows.setdefault(at, {})[name] = value
    yield from sorted(rows.items())


def _items(values: Mapping[str, Any]) -> list[dict[str, str]]:
    return [{"key": k, "value_json": json.dumps(v, default=str)} for k, v in values.items()]


def _time(micros: int) -> dict[str, int]:
    seconds, rest = divmod(micros, 1_000_000)
    return {"seconds": seconds, "nanos": rest * 1000}


def _note_lost(store: "Store", run: RunRecord, done: RunsExport) -> None:
    steps = store.metadata.steps.list(run.run_id)
    for what in (
        f"{len(steps)} steps with their logs and keys" if steps else "",
        "code, environment and hardware" if run.provenance else "",
        f"its parent, {run.parent_run_id}" if run.parent_run_id else "",
        "" if run.state in _ENDED else f"its state, {run.state.value}: there it has crashed",
    ):
        if what:
            done.lost.append(f"Run {run.run_id}: {what}")
