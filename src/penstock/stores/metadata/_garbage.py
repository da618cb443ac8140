"""References to the contents of a store, and removal without references; SQL of ``penstock gc``."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.stores.metadata._artifacts import ARTIFACTS, ARTIFACTS_GO
from penstock.stores.metadata._codec import pack_json, unpack_json
from penstock.stores.metadata._database import Database, Transaction

_MANY = 500
_STEP_COLUMNS = "SELECT inputs, outputs, addresses, facts FROM step_runs"
# Of step outputs, small values and reports stay forever: people look at them.
_LARGE = (
    "SELECT digest, content_digest FROM artifacts"
    " WHERE inline IS NULL AND type_name NOT LIKE '%Report'"
)
LET_GO = "let_go"  # the fact of a step that names its removed outputs
# Conditions for removing a run, checked again at removal: it may have been restored or resumed.
_IDLE = (
    "state NOT IN ('queued', 'running') AND NOT EXISTS"
    " (SELECT 1 FROM model_versions v WHERE v.run_id = runs.run_id)"
)
_DELETED = "(deleted_at < ? OR experiment IN (SELECT name FROM experiments WHERE deleted_at < ?))"
# The steps that a version's run reused: the lineage continues in the runs that executed them.
_REUSED = (
    "SELECT DISTINCT made.run_id FROM model_versions v"
    " JOIN step_runs used ON used.run_id = v.run_id AND used.cached_from IS NOT NULL"
    " JOIN step_runs made ON made.step_run_id = used.cached_from"
)
# A name is free again once unused, unless it has a note.
_EMPTY = "NOT EXISTS (SELECT 1 FROM runs WHERE experiment = experiments.name)"
_PLAIN = "NOT EXISTS (SELECT 1 FROM experiment_tags WHERE experiment = experiments.name)"


@dataclass(frozen=True, slots=True)
class OldRun:
    """A run that may be removed.

    Args:
        run_id: The run.
        name: Name of the run.
        experiment: Experiment of the run.
        why: Reason for the removal.
    """

    run_id: str
    name: str
    experiment: str
    why: str


class Garbage:
    """Search for unreferenced data and removal; see penstock.stores.upkeep."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def old_runs(self, deleted_before: int, *, keep_last: int | None) -> list[OldRun]:
        """List runs that may be removed: deleted for long, or beyond the newest of the experiment.

        Of nested runs the outermost counts, and all are removed together: a child's data belongs to
        the parent. If any of them has to stay, all stay.

        A run that produced a registered version stays, of any age: the version's lineage ends
        there; so do runs that executed a reused step of the version. A running run stays as well.
        """
        with self._database.read() as transaction:
            reused = {row[0] for row in _rows(transaction, _REUSED)}
            deleted = _rows(
                transaction,
                "SELECT run_id, name, experiment FROM runs"
                f" WHERE {_DELETED} AND {_IDLE} ORDER BY id",
                (deleted_before, deleted_before),
            )
            runs = {row[0]: OldRun(row[0], row[1], row[2], "deleted") for row in deleted}
            if keep_last is not None:
                late = _beyond(transaction, keep_last, reused)
                runs = late | runs
        return [run for run_id, run in runs.items() if run_id not in reused]

    def old_outputs(self, ended_before: int) -> list[str]:
        """List the runs whose step outputs may be removed: ended long ago, without a version.

        Runs whose outputs are gone already are not included.
        """
        with self._database.read() as transaction:
            reused = {row[0] for row in _rows(transaction, _REUSED)}
            rows = _rows(
                transaction,
                "SELECT run_id FROM runs WHERE COALESCE(ended_at, created_at) < ?"
                f" AND {_IDLE} ORDER BY id",
                (ended_before,),
            )
            large = _large(transaction)
            return [
                run_id
                for (run_id,) in rows
                if run_id not in reused and large.intersection(_of_steps(transaction, run_id))
            ]

    def let_go(self, run_ids: Iterable[str]) -> list[str]:
        """Record with each step of these runs which outputs are no longer kept for the run.

        A run that was resumed or registered meanwhile stays unchanged.
        """
        with self._database.read() as transaction:
            large = _large(transaction)
        return [run_id for run_id in run_ids if self._let_go_of(run_id, large)]

    def _let_go_of(self, run_id: str, large: set[str]) -> bool:
        with self._database.write() as transaction:
            # In the same transaction: the run may have been resumed or registered since the search.
            sql = f"SELECT 1 FROM runs WHERE run_id = ? AND {_IDLE}"
            if not _rows(transaction, sql, (run_id,)):
                return False
            steps = _rows(
                transaction,
                "SELECT step_run_id, inputs, outputs, addresses, facts FROM step_runs"
                " WHERE run_id = ?",
                (run_id,),
            )
            for step, *columns in steps:
                inputs, outputs, addresses, facts = map(unpack_json, columns)
                names = large.intersection(_values_of(inputs, outputs, addresses, facts))
                if names:
                    facts[LET_GO] = sorted({*facts.get(LET_GO, ()), *names})
                    transaction.execute(
                        "UPDATE step_runs SET facts = ? WHERE step_run_id = ?",
                        (pack_json(facts), step),
                    )
        return True

    def old_ticks(self, ended_before: int, *, delete: bool) -> int:
        """Count ticks that ended before a time, or delete them; their runs stay."""
        old = "FROM ticks WHERE ended_at < ? AND state IN ('finished', 'failed', 'missed')"
        if not delete:
            with self._database.read() as transaction:
                return int(_rows(transaction, f"SELECT COUNT(*) {old}", (ended_before,))[0][0])
        with self._database.write() as transaction:
            return transaction.execute(f"DELETE {old}", (ended_before,)).rowcount

    def needed(
        self, without: Iterable[str] = (), letting_go: Iterable[str] = ()
    ) -> "tuple[set[str], set[str]]":
        """Return all referenced digests, and the manifests among them.

        Args:
            without: Runs that count as gone.
            letting_go: Runs whose steps' large values count as gone.
        """
        gone, old = set(without), set(letting_go)
        with self._database.read() as transaction:
            manifests = {
                digest
                for run_id, digest in _rows(transaction, "SELECT run_id, provenance FROM runs")
                if digest is not None and run_id not in gone
            }
            named = set(_named(transaction, gone, old))
        return named | manifests, manifests

    def named_by(self, run_ids: Iterable[str]) -> "tuple[set[str], set[str]]":
        """Return the digests that these runs name, and the manifests among them."""
        named, manifests = set[str](), set[str]()
        with self._database.read() as transaction:
            for run_id in run_ids:
                sql = "SELECT provenance FROM runs WHERE run_id = ? AND provenance IS NOT NULL"
                manifests |= {row[0] for row in _rows(transaction, sql, (run_id,))}
                sql = "SELECT digest, content_digest FROM run_artifacts WHERE run_id = ?"
                named.update(*_rows(transaction, sql, (run_id,)))
                named.update(_of_steps(transaction, run_id))
        return named | manifests, manifests

    def artifacts(self) -> Iterator[Any]:
        """Yield every recorded artifact."""
        with self._database.read() as transaction:
            yield from map(ARTIFACTS.read, _rows(transaction, ARTIFACTS.select))

    def remove_runs(self, runs: Sequence[OldRun], deleted_before: int) -> list[OldRun]:
        """Remove runs with all their data, a transaction each; return those removed.

        A run that was restored, resumed or registered since the search stays.
        """
        gone = [run for run in runs if self._remove_run(run, deleted_before)]
        names = sorted({run.experiment for run in gone})
        with self._database.write() as transaction:
            sql = f"DELETE FROM experiments WHERE name = ? AND note = '' AND {_EMPTY} AND {_PLAIN}"
            transaction.executemany(sql, [(name,) for name in names])
            sql = f"DELETE FROM experiments WHERE deleted_at < ? AND {_EMPTY}"
            transaction.execute(sql, (deleted_before,))
            transaction.execute(
                "DELETE FROM experiment_tags WHERE experiment NOT IN (SELECT name FROM experiments)"
            )
        return gone

    def _remove_run(self, run: OldRun, deleted_before: int) -> bool:
        key = (run.run_id,)
        why, values = ("deleted_at IS NULL", ()) if run.why != "deleted" else (
            _DELETED, (deleted_before, deleted_before))  # fmt: skip
        with self._database.write() as transaction:
            steps = [
                row[0]
                for row in _rows(
                    transaction, "SELECT step_run_id FROM step_runs WHERE run_id = ?", key
                )
            ]
            # Rows with a foreign key to the run are removed with it.
            sql = f"DELETE FROM runs WHERE run_id = ? AND {why} AND {_IDLE}"
            if not transaction.execute(sql, (*key, *values)).rowcount:
                return False
            transaction.execute("DELETE FROM metric_chunks WHERE run_id = ?", key)
            # The output of a run outside of steps is stored under the run's id.
            logs = [key, *((step,) for step in steps)]
            transaction.executemany("DELETE FROM step_logs WHERE step_run_id = ?", logs)
            nodes = [(f"run:{run.run_id}",), *((f"step:{step}",) for step in steps)]
            for end in ("source", "target"):
                transaction.executemany(f"DELETE FROM edges WHERE {end} = ?", nodes)
        return True

    def remove_artifacts(
        self,
        keys: Sequence[tuple[str, str]],
        stored_before: int,
        reach: Callable[[set[str]], set[tuple[str, str]]],
    ) -> list[tuple[str, str]]:
        """Remove records of artifacts; return the keys of those removed.

        Args:
            keys: Digests and content digests.
            stored_before: Artifacts stored or renewed since stay.
            reach: Returns the keys of the artifacts that such artifacts depend on: they stay, too.
        """
        with self._database.write() as transaction:
            self._database.alone(transaction, ARTIFACTS_GO)
            sql = "SELECT digest FROM artifacts WHERE created_at > ?"
            again = reach({row[0] for row in _rows(transaction, sql, (stored_before,))})
            gone = [key for key in keys if key not in again]
            transaction.executemany(
                "DELETE FROM artifacts WHERE digest = ? AND content_digest = ?", gone
            )
        return gone

    def recorded(self, digests: Sequence[str]) -> set[str]:
        """Return the stored digests that are recorded."""
        known_digests: set[str] = set()
        with self._database.read() as transaction:
            for part in (digests[i : i + _MANY] for i in range(0, len(digests), _MANY)):
                marks = ", ".join("?" * len(part))
                sql = f"SELECT DISTINCT digest FROM artifacts WHERE digest IN ({marks})"
                known_digests.update(row[0] for row in transaction.execute(sql, part).fetchall())
        return known_digests


def _rows(transaction: Transaction, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    return transaction.execute(sql, values).fetchall()


def _beyond(transaction: Transaction, keep_last: int, reused: set[str]) -> dict[str, OldRun]:
    """Return the runs beyond the newest of their experiment, each with all nested runs."""
    rows = _rows(
        transaction,
        "SELECT run_id, name, experiment, parent_run_id,"
        f" CASE WHEN {_IDLE} THEN 1 ELSE 0 END FROM runs WHERE deleted_at IS NULL"
        " ORDER BY created_at DESC, id DESC",
    )
    parents = {run_id: parent for run_id, _, _, parent, _ in rows}
    families: dict[str, list[Any]] = {}
    for row in rows:
        families.setdefault(_outermost(row[0], parents), []).append(row)
    kept, late = dict[str, int](), dict[str, OldRun]()
    why = f"beyond the newest {keep_last}"
    for run_id, _, experiment, *_ in rows:
        family = families.get(run_id)
        if family is None:
            continue  # nested in an outer run
        kept[experiment] = kept.get(experiment, 0) + 1
        stays = any(not idle or member in reused for member, *_, idle in family)
        if kept[experiment] > keep_last and not stays:
            late |= {row[0]: OldRun(row[0], row[1], row[2], why) for row in family}
    return late


def _outermost(run_id: str, parents: dict[str, str | None]) -> str:
    seen = {run_id}
    # A parent may be deleted, and damaged data may form a circle.
    while (parent := parents.get(run_id)) is not None and parent in parents and parent not in seen:
        run_id = parent
        seen.add(run_id)
    return run_id


def _large(transaction: Transaction) -> set[str]:
    return {digest for row in _rows(transaction, _LARGE) for digest in row}


def _named(transaction: Transaction, gone: set[str], old: set[str]) -> Iterator[str]:
    large = _large(transaction) if old else set()
    for run_id, digest, content in _rows(
        transaction, "SELECT run_id, digest, content_digest FROM run_artifacts"
    ):
        if run_id not in gone:
            yield from (digest, content)
    runs = [row[0] for row in _rows(transaction, "SELECT run_id FROM runs")]
    for run_id in runs:
        if run_id in gone:
            continue
        values = _of_steps(transaction, run_id)
        yield from (name for name in values if run_id not in old or name not in large)
    for row in _rows(
        transaction,
        "SELECT artifact, content_digest, report, profile, card, onnx FROM model_versions",
    ):
        yield from (digest for digest in row if digest is not None)
    for row in _rows(transaction, "SELECT digest, content_digest FROM document_files"):
        yield from row
    # Reports stay with their deployment, whatever happens to runs.
    for table, column in (("reports", "artifact"), ("alerts", "report")):
        for (digest,) in _rows(transaction, f"SELECT {column} FROM {table}"):
            if digest is not None:
                yield digest


def _of_steps(transaction: Transaction, run_id: str) -> Iterator[str]:
    for row in _rows(transaction, f"{_STEP_COLUMNS} WHERE run_id = ?", (run_id,)):
        inputs, outputs, addresses, facts = map(unpack_json, row)
        yield from _values_of(inputs, outputs, addresses, facts) - set(facts.get(LET_GO, ()))


def _values_of(inputs: Any, outputs: Any, addresses: Any, facts: Any) -> set[str]:
    return {
        *inputs.values(),
        *outputs.values(),
        *addresses.keys(),
        *addresses.values(),
        *facts.get("stored", ()),
    }
