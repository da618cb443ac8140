"""What is still needed of a store, and removing what is not; the SQL of ``penstock gc``."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.stores._json import load_json
from penstock.stores.metadata._artifacts import ARTIFACTS
from penstock.stores.metadata._database import Database, Transaction

_MANY = 500
_STEP_COLUMNS = "SELECT inputs, outputs, addresses, facts FROM step_runs"
# The rows of a run that no foreign key removes with it.
_OF_RUN = (
    (
        "DELETE FROM step_logs WHERE step_run_id IN"
        " (SELECT step_run_id FROM step_runs WHERE run_id = ?)"
    ),
    (
        "DELETE FROM edges WHERE source IN"
        " (SELECT 'step:' || step_run_id FROM step_runs WHERE run_id = ?)"
    ),
    (
        "DELETE FROM edges WHERE target IN"
        " (SELECT 'step:' || step_run_id FROM step_runs WHERE run_id = ?)"
    ),
    "DELETE FROM edges WHERE source = 'run:' || ?",
    "DELETE FROM edges WHERE target = 'run:' || ?",
    "DELETE FROM step_logs WHERE step_run_id = ?",
    "DELETE FROM metric_chunks WHERE run_id = ?",
    "DELETE FROM runs WHERE run_id = ?",
)
# A name is free again once nothing has it.
_EMPTY = (
    (
        "DELETE FROM experiment_tags WHERE experiment IN (SELECT name FROM experiments"
        " WHERE name NOT IN (SELECT experiment FROM runs) AND note = '')"
    ),
    "DELETE FROM experiments WHERE name NOT IN (SELECT experiment FROM runs) AND note = ''",
)


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that may go.

    Args:
        run_id: The run.
        name: What people call it.
        experiment: Its experiment.
        why: Why it may go.
    """

    run_id: str
    name: str
    experiment: str
    why: str


class Garbage:
    """Marks and removes; see penstock.stores.upkeep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old_runs(self, deleted_before: int, *, keep_last: int | None) -> list[OldRun]:
        """Find runs that may go: deleted for long, or beyond the newest of their experiment.

        A run that made a registered version stays, whatever its age: the version's lineage ends in
        it. A run that is going on stays as well.
        """
        needed = (
            "state NOT IN ('queued', 'running') AND NOT EXISTS"
            " (SELECT 1 FROM model_versions v WHERE v.run_id = runs.run_id)"
        )
        with self._database.read() as transaction:
            deleted = transaction.execute(
                "SELECT run_id, name, experiment FROM runs"
                f" WHERE deleted_at IS NOT NULL AND deleted_at < ? AND {needed} ORDER BY id",
                (deleted_before,),
            ).fetchall()
            found = {row[0]: OldRun(row[0], row[1], row[2], "deleted") for row in deleted}
            if keep_last is not None:
                rows = transaction.execute(
                    "SELECT run_id, name, experiment FROM (SELECT runs.*, ROW_NUMBER() OVER"
                    " (PARTITION BY experiment ORDER BY created_at DESC, id DESC) AS place"
                    " FROM runs WHERE deleted_at IS NULL) AS runs"
                    f" WHERE place > ? AND {needed} ORDER BY id",
                    (keep_last,),
                ).fetchall()
                why = f"beyond the newest {keep_last}"
                found |= {
                    row[0]: OldRun(row[0], row[1], row[2], why)
                    for row in rows
                    if row[0] not in found
                }
        return list(found.values())

    def needed(self, without: Iterable[str] = ()) -> "tuple[set[str], set[str]]":
        """Give the digests that something names, and the manifests among them.

        Args:
            without: Runs that count as gone.
        """
        gone = set(without)
        with self._database.read() as transaction:
            manifests = {
                digest
                for run_id, digest in _rows(transaction, "SELECT run_id, provenance FROM runs")
                if digest is not None and run_id not in gone
            }
            named = set(_named(transaction, gone))
        return named | manifests, manifests

    def artifacts(self) -> Iterator[Any]:
        """Give every recorded artifact."""
        with self._database.read() as transaction:
            yield from map(ARTIFACTS.read, _rows(transaction, ARTIFACTS.select))

    def remove_runs(self, run_ids: Sequence[str]) -> None:
        """Remove runs with all that is theirs, each in one transaction."""
        for run_id in run_ids:
            with self._database.write() as transaction:
                for statement in _OF_RUN:
                    transaction.execute(statement, (run_id,))
        with self._database.write() as transaction:
            for statement in _EMPTY:
                transaction.execute(statement)

    def remove_artifacts(self, keys: Sequence[tuple[str, str]]) -> None:
        """Remove records of artifacts, by digest and content digest."""
        with self._database.write() as transaction:
            transaction.executemany(
                "DELETE FROM artifacts WHERE digest = ? AND content_digest = ?", keys
            )

    def recorded(self, digests: Sequence[str]) -> set[str]:
        """Say which of these stored digests are recorded."""
        found: set[str] = set()
        with self._database.read() as transaction:
            for part in (digests[i : i + _MANY] for i in range(0, len(digests), _MANY)):
                marks = ", ".join("?" * len(part))
                sql = f"SELECT DISTINCT digest FROM artifacts WHERE digest IN ({marks})"
                found.update(row[0] for row in transaction.execute(sql, part).fetchall())
        return found


def _rows(transaction: Transaction, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    return transaction.execute(sql, values).fetchall()


def _named(transaction: Transaction, gone: set[str]) -> Iterator[str]:
    for run_id, digest, content in _rows(
        transaction, "SELECT run_id, digest, content_digest FROM run_artifacts"
    ):
        if run_id not in gone:
            yield from (digest, content)
    runs = [row[0] for row in _rows(transaction, "SELECT run_id FROM runs")]
    for run_id in runs:
        if run_id in gone:
            continue
        for row in _rows(transaction, f"{_STEP_COLUMNS} WHERE run_id = ?", (run_id,)):
            yield from _of_step(*map(load_json, row))
    for row in _rows(
        transaction, "SELECT artifact, content_digest, report, profile, card FROM model_versions"
    ):
        yield from (digest for digest in row if digest is not None)
    for table, column in (("reports", "artifact"), ("alerts", "report")):
        for (digest,) in _rows(transaction, f"SELECT {column} FROM {table}"):
            if digest is not None:
                yield digest


def _of_step(inputs: Any, outputs: Any, addresses: Any, facts: Any) -> Iterator[str]:
    yield from inputs.values()
    yield from outputs.values()
    yield from addresses.keys()
    yield from addresses.values()
    yield from facts.get("stored", ())
