"""Rows of a store copied into a store of any kind; the SQL of ``penstock store copy``.

Rows of both stores are matched by key where the table has a key, else by all columns. Numbers that
a database assigns automatically are not copied; the order that they represent is.
"""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from penstock.stores.metadata._copy_selection import CopySelection, SelectedRows
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._settings import count_change
from penstock.stores.metadata._table import Table, tables

_MANY = 10_000
_FEW = 100  # chunks, of some ten kilobytes each
_GOING_ON = "('queued', 'running')"
# A store that sees no sign of life of a run kills its steps; the store of the run knows better.
_UNSURE = "('queued', 'running', 'killed')"
# Tables whose rows have a key.
_KEYED = {
    "experiments": "name",
    "experiment_tags": 'experiment, "key"',
    "models": "model",
    "model_tags": 'model, "key"',
    "version_tags": 'model, version, "key"',
    "version_metrics": 'model, version, "key"',
    "edges": "source, target, role",
    "documents": 'kind, "key"',
    "document_files": 'kind, "key", path',
    "predictions": "prediction_id",
    "reports": "report_id",
    "alerts": "alert_id",
    "deployments": "name",
}
# Tables whose rows change after they were written: the changing columns, and the test for the later
# row.
_LATER = {
    "predictions": (
        ("truth", "truth_at"),
        "predictions.truth_at IS NULL AND excluded.truth_at IS NOT NULL",
    ),
    "alerts": (
        ("message", "last_seen_at", "count", "resolved_at", "report"),
        (
            "excluded.last_seen_at > alerts.last_seen_at"
            " OR (alerts.resolved_at IS NULL AND excluded.resolved_at IS NOT NULL)"
        ),
    ),
    "deployments": (
        ("model", "state", "weights", "control", "updated_at", "generation", "rollout"),
        "excluded.generation > deployments.generation",
    ),
    "documents": (
        ("owner", "updated_at", "body", "revision"),
        "excluded.revision > documents.revision",
    ),
    "document_files": (
        ("digest", "content_digest", "at"),
        "excluded.at > document_files.at",
    ),
    "run_artifacts": (
        ("digest", "content_digest", "at"),
        "excluded.at > run_artifacts.at",
    ),
}
# Rows without a key: all rows of an owner are compared.
_OWNED = {
    "snapshots": "source",
    "approvals": "model",
    "deployment_events": "name",
}
_OF_SERVING = frozenset({"deployments", "deployment_events"})
_RUN_PARTS = {"run_params": 'run_id, "key"', "run_artifacts": "run_id, name"}
_RUN_LISTS = ("proofs", "step_decisions")
_ARTIFACT = "digest, content_digest"


class Transfer:
    """A copy of rows from a database to a second.

    Everything is read in a single transaction: the source as of the beginning of the copy, whatever
    is written meanwhile. So all rows that a row names are read as well.

    Args:
        source: Database to copy from.
        target: Database to copy to.
    """

    def __init__(self, source: Database, target: Database) -> None:
        self._database, self._target, self._tables = source, target, tables()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        self._source: Transaction = self._held.enter_context(self._database.read())
        self._source.execute(
            "SELECT 1 FROM runs LIMIT 1"
        ).fetchall()  # from here on a single state is read
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.__exit__(kind, error, trace)

    def conflicts(self) -> list[str]:
        """Return versions and deployments that differ in the target, or moved differently."""
        with self._target.read() as target:
            mine, theirs = self._versions(self._source), self._versions(target)
            other = {key for key, digest in mine.items() if theirs.get(key, digest) != digest}
            refs = [f"{model}@{version}" for model, version in sorted(other)]
            # Models with differing versions are in conflict already; for the rest the histories
            # decide.
            clear = {model for model, _ in theirs} - {model for model, _ in other}
            for table, owner, names in (
                ("stage_events", "model", self.models() & clear),
                ("deployment_events", "name", self._deployments(target)),
            ):
                refs += [
                    name
                    for name in sorted(names)
                    if not _is_prefix(*self._histories(target, table, owner, name))
                ]
        return refs

    def run_ids(self, experiment: str | None, since: int | None) -> list[str]:
        """List the runs to copy, oldest first."""
        condition, values = "1 = 1", list[Any]()
        for text, value in (("experiment = ?", experiment), ("created_at >= ?", since)):
            if value is not None:
                condition += f" AND {text}"
                values.append(value)
        sql = f"SELECT run_id FROM runs WHERE {condition} ORDER BY id"
        return [row[0] for row in self._source.execute(sql, values).fetchall()]

    def copy_run(self, run_id: str) -> bool:
        """Copy a run with all rows, in a transaction; return whether anything was new."""
        rows = {name: self._of_run(name, run_id) for name in self._of_runs()}
        with self._target.write() as target:
            changed = went_on = self._write_run(target, rows["runs"][0])
            for name, key in _RUN_PARTS.items():
                changed |= self._add(target, name, key, rows[name])
            changed |= self._write_tags(target, rows["run_tags"], follow=went_on)
            changed |= self._write_metrics(target, run_id, rows["metric_summaries"])
            changed |= self._write_steps(target, rows["step_runs"])
            changed |= self._write_logs(target, rows["step_logs"])
            for name in _RUN_LISTS:
                changed |= self._add_missing(target, name, "run_id", run_id, rows[name])
        return changed

    def copy_rest(self, chosen: CopySelection) -> None:
        """Copy the rows that belong to no run."""
        wanted = SelectedRows(self._source, self._tables, chosen)
        for name, key in _KEYED.items():
            for rows in self._pages(name, key):
                with self._target.write() as target:
                    added = self._add(target, name, key, [r for r in rows if wanted(name, r)])
                    if added and name in _OF_SERVING:
                        count_change(target)
        for name, owner in _OWNED.items():
            place = self._tables[name].place(owner)
            by_owner: dict[Any, list[Any]] = {}
            for rows in self._pages(name):
                for row in rows:
                    if wanted(name, row):
                        by_owner.setdefault(row[place], []).append(row)
            for value, group in by_owner.items():
                with self._target.write() as target:
                    self._add_missing(target, name, owner, value, group)

    def copy_models(self, models: Collection[str]) -> None:
        """Copy versions with their moves, where the source's moves continue the target's.

        The stage of a version follows from the moves, so a model that has moved on in the target
        stays unchanged there.
        """
        events, versions = self._tables["stage_events"], self._tables["model_versions"]
        stage = versions.place("stage")
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in versions.columns)
        sql = (
            f"{versions.insert} ON CONFLICT (model, version) DO UPDATE SET {changes}"
            " WHERE excluded.revision > model_versions.revision"
        )
        for model in sorted(models):
            rows = _of(self._source, versions, "model", model)
            with self._target.write(durable=True) as target:
                ours, theirs = self._histories(target, "stage_events", "model", model)
                # The target has moved on, and its stages are the newer ones.
                if len(theirs) > len(ours):
                    continue
                # Out of production first: at no moment may there be two production versions.
                rows.sort(key=lambda row: row[stage] == "production")
                changed = [target.execute(sql, row).rowcount > 0 for row in rows]
                target.executemany(events.insert, ours[len(theirs) :])
                if any(changed):
                    count_change(target)

    def copy_audit(self) -> None:
        """Copy the audit trail, where the source's trail continues the target's.

        Each record is chained to the one before, so a trail cannot be merged into a second.
        """
        table = self._tables["audit"]
        seal, last = table.place("hash"), ""
        with self._target.read() as target:
            held = [
                row[0] for row in target.execute("SELECT hash FROM audit ORDER BY id").fetchall()
            ]
        for rows in self._pages("audit"):
            behind, held = held[: len(rows)], held[len(rows) :]
            seals = [row[seal] for row in rows]
            if behind != seals[: len(behind)]:
                return
            last = behind[-1] if behind else last
            with self._target.write(durable=True) as target:
                self._target.alone(target, "audit")
                newest = target.execute(
                    "SELECT hash FROM audit ORDER BY id DESC LIMIT 1"
                ).fetchone()
                if len(behind) < len(rows) and (newest[0] if newest else "") != last:
                    return  # somebody has changed the target meanwhile
                target.executemany(table.insert, rows[len(behind) :])
            last = seals[-1]

    def models(self) -> set[str]:
        """Return the models of the source."""
        rows = self._source.execute("SELECT DISTINCT model FROM model_versions").fetchall()
        return {row[0] for row in rows}

    def artifact_rows(self, wanted: Collection[tuple[str, str]] | None) -> Iterator[list[Any]]:
        """Yield the records of artifacts that the target lacks, page by page.

        Args:
            wanted: Keys of the wanted records; None for all.
        """
        table = self._tables["artifacts"]
        with self._target.read() as target:
            known = {
                tuple(row)
                for row in target.execute("SELECT digest, content_digest FROM artifacts").fetchall()
            }
        digest, content = table.place("digest"), table.place("content_digest")
        for rows in self._pages("artifacts", _ARTIFACT):
            keys = [(row[digest], row[content]) for row in rows]
            new = [
                row
                for row, key in zip(rows, keys, strict=True)
                if key not in known and (wanted is None or key in wanted)
            ]
            if new:
                yield new

    def add_artifacts(self, rows: Sequence[Any]) -> None:
        """Record artifacts whose bytes are stored."""
        with self._target.write() as target:
            self._add(target, "artifacts", _ARTIFACT, rows)

    def artifact_facts(self, row: Any) -> tuple[str, bool]:
        """Return an artifact row's digest, and whether the bytes are in the row."""
        table = self._tables["artifacts"]
        return row[table.place("digest")], row[table.place("inline")] is not None

    @staticmethod
    def _versions(transaction: Transaction) -> dict[tuple[str, int], str]:
        rows = transaction.execute(
            "SELECT model, version, content_digest, created_at FROM model_versions"
        ).fetchall()
        # With the time: the same content registered separately is a different version.
        return {(model, version): f"{digest} {at}" for model, version, digest, at in rows}

    def _deployments(self, target: Transaction) -> set[str]:
        """Return the deployments in both stores."""
        ours, theirs = (
            {row[0] for row in side.execute("SELECT name FROM deployments").fetchall()}
            for side in (self._source, target)
        )
        return ours & theirs

    def _histories(
        self, target: Transaction, name: str, owner: str, value: str
    ) -> tuple[list[Any], list[Any]]:
        table = self._tables[name]
        return _of(self._source, table, owner, value), _of(target, table, owner, value)

    @staticmethod
    def _of_runs() -> tuple[str, ...]:
        return ("runs", *_RUN_PARTS, "run_tags", "metric_summaries", "step_runs", "step_logs",
                *_RUN_LISTS)  # fmt: skip

    def _of_run(self, name: str, run_id: str) -> list[Any]:
        table = self._tables[name]
        # Lines of a log name a step run, or the run itself, but no run_id.
        if name != "step_logs":
            return _of(self._source, table, "run_id", run_id)
        return self._source.execute(
            f"SELECT {table.listed} FROM step_logs WHERE step_run_id = ? OR step_run_id IN"
            " (SELECT step_run_id FROM step_runs WHERE run_id = ?) ORDER BY id",
            (run_id, run_id),
        ).fetchall()

    def _write_run(self, target: Transaction, row: Any) -> bool:
        """Insert the run, or update the run if the source's run is later."""
        table = self._tables["runs"]
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in table.columns if c != "run_id")
        seen = "COALESCE({0}.ended_at, {0}.heartbeat_at, {0}.created_at)"
        later = f"{seen.format('excluded')} > {seen.format('runs')}"
        sql = f"{table.insert} ON CONFLICT (run_id) DO UPDATE SET {changes} WHERE {later}"
        return target.execute(sql, row).rowcount > 0

    def _write_tags(self, target: Transaction, tags: list[Any], *, follow: bool) -> bool:
        """Add tags; where both have a tag the source's counts only if the run is later there."""
        table = self._tables["run_tags"]
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in table.columns)
        then = f"UPDATE SET {changes}" if follow else "NOTHING"
        sql = f'{table.insert} ON CONFLICT (run_id, "key") DO {then}'
        return bool(tags) and target.executemany(sql, tags).rowcount > 0

    def _write_metrics(self, target: Transaction, run_id: str, summaries: list[Any]) -> bool:
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
            # A series only grows: more points are the later state.
            if summary[table.place("count")] <= known.get(key, 0):
                continue
            for name in ("metric_summaries", "metric_chunks"):
                target.execute(f'DELETE FROM {name} WHERE run_id = ? AND "key" = ?', (run_id, key))
            target.execute(table.insert, summary)
            for chunks in self._chunks(run_id, key):
                target.executemany(rows.insert, chunks)
            changed = True
        return changed

    def _chunks(self, run_id: str, key: str) -> Iterator[list[Any]]:
        """Read a series' chunks, a few megabytes at a time."""
        table = self._tables["metric_chunks"]
        place, last = table.place("chunk_id"), -1
        sql = (
            f'SELECT {table.listed} FROM metric_chunks WHERE run_id = ? AND "key" = ?'
            " AND chunk_id > ? ORDER BY chunk_id LIMIT ?"
        )
        while rows := self._source.execute(sql, (run_id, key, last, _FEW)).fetchall():
            yield rows
            last = rows[-1][place]

    def _write_steps(self, target: Transaction, steps: list[Any]) -> bool:
        table = self._tables["step_runs"]
        changes = ", ".join(f'"{c}" = excluded."{c}"' for c in table.columns if c != "step_run_id")
        sql = (
            f"{table.insert} ON CONFLICT (step_run_id) DO UPDATE SET {changes}"
            f" WHERE step_runs.state IN {_UNSURE} AND excluded.state NOT IN {_GOING_ON}"
            " AND excluded.state <> step_runs.state"
        )
        changed = [target.execute(sql, step).rowcount > 0 for step in steps]
        return any(changed)

    def _write_logs(self, target: Transaction, lines: list[Any]) -> bool:
        """Add later lines: a log only grows at the end."""
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

    def _add(self, target: Transaction, name: str, key: str, rows: Sequence[Any]) -> bool:
        if not rows:
            return False
        sql = f"{self._tables[name].insert} ON CONFLICT ({key}) DO "
        if name in _LATER:
            columns, condition = _LATER[name]
            changes = ", ".join(f'"{column}" = excluded."{column}"' for column in columns)
            sql += f"UPDATE SET {changes} WHERE {condition}"
        else:
            sql += "NOTHING"
        return target.executemany(sql, rows).rowcount > 0

    def _add_missing(
        self, target: Transaction, name: str, owner: str, value: Any, rows: Sequence[Any]
    ) -> bool:
        table = self._tables[name]
        known = {tuple(row) for row in _of(target, table, owner, value)}
        new = [row for row in rows if tuple(row) not in known]
        target.executemany(table.insert, new)
        return bool(new)

    def _pages(self, name: str, key: str = "id") -> Iterator[list[Any]]:
        """Read a table page by page, in the order of the key."""
        table = self._tables[name]
        has_number = table.given  # then the number comes first, and orders
        order = "id" if has_number else key
        listed = f"id, {table.listed}" if has_number else table.listed
        places = [0] if has_number else [table.place(c.strip(' "')) for c in key.split(",")]
        behind = f" WHERE ({order}) > ({', '.join('?' * len(places))})"
        last: list[Any] = []
        while True:
            rows = self._source.execute(
                f"SELECT {listed} FROM {name}{behind if last else ''} ORDER BY {order} LIMIT ?",
                (*last, _MANY),
            ).fetchall()
            if not rows:
                return
            last = [rows[-1][place] for place in places]
            yield table.read([row[1:] for row in rows] if has_number else rows)


def _is_prefix(one: list[Any], other: list[Any]) -> bool:
    """Return whether a history is the beginning of a second, or the reverse."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def _of(transaction: Transaction, table: Table, owner: str, value: Any) -> list[Any]:
    order = "id" if table.given else table.listed
    rows = transaction.execute(
        f'SELECT {table.listed} FROM {table.name} WHERE "{owner}" = ? ORDER BY {order}', (value,)
    ).fetchall()
    return table.read(rows)
