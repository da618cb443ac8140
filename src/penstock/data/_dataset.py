"""Data sets: the versions of a source's rows over all readings, and the rows of a version."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.core import (
    ArtifactRecord,
    NotFoundError,
    ParameterError,
    PenstockError,
    SnapshotRecord,
    did_you_mean,
    require_label,
    require_type,
    to_json,
)
from penstock.data._schema import Schema
from penstock.data._snapshot import Snapshot
from penstock.stores import Store, open_store

_NAME = re.compile(r"[^-/@\x00-\x1f\x7f][^/@\x00-\x1f\x7f]*")
_REF = re.compile(r"(?P<name>.+?)(?:@(?P<number>\d+))?")


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """Rows of a data set that were read, once or several times.

    Args:
        dataset: Name of the data set: that of the source.
        number: From 1, in the order in which the rows were first read.
        rows: Number of rows.
        ordered_digest: Digest of the rows in order: the identity of a version.
        order_free_digest: Digest of the rows as a multiset.
        schema: The columns.
        first_at: Time of the first reading.
        last_at: Time of the last reading.
        readings: Number of readings.
        run_ids: Runs that read the version, oldest first.
        read: Facts of the last reading: window, versions, offsets.
    """

    dataset: str
    number: int
    rows: int
    ordered_digest: str
    order_free_digest: str
    schema: Schema
    first_at: datetime
    last_at: datetime
    readings: int
    run_ids: tuple[str, ...]
    read: Mapping[str, Any]

    @property
    def ref(self) -> str:
        """``name@number``."""
        return f"{self.dataset}@{self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return the version as plain JSON."""
        return {
            "dataset": self.dataset,
            "version": self.number,
            "rows": self.rows,
            "columns": len(self.schema.columns),
            "ordered_digest": self.ordered_digest,
            "order_free_digest": self.order_free_digest,
            "first_at": to_json(self.first_at),
            "last_at": to_json(self.last_at),
            "readings": self.readings,
            "run_ids": list(self.run_ids),
            "read": to_json(self.read),
            "schema": self.schema.to_json()["columns"],
        }


@dataclass(frozen=True, slots=True)
class Dataset:
    """A named table with its versions, oldest first; never empty.

    Args:
        name: Name of the source.
        versions: Different rows that were read.
    """

    name: str
    versions: tuple[DatasetVersion, ...]

    @property
    def latest(self) -> DatasetVersion:
        """The version of the last reading."""
        return max(self.versions, key=lambda version: (version.last_at, version.number))

    def version(self, number: int) -> DatasetVersion:
        """Return a version by number.

        Raises:
            NotFoundError: If there is no such version.
        """
        if 0 < number <= len(self.versions):
            return self.versions[number - 1]
        raise NotFoundError(
            what=f"{self.name} has no version {number}.",
            why=f"It has the versions 1 to {len(self.versions)}."
            if len(self.versions) > 1
            else "Its only version is 1.",
            fix=f"List them: penstock data show {self.name}",
        )


def require_dataset_name(name: str) -> None:
    """Check that a data set can be named: in ``name@version``, on a command line, in an address.

    >>> require_dataset_name("rides 2026")

    Raises:
        ParameterError: If there is none.
    """
    require_label(name, "data set")
    if _NAME.fullmatch(name) and name not in {".", ".."}:
        return
    raise ParameterError(
        what=f"{name!r:.80} is no name for a data set.",
        why="name@2 is a version of a data set, and the name is a part of addresses and commands.",
        fix='Give the source name=: letters, digits, blanks, "-", "_" and ".", not beginning with "-".',
        name=name,
    )


def list_datasets(*, store: Store | str | None = None) -> list[Dataset]:
    """List the data sets that were ingested, in order of name.

    Args:
        store: Store of the runs; by default the project's store.
    """
    store = open_store(store)
    return [_dataset(store, name) for name in store.metadata.artifacts.list_sources()]


def get_dataset(name: str, *, store: Store | str | None = None) -> Dataset:
    """Return a data set.

    Args:
        name: Name of the source.
        store: Store of the runs; by default the project's store.

    Raises:
        NotFoundError: If nothing of that name was ingested, with did-you-mean.
    """
    store = open_store(store)
    known = store.metadata.artifacts.list_sources()
    if name in known:
        return _dataset(store, name)
    raise NotFoundError(
        what=f"There is no data set {name!r}.",
        fix=did_you_mean(name, list(known)) if known else "Run a pipeline that ingests a source.",
        name=name,
    )


def get_dataset_version(ref: str, *, store: Store | str | None = None) -> DatasetVersion:
    """Return a version of a data set: ``name@number``, or ``name`` for the last reading.

    Raises:
        NotFoundError: If there is no such data set or version.
    """
    require_type("ref", ref, str, 'Give "name@number" or "name".')
    match = _REF.fullmatch(ref)
    name, number = (match["name"], match["number"]) if match else (ref, None)
    dataset = get_dataset(name, store=store)
    return dataset.latest if number is None else dataset.version(int(number))


def load_snapshot(version: DatasetVersion | str, *, store: Store | str | None = None) -> Snapshot:
    """Return the rows of a version, from the run that read them last.

    Args:
        version: A version, or ``name@number``, or ``name`` for the last reading.
        store: Store of the runs; by default the project's store.

    Raises:
        NotFoundError: If there is no such version, or no run has the rows any more.
    """
    store = open_store(store)
    if not isinstance(version, DatasetVersion):
        version = get_dataset_version(version, store=store)
    for run_id in reversed(version.run_ids):
        for record in _snapshots_of(store, run_id):
            try:
                value = store.load(record)
            except PenstockError:
                continue  # deleted bytes; another run may have the rows
            if isinstance(value, Snapshot) and value.ordered_digest == version.ordered_digest:
                return value
    raise NotFoundError(
        what=f"The rows of {version.ref} are no longer in the store.",
        why="The runs that read them were deleted, or their bytes were collected.",
        fix="Ingest them again; `penstock data show` says what was read.",
        version=version.ref,
    )


def last_reading(store: Store, name: str) -> Snapshot | None:
    """Return the rows of a data set's last reading; None where the store has none."""
    last = store.metadata.artifacts.last_snapshot(name)
    if last is None or last.run_id is None:
        return None
    for record in _snapshots_of(store, last.run_id):
        try:
            value = store.load(record)
        except PenstockError:
            continue  # deleted bytes: everything is read and stored again
        if isinstance(value, Snapshot) and value.ordered_digest == last.ordered_digest:
            return value
    return None


def list_versions(store: Store, name: str) -> tuple[DatasetVersion, ...]:
    """Return the versions of a data set, oldest first; none without an ingestion."""
    return _dataset(store, name).versions


def _dataset(store: Store, name: str) -> Dataset:
    versions: dict[str, list[SnapshotRecord]] = {}
    for record in store.metadata.artifacts.list_snapshots(name):
        versions.setdefault(record.ordered_digest, []).append(record)
    numbered = enumerate(versions.values(), 1)
    return Dataset(name, tuple(_version(name, number, records) for number, records in numbered))


def _version(name: str, number: int, records: Sequence[SnapshotRecord]) -> DatasetVersion:
    last = records[-1]
    return DatasetVersion(
        name,
        number,
        last.rows,
        last.ordered_digest,
        last.order_free_digest,
        Schema.from_json(last.schema),
        records[0].at,
        last.at,
        len(records),
        tuple(dict.fromkeys(record.run_id for record in records if record.run_id)),
        last.read,
    )


def _snapshots_of(store: Store, run_id: str) -> Iterable[ArtifactRecord]:
    """Return the artifacts of a run that may be snapshots."""
    try:
        steps = store.metadata.steps.list(run_id)
    except NotFoundError:
        return
    for step in steps:
        for name, digest in step.outputs.items():
            try:
                record = store.metadata.artifacts.get(step.output_address(name), digest)
            except NotFoundError:
                continue
            if record.type_name.endswith("Snapshot"):
                yield record
