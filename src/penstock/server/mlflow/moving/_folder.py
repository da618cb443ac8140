"""An ``mlruns`` folder: MLflow's store of files, read only."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from penstock.core import require
from penstock.server.mlflow._fields import compact, number, pairs
from penstock.server.mlflow.moving._source import Entry, Fetch, local_folder, no_source, walk

_META, _TRASH, _MODELS = "meta.yaml", ".trash", "models"
_STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
_LOGGED_STATUS = {
    1: "LOGGED_MODEL_PENDING",
    2: "LOGGED_MODEL_READY",
    3: "LOGGED_MODEL_UPLOAD_FAILED",
}
_CONTEXT = 5  # a line of a metric: time, value, step, run, dataset's name and digest


class FolderSource:
    """MlflowSource of an ``mlruns`` folder.

    Args:
        folder: The folder.
        artifacts: Folder of a server's artifacts.
    """

    def __init__(self, folder: Path, artifacts: Path | None) -> None:
        self._folder, self._artifacts = folder, artifacts
        self._yaml = require("yaml", extra="mlflow", purpose="An mlruns folder")
        if not any(folder.glob(f"*/{_META}")):
            raise no_source(str(folder))

    @property
    def name(self) -> str:
        """See MlflowSource."""
        return str(self._folder)

    def experiments(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for place in self._experiment_folders():
            facts = self._read(place)
            gone = place.parent.name == _TRASH
            yield {
                **facts,
                "experiment_id": str(facts["experiment_id"]),
                "lifecycle_stage": "deleted" if gone else facts.get("lifecycle_stage", "active"),
                "tags": pairs(_texts(place / "tags")),
            }

    def runs(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        place = self._experiment(experiment_id)
        for meta in sorted(place.glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            if "run_id" not in facts and "run_uuid" not in facts:
                continue
            yield self._run(meta.parent, facts)

    def history(self, run_id: str, key: str) -> Sequence[tuple[int, int, float]]:
        """See MlflowSource."""
        [place] = [each / run_id for each in self._experiment_folders() if (each / run_id).is_dir()]
        return _points(place / "metrics" / key)

    def logged_models(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        for meta in sorted((self._experiment(experiment_id) / _MODELS).glob(f"m-*/{_META}")):
            facts = self._read(meta.parent)
            if facts.get("lifecycle_stage", "active") != "active":
                continue
            info = {
                **facts,
                "creation_timestamp_ms": facts["creation_timestamp"],
                "artifact_uri": facts["artifact_location"],
                "status": _LOGGED_STATUS.get(facts["status"], "LOGGED_MODEL_PENDING"),
                "tags": pairs(_texts(meta.parent / "tags")),
            }
            params = pairs(_texts(meta.parent / "params"))
            metrics = list(_model_metrics(meta.parent, facts))
            yield {"info": info, "data": {"params": params, "metrics": metrics}}

    def registered_models(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for meta in sorted((self._folder / _MODELS).glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            aliases = facts.get("aliases") or _texts(meta.parent / "aliases")
            yield {
                "name": facts["name"],
                "description": facts.get("description") or "",
                "tags": pairs(_texts(meta.parent / "tags")),
                "aliases": [{"alias": a, "version": str(v)} for a, v in dict(aliases).items()],
            }

    def versions(self, name: str) -> Sequence[Entry]:
        """See MlflowSource."""
        found = []
        for meta in (self._folder / _MODELS / name).glob(f"version-*/{_META}"):
            facts = self._read(meta.parent)
            if facts.get("current_stage") != "Deleted_Internal":
                tags = pairs(_texts(meta.parent / "tags"))
                found.append({**facts, "version": str(facts["version"]), "tags": tags})
        return sorted(found, key=lambda each: int(each["version"]))

    def files(self, uri: str) -> Iterator[tuple[str, Fetch]]:
        """See MlflowSource."""
        return walk(local_folder(uri, self._artifacts, self._folder.parent))

    def lost(self) -> Sequence[str]:
        """See MlflowSource."""
        traces = sum(1 for _ in self._folder.glob("*/traces/*/trace_info.yaml"))
        return [f"{traces} traces"] if traces else []

    def _run(self, place: Path, facts: Entry) -> Entry:
        metrics = []
        for key in _names(place / "metrics"):
            points = _points(place / "metrics" / key)
            if points:
                at, step, value = max(points, key=lambda p: (p[1], p[0]))
                last = {"key": key, "value": number(value), "timestamp": at, "step": step}
                metrics.append({**last, "count": len(points)})
        info = compact(
            run_id=str(facts.get("run_id") or facts["run_uuid"]),
            run_name=facts.get("run_name"),
            user_id=facts.get("user_id"),
            status=_STATUS.get(facts.get("status", 3), "FINISHED"),
            start_time=facts.get("start_time"),
            end_time=facts.get("end_time"),
            artifact_uri=facts.get("artifact_uri"),
            lifecycle_stage=facts.get("lifecycle_stage"),
        )
        data = {
            "metrics": metrics,
            "params": pairs(_texts(place / "params")),
            "tags": pairs(_texts(place / "tags")),
        }
        return {"info": info, "data": data, **self._sides(place)}

    def _sides(self, place: Path) -> Entry:
        datasets, read = [], []
        for meta in sorted((place / "inputs").glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            if facts.get("source_type") != "DATASET":
                read.append({"model_id": str(facts.get("destination_id") or facts["source_id"])})
                continue
            found = place.parent / "datasets" / str(facts["source_id"])
            if (found / _META).is_file():
                tags = pairs({k: str(v) for k, v in dict(facts.get("tags") or {}).items()})
                datasets.append({"dataset": compact(**self._read(found)), "tags": tags})
        made = []
        for meta in sorted((place / "outputs").glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            made.append({"model_id": meta.parent.name, "step": int(facts.get("step") or 0)})
        return {
            "inputs": {"dataset_inputs": datasets, "model_inputs": read},
            "outputs": {"model_outputs": made},
        }

    def _experiment_folders(self) -> list[Path]:
        found = [meta.parent for meta in self._folder.glob(f"*/{_META}")]
        found += [meta.parent for meta in (self._folder / _TRASH).glob(f"*/{_META}")]
        return sorted(found)

    def _experiment(self, experiment_id: str) -> Path:
        places = (self._folder / experiment_id, self._folder / _TRASH / experiment_id)
        return next(place for place in places if place.is_dir())

    def _read(self, place: Path) -> Entry:
        text = (place / _META).read_text(encoding="utf-8")
        return dict(self._yaml.safe_load(text) or {})


def _names(folder: Path) -> list[str]:
    """Return the names of files, which may have slashes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _texts(folder: Path) -> dict[str, str]:
    return {name: (folder / name).read_text(encoding="utf-8") for name in _names(folder)}


def _points(file: Path) -> list[tuple[int, int, float]]:
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if len(words) >= 2:  # noqa: PLR2004 - time and value; the first versions had no step
            step = int(words[2]) if len(words) > 2 else 0  # noqa: PLR2004 - the same
            found.append((int(words[0]), step, float(words[1])))
    return found


def _model_metrics(place: Path, facts: Any) -> Iterator[Entry]:
    for key in _names(place / "metrics"):
        for line in (place / "metrics" / key).read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) < 4:  # noqa: PLR2004 - time, value, step, run
                continue
            value = float(words[1])
            yield compact(
                key=key,
                value=number(value),
                timestamp=int(words[0]),
                step=int(words[2]),
                run_id=words[3],
                model_id=str(facts["model_id"]),
                dataset_name=words[4] if len(words) > _CONTEXT else None,
                dataset_digest=words[5] if len(words) > _CONTEXT else None,
            )
