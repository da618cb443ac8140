"""An ``mlruns`` folder: MLflow's store of files, read only."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from penstock.core import require
from penstock.server.mlflow._fields import compact, number, pairs
from penstock.server.mlflow.moving._source import Entry, ListedFile, local_folder, no_source, walk

_META, _TRASH, _MODELS = "meta.yaml", ".trash", "models"
_NO_RUNS = frozenset({_TRASH, _MODELS, "datasets", "tags", "traces"})
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
        self._places: dict[str, Path] = {}  # folders of experiments by number
        self._lost: dict[str, None] = {}  # in order, each once
        if not any(folder.glob(f"*/{_META}")):
            raise no_source(str(folder))

    @property
    def name(self) -> str:
        """See MlflowSource."""
        return str(self._folder.resolve())

    def experiments(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for folder in (self._folder, self._folder / _TRASH):
            for place in sorted(folder.iterdir()) if folder.is_dir() else ():
                if place.is_dir() and place.name not in _NO_RUNS and not (place / _META).is_file():
                    self._lose(place, f"a folder without {_META}")
        for place in self._experiment_folders():
            facts = self._read(place)
            if not {"experiment_id", "name"} <= facts.keys():
                self._lose(place / _META, "it names no experiment")
                continue
            number = str(facts["experiment_id"])
            if number in self._places:
                self._lose(place, f"another folder has the experiment's number, {number}")
                continue
            self._places[number] = place
            gone = place.parent.name == _TRASH
            yield {
                **facts,
                "experiment_id": number,
                "lifecycle_stage": "deleted" if gone else facts.get("lifecycle_stage", "active"),
                "tags": pairs(self._texts(place / "tags")),
            }

    def runs(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        place = self._places[experiment_id]
        for folder in sorted(each for each in place.iterdir() if each.is_dir()):
            meta = folder / _META
            if folder.name in _NO_RUNS:
                continue
            if not meta.is_file():
                self._lose(folder, f"a folder without {_META}")
                continue
            facts = self._read(meta.parent)
            if "run_id" not in facts and "run_uuid" not in facts:
                self._lose(meta, "it names no run")
                continue
            yield self._run(meta.parent, facts)

    def history(self, run_id: str, key: str) -> Sequence[tuple[int, int, float]]:
        """See MlflowSource."""
        places = [each / run_id for each in self._experiment_folders() if (each / run_id).is_dir()]
        return [point for place in places for point in self._points(place / "metrics" / key)]

    def logged_models(self, experiment_id: str) -> Iterator[Entry]:
        """See MlflowSource."""
        for meta in sorted((self._places[experiment_id] / _MODELS).glob(f"m-*/{_META}")):
            facts = self._read(meta.parent)
            if facts.get("lifecycle_stage", "active") != "active":
                self._lose(meta, "the logged model is deleted there")
                continue
            if not {"model_id", "name", "creation_timestamp", "artifact_location"} <= facts.keys():
                self._lose(meta, "it names no logged model")
                continue
            info = {
                **facts,
                "creation_timestamp_ms": facts["creation_timestamp"],
                "artifact_uri": facts["artifact_location"],
                "status": _LOGGED_STATUS.get(facts.get("status", 0), "LOGGED_MODEL_PENDING"),
                "tags": pairs(self._texts(meta.parent / "tags")),
            }
            params = pairs(self._texts(meta.parent / "params"))
            metrics = list(self._model_metrics(meta.parent, facts))
            yield {"info": info, "data": {"params": params, "metrics": metrics}}

    def registered_models(self) -> Iterator[Entry]:
        """See MlflowSource."""
        for meta in sorted((self._folder / _MODELS).glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            if "name" not in facts:
                self._lose(meta, "it names no model")
                continue
            aliases = facts.get("aliases") or self._texts(meta.parent / "aliases")
            yield {
                "name": facts["name"],
                "description": facts.get("description") or "",
                "creation_timestamp": facts.get("creation_timestamp"),
                "tags": pairs(self._texts(meta.parent / "tags")),
                "aliases": [{"alias": a, "version": str(v)} for a, v in dict(aliases).items()],
            }

    def versions(self, name: str) -> Sequence[Entry]:
        """See MlflowSource."""
        found = []
        for meta in (self._folder / _MODELS / name).glob(f"version-*/{_META}"):
            facts = self._read(meta.parent)
            if "version" not in facts:
                self._lose(meta, "it names no version")
                continue
            if facts.get("current_stage") != "Deleted_Internal":
                tags = pairs(self._texts(meta.parent / "tags"))
                found.append({**facts, "version": str(facts["version"]), "tags": tags})
        return sorted(found, key=lambda each: int(each["version"]))

    def files(self, uri: str) -> Iterator[ListedFile]:
        """See MlflowSource."""
        return walk(local_folder(uri, self._artifacts, self._folder.parent))

    def lost(self) -> Sequence[str]:
        """See MlflowSource."""
        traces = sum(1 for _ in self._folder.glob("*/traces/*/trace_info.yaml"))
        return [*self._lost, *([f"{traces} traces"] if traces else [])]

    def _run(self, place: Path, facts: Entry) -> Entry:
        metrics = []
        for key in _names(place / "metrics"):
            points = self._points(place / "metrics" / key)
            if points:
                at, step, value = max(points, key=lambda p: (p[1], p[0]))
                last = {"key": key, "value": number(value), "timestamp": at, "step": step}
                metrics.append({**last, "count": len(points)})
        info = compact(
            run_id=str(facts.get("run_id") or facts["run_uuid"]),
            run_name=facts.get("run_name"),
            user_id=facts.get("user_id"),
            status=_STATUS.get(facts.get("status", 3), str(facts.get("status"))),
            start_time=facts.get("start_time"),
            end_time=facts.get("end_time"),
            artifact_uri=facts.get("artifact_uri"),
            lifecycle_stage=facts.get("lifecycle_stage"),
        )
        data = {
            "metrics": metrics,
            "params": pairs(self._texts(place / "params")),
            "tags": pairs(self._texts(place / "tags")),
        }
        return {"info": info, "data": data, **self._sides(place)}

    def _sides(self, place: Path) -> Entry:
        datasets, read = [], []
        for meta in sorted((place / "inputs").glob(f"*/{_META}")):
            facts = self._read(meta.parent)
            if "source_id" not in facts:
                self._lose(meta, "it names no input")
                continue
            if facts.get("source_type") != "DATASET":
                read.append({"model_id": str(facts.get("destination_id") or facts["source_id"])})
                continue
            dataset = self._read(place.parent / "datasets" / str(facts["source_id"]))
            if {"name", "digest"} <= dataset.keys():
                tags = pairs({k: str(v) for k, v in dict(facts.get("tags") or {}).items()})
                datasets.append({"dataset": compact(**dataset), "tags": tags})
            else:
                self._lose(meta, "its dataset is not there")
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

    def _read(self, place: Path) -> Entry:
        """Return the facts of a folder; none, and a sentence on it, if they cannot be read."""
        file = place / _META
        try:
            found = self._yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, self._yaml.YAMLError) as error:
            self._lose(file, " ".join(str(error).split()))
            return {}
        return dict(found) if isinstance(found, dict) else {}

    def _texts(self, folder: Path) -> dict[str, str]:
        found = {}
        for name in _names(folder):
            try:
                found[name] = (folder / name).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                self._lose(folder / name, str(error))
        return found

    def _points(self, file: Path) -> list[tuple[int, int, float]]:
        """Read a metric's lines of time, value and step; the first versions of MLflow had no step."""
        found = []
        for line, words in self._lines(file):
            try:
                step = int(words[2]) if len(words) > 2 else 0  # noqa: PLR2004 - the third word
                found.append((int(words[0]), step, float(words[1])))
            except (ValueError, IndexError):
                self._lose(file, f"line {line}, {' '.join(words)[:60]!r}, is no point")
        return found

    def _model_metrics(self, place: Path, facts: Entry) -> Iterator[Entry]:
        for key in _names(place / "metrics"):
            for line, words in self._lines(place / "metrics" / key):
                try:
                    at, value, step, run = int(words[0]), float(words[1]), int(words[2]), words[3]
                except (ValueError, IndexError):
                    why = f"line {line}, {' '.join(words)[:60]!r}, is no point"
                    self._lose(place / "metrics" / key, why)
                    continue
                yield compact(
                    key=key,
                    value=number(value),
                    timestamp=at,
                    step=step,
                    run_id=run,
                    model_id=str(facts["model_id"]),
                    dataset_name=words[4] if len(words) > _CONTEXT else None,
                    dataset_digest=words[5] if len(words) > _CONTEXT else None,
                )

    def _lines(self, file: Path) -> Iterator[tuple[int, list[str]]]:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self._lose(file, str(error))
            return
        for line, words in enumerate(map(str.split, text.splitlines()), 1):
            if words:
                yield line, words

    def _lose(self, file: Path, why: str) -> None:
        self._lost[f"{file}: {why}"] = None


def _names(folder: Path) -> list[str]:
    """Return the names of files, which may have slashes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in files)
