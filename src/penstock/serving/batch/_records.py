"""RecordedBatch: a batch of predictions as recorded by the run; listed, and shown with all facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from penstock.core import NotFoundError, RunRecord
from penstock.stores import Store, open_store

EXPERIMENT = "predictions"
MANIFEST = "batch.json"
_COUNTS = ("predicted", "refused", "warned")
_TAG = "tags.batch = 'predict'"


@dataclass(frozen=True)
class RecordedBatch:
    """A batch of predictions.

    Args:
        run: Record of the batch's run.
        manifest: Read and written files, part by part; empty in lists, and if the batch has not
            finished.
    """

    run: RunRecord
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def batch_id(self) -> str:
        """Id of the batch: the id of the run; a prediction's id is this and the row's number."""
        return self.run.run_id

    @property
    def version(self) -> str:
        """The version that answered, ``model@version``."""
        return str(self.run.params.get("model", ""))

    @property
    def data(self) -> str:
        """Name of the source."""
        return str(self.run.params.get("data", ""))

    @property
    def out(self) -> str:
        """Path or URL of the predictions."""
        return str(self.run.params.get("out", ""))

    @property
    def state(self) -> str:
        """State of the run: running, finished, failed or killed."""
        return self.run.state.value

    @property
    def started_at(self) -> datetime | None:
        """Start of the batch."""
        return self.run.started_at

    @property
    def seconds(self) -> float | None:
        """Duration of the run; None before the end."""
        if self.run.started_at is None or self.run.ended_at is None:
            return None
        return (self.run.ended_at - self.run.started_at).total_seconds()

    @property
    def counts(self) -> dict[str, int | None]:
        """Number of rows ``predicted``, ``refused`` and ``warned``; None before the end."""
        known = self.run.metrics
        return {name: int(known[name].last) if name in known else None for name in _COUNTS}

    def to_json(self) -> dict[str, Any]:
        """Return the batch as plain JSON."""
        return {
            "batch_id": self.batch_id,
            "version": self.version,
            "state": self.state,
            "data": self.data,
            "out": self.out,
            **self.counts,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "seconds": self.seconds,
            "error": self.run.error,
            **({"manifest": dict(self.manifest)} if self.manifest else {}),
        }


def list_batches(
    model: str | None = None, *, limit: int = 50, store: Store | str | None = None
) -> list[RecordedBatch]:
    """List batches of predictions, newest first.

    Args:
        model: Name of a model, or ``model@version``; by default of all models.
        limit: Page size.
        store: A store or a store URL; by default the project's.
    """
    opened = open_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    name, _, number = (model or "").partition("@")
    wanted = [_TAG, *([f"tags.model = '{_quoted(name)}'"] if name else [])]
    wanted += [f"tags.version = '{_quoted(number)}'"] if number else []
    runs = opened.metadata.runs.search(" and ".join(wanted), limit=limit, experiment=EXPERIMENT)
    return [RecordedBatch(run) for run in runs]


def get_batch(batch_id: str, *, store: Store | str | None = None) -> RecordedBatch:
    """Return a batch of predictions with all recorded facts.

    Args:
        batch_id: Id of the batch or a unique prefix, the id of a prediction in the batch, or
            ``last``.
        store: A store or a store URL; by default the project's.

    Raises:
        NotFoundError: If there is no such batch.
    """
    opened = open_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    if batch_id == "last":
        newest = list_batches(limit=1, store=opened)
        if not newest:
            raise NotFoundError(
                what="There is no batch of predictions.",
                fix="Predict one: penstock predict MODEL --data SOURCE --out TARGET",
            )
        run = newest[0].run
    else:
        run = opened.metadata.runs.get(batch_id.partition("-")[0])
    if run.experiment != EXPERIMENT or run.tags.get("batch") != "predict":
        raise NotFoundError(
            what=f"Run {run.run_id} is no batch of predictions.",
            fix="List them with: penstock batches list",
            run_id=run.run_id,
        )
    logged = opened.metadata.artifacts.list(run.run_id)
    manifest = opened.load(logged[MANIFEST]) if MANIFEST in logged else {}
    return RecordedBatch(run, manifest)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
