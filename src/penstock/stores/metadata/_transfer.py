"""Rows from one store to another of any kind; the SQL of ``penstock store copy``.

The tables are told apart by what makes a row the same in both: its key where it has one, else all
that it says. Numbers that a database gives by itself are not kept; the order that they stand for is.
"""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._schema import metadata

_MANY = 10_000
_GOING_ON = "('queued', 'running')"
# Rows that are known by a key of their own, with what else of them may change.
_KEYED = {
    "experiments": "name",
    "experiment_tags": 'experiment, "key"',
    "models": "model",
    "model_tags": 'model, "key"',
    "version_tags": 'model, version, "key"',
    "version_metrics": 'model, version, "key"',
    "edges": "source, target, role",
    "predictions": "prediction_id",
    "reports": "report_id",
    "alerts": "alert_id",
    "deployments": "name",
}
# Rows without a key: all rows of an owner are compared.
_OWNED = {
    "snapshots": "source",
    "approvals": "model",
    "deployment_events": "name",
}
_OF_MODELS = frozenset({"deployment_events"})
_RUN_PARTS = {
    "run_params": 'run_id, "key"',
    "run_tags": 'run_id, "key"',
    "run_artifacts": "run_id, name",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns but for a number that the database gives.

    Args:
        name: The table.
        columns: Their names.
        given: Whether it has such a number.
        flags: Places of the columns that are true or false; SQLite gives 1 or 0 for them.
    """

    name: str
    columns: tuple[str, ...]
    given: bool
    flags: tuple[int, ...]

    @property
    def listed(self) -> str:
        """The columns as SQL."""
        return ", ".join(f'"{column}"' for column in self.columns)

    @property
    def insert(self) -> str:
        """The statement that inserts a row."""
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({self.listed}) VALUES ({marks})"

    def read(self, rows: Sequence[Any]) -> list[Any]:
        """Give rows as every database takes them."""
        if not self.flags:
            return list(rows)
        return [
            tuple(bool(v) if place in self.flags else v for place, v in enumerate(row))
            for row in rows
        ]

    def place(self, column: str) -> int:
        """Where a column stands in a row."""
        return self.columns.index(column)


def tables() -> dict[str, Table]:
    """Read the tables from their definitions."""
    found = {}
    for table in metadata.sorted_tables:
        given = next(iter(table.columns)).name == "id"
        columns = list(table.columns)[1 if given else 0 :]
        flags = [place for place, c in enumerate(columns) if c.type.python_type is bool]
        names = tuple(column.name for column in columns)
        found[table.name] = Table(table.name, names, given, tuple(flags))
    return found


class Transfer:
    """Copies rows from one database to another.

    Args:
        source: Where from.
        target: Where to.
    """

    def __init__(self, source: Database, target: Database) -> None:
        self._source, self._target, self._tables = source, target, tables()
        self._without: set[str] = set()
        self._partly = False

    def version_conflicts(self) -> list[tuple[str, int]]:
        """Find versions that both have under one number and that are not the same."""
        mine, theirs = self._versions(self._source), self._versions(self._target)
        return [key for key, digest in mine.items() if theirs.get(key, digest) != digest]

    def run_ids(self, experiment: str | None, since: int | None) -> list[str]:
        """List the runs to copy, oldest first."""
        condition, values = "1 = 1", list[Any]()
        for text, value in (("experiment = ?", experiment), ("created_at >= ?", since)):
            if value is not None:
                condition += f" AND {text}"
                values.append(value)
        with self._source.read() as transaction:
            sql = f"SELECT run_id FROM runs WHERE {condition} ORDER BY id"
            return [row[0] for row in transaction.execute(sql, values).fetchall()]

    def copy_run(self, run_id: str) -> bool:
        """Copy one run with all its parts, in one transaction; says whether anything was new."""
        with self._source.read() as source:
            rows = {name: self._of_run(source, name, run_id) for name in self._of_runs()}
            chunks = self._chunk_reader(source, run_id)
            with self._target.write() as target:
                changed = self._write_run(target, rows["runs"][0])
                for name, key in _RUN_PARTS.items():
                    changed |= self._add(target, name, key, rows[name])
                changed |= self._write_metrics(target, run_id, rows["metric_summaries"], chunks)
                changed |= self._write_steps(target, rows["step_runs"])
                changed |= self._write_logs(target, rows["step_logs"])
                changed |= self._add_missing(target, "proofs", "run_id", run_id, rows["proofs"])
        return changed

    def copy_rest(self, *, without: set[str], partly: bool) -> None:
        """Copy what belongs to no run, without these models; partly also without all others."""
        self._without, self._partly = without, partly
        for name, key in _KEYED.items():
            for rows in self._pages(name):
                kept = [row for row in rows if self._is_wanted(name, row)]
                with self._target.write() as target:
                    self._add(target, name, key, kept)
        for name, owner in _OWNED.items():
            place = self._tables[name].place(owner)
            for rows in self._pages(name):
                kept = [row for row in rows if self._is_wanted(name, row)]
                by_owner: dict[Any, list[Any]] = {}
                for row in kept:
                    by_owner.setdefault(row[place], []).append(row)
                with self._target.write() as target:
                    for value, group in by_owner.items():
                        self._add_missing(target, name, owner, value, group)

    def copy_models(self, models: set[str]) -> None:
        """Copy versions with their moves: those that the target lacks at the end of its own."""
        events, versions = self._tables["stage_events"], self._tables["model_versions"]
        for model in sorted(models):
            with self._source.read() as source, self._target.write(durable=True) as target:
                rows = _of(source, versions, "model", model)
                target.executemany(
                    f"{versions.insert} ON CONFLICT (model, version) DO NOTHING", rows
                )
                ours, theirs = (_of(side, events, "model", model) for side in (source, target))
                if ours[: len(theirs)] == theirs and len(ours) > len(theirs):
                    self._follow(target, rows)
                    target.executemany(events.insert, ours[len(theirs) :])

    def models(self) -> set[str]:
        """Name the models of the source."""
        with self._source.read() as transaction:
            rows = transaction.execute("SELECT DISTINCT model FROM model_versions").fetchall()
        return {row[0] for row in rows}

    def artifact_rows(self) -> Iterator[list[Any]]:
        """Give the records of artifacts that the target lacks, page by page."""
        table = self._tables["artifacts"]
        with self._target.read() as target:
            known = {
                tuple(row)
                for row in target.execute("SELECT digest, content_digest FROM artifacts").fetchall()
            }
        first = table.place("digest"), table.place("content_digest")
        for rows in self._pages("artifacts"):
            new = [row for row in rows if (row[first[0]], row[first[1]]) not in known]
            if new:
                yield new

    def add_artifacts(self, rows: Sequence[Any]) -> None:
        """Record artifacts whose bytes are there."""
        with self._target.write() as target:
            self._add(target, "artifacts", "digest, content_digest", rows)

    def artifact_facts(self, row: Any) -> tuple[str, bool]:
        """Give an artifact row's digest, and whether its bytes are in the row."""
        table = self._tables["artifacts"]
        return row[table.place("digest")], row[table.place("inline")] is not None

    @staticmethod
    def _versions(database: Database) -> dict[tuple[str, int], str]:
        with database.read() as transaction:
            rows = transaction.execute(
                "SELECT model, version, content_digest, created_at FROM model_versions"
            ).fetchall()
        return {(model, version): f"{digest} {at}" for model, version, digest, at in rows}

    @staticmethod
    def _of_runs() -> tuple[str, ...]:
        return ("runs", *_RUN_PARTS, "metric_summaries", "step_runs", "step_logs", "proofs")

    def _of_run(self, transaction: Transaction, name: str, run_id: str) -> list[Any]:
        table = self._tables[name]
        if name != "step_logs":
            return _of(transaction, table, "run_id", run_id)
        return transaction.execute(
            f"SELECT {table.listed} FROM step_logs WHERE step_run_id = ? OR step_run_id IN"
            " (SELECT step_run_id FROM step_runs WHERE run_id = ?) ORDER BY id",
            (run_id, run_id),
        ).fetchall()

    def _chunk_reader(self, source: Transaction, run_id: str) -> Callable[[str], list[Any]]:
        table = self._tables["metric_chunks"]
        sql = f'SELECT {table.listed} FROM metric_chunks WHERE run_id = ? AND "key" = ?'
        return lambda key: source.execute(sql, (run_id, key)).fetchall()

    def _write_run(self, target: Transaction, row: Any) -> bool:
        """Insert the run, or bring it up to date if it has gone on in the source."""
        table = self._tables["runs"]
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in table.columns if c != "run_id")
        seen = "COALESCE({0}.ended_at, {0}.heartbeat_at, {0}.created_at)"
        later = f"{seen.format('excluded')} > {seen.format('runs')}"
        sql = f"{table.insert} ON CONFLICT (run_id) DO UPDATE SET {changes} WHERE {later}"
        return target.execute(sql, row).rowcount > 0

    def _write_metrics(
        self,
        target: Transaction,
        run_id: str,
        summaries: list[Any],
        chunks: Callable[[str], list[Any]],
    ) -> bool:
        """Replace each series of which the source has more points."""
        table, rows = self._tables["metric_summaries"], self._tables["metric_chunks"]
        known = dict(
            target.execute(
                'SELECT "key", "count" FROM metric_summaries WHERE run_id = ?', (run_id,)
            ).fetchall()
        )
        changed = False
        for summary in summaries:
            key = summary[table.place("key")]
            if summary[table.place("count")] <= known.get(key, 0):
                continue
            for name in ("metric_summaries", "metric_chunks"):
                target.execute(f'DELETE FROM {name} WHERE run_id = ? AND "key" = ?', (run_id, key))
            target.execute(table.insert, summary)
            target.executemany(rows.insert, chunks(key))
            changed = True
        return changed

    def _write_steps(self, target: Transaction, steps: list[Any]) -> bool:
        table = self._tables["step_runs"]
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in table.columns if c != "step_run_id")
        sql = (
            f"{table.insert} ON CONFLICT (step_run_id) DO UPDATE SET {changes}"
            f" WHERE step_runs.state IN {_GOING_ON} AND excluded.state NOT IN {_GOING_ON}"
        )
        changed = [target.execute(sql, step).rowcount > 0 for step in steps]
        return any(changed)

    def _write_logs(self, target: Transaction, lines: list[Any]) -> bool:
        """Add the lines that came later: a log only grows at its end."""
        table = self._tables["step_logs"]
        place = table.place("step_run_id")
        by_owner: dict[str, list[Any]] = {}
        for line in lines:
            by_owner.setdefault(line[place], []).append(line)
        changed = False
        for owner, group in by_owner.items():
            known = target.execute(
                "SELECT COUNT(*) FROM step_logs WHERE step_run_id = ?", (owner,)
            ).fetchone()[0]
            target.executemany(table.insert, group[known:])
            changed |= len(group) > known
        return changed

    def _follow(self, target: Transaction, versions: list[Any]) -> None:
        """Give versions the stages that their new moves lead to."""
        table = self._tables["model_versions"]
        # Out of production first: at no moment may there be two production versions.
        versions = sorted(versions, key=lambda row: row[table.place("stage")] == "production")
        for row in versions:
            target.execute(
                "UPDATE model_versions SET stage = ?, gates = ?, card = ?, note = ?, revision = ?"
                " WHERE model = ? AND version = ?",
                [
                    row[table.place(name)]
                    for name in ("stage", "gates", "card", "note", "revision", "model", "version")
                ],
            )

    def _add(self, target: Transaction, name: str, key: str, rows: Sequence[Any]) -> bool:
        if not rows:
            return False
        sql = f"{self._tables[name].insert} ON CONFLICT ({key}) DO NOTHING"
        return target.executemany(sql, rows).rowcount > 0

    def _add_missing(
        self, target: Transaction, name: str, owner: str, value: Any, rows: Sequence[Any]
    ) -> bool:
        table = self._tables[name]
        known = {tuple(row) for row in _of(target, table, owner, value)}
        new = [row for row in rows if tuple(row) not in known]
        target.executemany(table.insert, new)
        return bool(new)

    def _is_wanted(self, name: str, row: Any) -> bool:
        columns = self._tables[name].columns
        if "model" not in columns:
            return not self._partly or name not in _OF_MODELS
        return not self._partly and row[columns.index("model")] not in self._without

    def _pages(self, name: str) -> Iterator[list[Any]]:
        """Read a table page by page, in an order that stays."""
        table = self._tables[name]
        if table.given:
            yield from self._pages_by_id(table)
            return
        offset = 0
        while True:
            with self._source.read() as source:
                rows = source.execute(
                    f"SELECT {table.listed} FROM {name} ORDER BY {table.listed} LIMIT ? OFFSET ?",
                    (_MANY, offset),
                ).fetchall()
            if not rows:
                return
            yield table.read(rows)
            offset += len(rows)

    def _pages_by_id(self, table: Table) -> Iterator[list[Any]]:
        last = 0
        while True:
            with self._source.read() as source:
                rows = source.execute(
                    f"SELECT id, {table.listed} FROM {table.name} WHERE id > ? ORDER BY id LIMIT ?",
                    (last, _MANY),
                ).fetchall()
            if not rows:
                return
            yield table.read([row[1:] for row in rows])
            last = rows[-1][0]


def _of(transaction: Transaction, table: Table, owner: str, value: Any) -> list[Any]:
    order = "id" if table.given else table.listed
    rows = transaction.execute(
        f'SELECT {table.listed} FROM {table.name} WHERE "{owner}" = ? ORDER BY {order}', (value,)
    ).fetchall()
    return table.read(rows)
