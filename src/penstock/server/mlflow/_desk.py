"""Desk: the store as MLflow's protocol sees it: experiments by number, runs that may be written."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from penstock.core import (
    ConflictError,
    DocumentRecord,
    ExperimentRecord,
    NotFoundError,
    Permission,
    RunRecord,
    now,
)
from penstock.server.mlflow._errors import MlflowError, invalid, missing
from penstock.server.mlflow._kinds import EXPERIMENT
from penstock.server.mlflow._scope import is_scoped, require_in_project, scoped

if TYPE_CHECKING:
    from penstock.stores import MetadataStore, Store

DEFAULT_ID, DEFAULT_NAME = "0", "Default"
# Archived runs and deleted runs are found only by a filter that names these.
_ARCHIVED_TOO = "(archived_at is null or archived_at is not null)"
EVERY = f"(deleted_at is null or deleted_at is not null) and {_ARCHIVED_TOO}"
_ALL = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EARLIEST_MS = -62_135_596_800_000  # the beginning of the year 1
_LATEST_MS = 253_402_300_799_999  # the end of the year 9999
_KNOWN_S = 1.0  # how long a run counts as open to writing before it is looked at again
_KNOWN_RUNS = 10_000
_LOCKS = 64
_TRIES = 50


class Desk:
    """The store of an MLflow server.

    Its records are those that the present call may use; see `scoped`. Threads: any number at once.

    Args:
        store: The open store.
        scheme: Scheme of the artifact URIs that clients get; ``mlflow-artifacts`` sends them here.
    """

    def __init__(self, store: "Store", scheme: str = "mlflow-artifacts") -> None:
        self.store, self.scheme = store, scheme
        self.whole = store.metadata
        self._locks = [threading.Lock() for _ in range(_LOCKS)]
        self._open: dict[str, float] = {}
        # Step, time of the newest point by run and key: a later point is new without a look.
        self.newest: dict[tuple[str, str], tuple[int, int]] = {}
        self._begun = False

    @property
    def metadata(self) -> "MetadataStore":
        """The store as whoever has signed in may use it in this call."""
        return scoped(self.whole)

    def begin(self) -> None:
        """Make the experiment that every store of MLflow's begins with; before the first answer.

        Not when a server starts: a store that no MLflow client uses stays as it is.
        """
        if self._begun:
            return
        if not self.whole.documents.list(EXPERIMENT, keys=[DEFAULT_ID]):
            self._make_default()
        self._begun = True

    def _make_default(self) -> None:
        # It may be there; or a second server begins at the same time.
        with contextlib.suppress(ConflictError):
            self.whole.runs.create_experiment(DEFAULT_NAME)
        self.whole.documents.add([DocumentRecord(EXPERIMENT, DEFAULT_ID, DEFAULT_NAME, now(), {})])

    def lock(self, name: str) -> threading.Lock:
        """Return a lock for reading and writing a thing; several things share one."""
        return self._locks[hash(name) % _LOCKS]

    # Experiments

    def experiment_name(self, experiment_id: str) -> str:
        """Return the name of an experiment by its number."""
        return self._numbered(experiment_id).owner

    def experiment(self, experiment_id: str) -> tuple[ExperimentRecord, DocumentRecord]:
        """Return an experiment with the document of its number, deleted or not."""
        document = self._numbered(experiment_id)
        record = self.find_experiment(document.owner)
        if record is None:
            raise missing(f"No Experiment with id={experiment_id} exists")
        return record, document

    def _numbered(self, experiment_id: str) -> DocumentRecord:
        found = self.metadata.documents.list(EXPERIMENT, keys=[experiment_id])
        if found:
            return found[0]
        if experiment_id == DEFAULT_ID:  # every client knows it: it is refused for its project
            require_in_project(Permission.READ, DEFAULT_NAME, self.whole)
        raise missing(f"No Experiment with id={experiment_id} exists")

    def find_experiment(self, name: str) -> ExperimentRecord | None:
        """Return an experiment by name, deleted or not; None if there is none."""
        found = self.metadata.runs.search_experiments(f"name = {quote(name)} and {EVERY}", limit=1)
        return found[0] if found else None

    def number(self, name: str) -> str:
        """Return the number of an experiment; one of penstock's own gets its number here."""
        found = self.whole.documents.list(EXPERIMENT, owners=[name])
        return found[0].key if found else self._assign(name)

    def numbers(self) -> dict[str, DocumentRecord]:
        """Return the documents of all experiments by name; each has a number then."""
        found = {each.owner: each for each in self.metadata.documents.list(EXPERIMENT)}
        unknown = [n for n in self.metadata.runs.list_experiments() if n not in found]
        for name in unknown:
            self._assign(name)
        if not unknown:
            return found
        return {each.owner: each for each in self.metadata.documents.list(EXPERIMENT)}

    def _assign(self, name: str) -> str:
        with self.lock(EXPERIMENT):
            known = self.whole.documents.list(EXPERIMENT)
            for each in known:
                if each.owner == name:
                    return each.key
            number = max((int(each.key) for each in known), default=0)
            for _ in range(_TRIES):  # another server may take a number at the same time
                number += 1
                document = DocumentRecord(EXPERIMENT, str(number), name, now(), {})
                if self.whole.documents.add([document])[0]:
                    return document.key
        raise MlflowError("TEMPORARILY_UNAVAILABLE", "No number was free for the experiment.")

    # Runs

    def run(self, run_id: str) -> RunRecord:
        """Return a run by its whole id, deleted or not."""
        try:
            found = self.metadata.runs.get(run_id)
        except NotFoundError:
            found = None
        if found is None or found.run_id != run_id:  # a beginning of an id is none
            raise missing(f"Run with id={run_id} not found")
        return found

    def is_deleted(self, run: RunRecord) -> bool:
        """Return whether a run, or its experiment, is deleted."""
        return run.deleted_at is not None or bool(self.deleted_experiments([run.experiment]))

    def deleted_experiments(self, names: Iterable[str]) -> set[str]:
        """Return which of these experiments are deleted; cheap, as it counts no runs."""
        listed = ", ".join(map(quote, sorted(set(names))))
        if not listed:
            return set()
        text = f"name in ({listed}) and deleted_at is not null and {_ARCHIVED_TOO}"
        return {each.name for each in self.metadata.runs.search_experiments(text, limit=_ALL)}

    def require_open(self, run_id: str) -> None:
        """Check that a run may be written.

        Raises:
            MlflowError: If there is none, or it or its experiment is deleted.
        """
        moment = time.monotonic()
        # Who may use a part of the store only is checked each time: others opened the run.
        is_known = self._open.get(run_id, 0.0) > moment
        if is_known and not is_scoped(self.whole):
            return
        if self.is_deleted(self.run(run_id)):
            raise invalid(f"The run {run_id} must be in 'active' state, but it is deleted.")
        if len(self._open) > _KNOWN_RUNS:
            self._open.clear()
        self._open[run_id] = moment + _KNOWN_S

    def forget_open(self) -> None:
        """Look at every run again before the next write: something was deleted."""
        self._open.clear()

    # Documents

    def find(self, kind: str, key: str) -> DocumentRecord | None:
        """Return a document; None if there is none."""
        found = self.metadata.documents.list(kind, keys=[key])
        return found[0] if found else None

    def change(
        self, kind: str, key: str, edit: Callable[[dict[str, Any]], Mapping[str, Any]]
    ) -> DocumentRecord:
        """Change a document; repeated if someone else changed it at the same time."""
        for _ in range(_TRIES):
            found = self.metadata.documents.get(kind, key)
            changed = replace(found, body=edit(dict(found.body)))
            try:
                return self.metadata.documents.save(changed, expected_revision=found.revision)
            except ConflictError:
                continue
        raise MlflowError("TEMPORARILY_UNAVAILABLE", f"{key} is changed too often at once.")


def quote(text: str) -> str:
    """Return a text as penstock's filters write it.

    >>> quote("it's")
    "'it''s'"
    """
    return "'" + text.replace("'", "''") + "'"


def to_ms(moment: datetime | None) -> int | None:
    """Return a time as MLflow writes it."""
    return None if moment is None else (moment - _EPOCH) // _MILLISECOND


def from_ms(value: int, name: str) -> datetime:
    """Return MLflow's form of a time as a time."""
    if not _EARLIEST_MS <= value <= _LATEST_MS:
        raise invalid(f"Invalid value {value} for parameter '{name}' supplied: it is no time.")
    return _EPOCH + value * _MILLISECOND
