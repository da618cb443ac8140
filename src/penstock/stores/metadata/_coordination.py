"""Approvals of waiting steps, and leases on resources with a concurrency limit."""

from datetime import datetime

from penstock.core import DecisionRecord, now
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database
from penstock.stores.metadata._runs import SQLRunStore

DECISIONS = RecordTable("step_decisions", DecisionRecord, times=("at",), flags=("approved",))
# A slot is free if unused, if the holder is silent for too long, or if we hold it.
_TAKE = (
    "INSERT INTO leases (name, slot, holder, until) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (name, slot) DO UPDATE SET holder = excluded.holder, until = excluded.until"
    " WHERE leases.until < ? OR leases.holder = excluded.holder"
)


class StepCoordination:
    """The approval and lease methods of StepStore."""

    def __init__(self, database: Database, runs: SQLRunStore) -> None:
        self._database, self._runs = database, runs

    def add_decision(self, decision: DecisionRecord) -> None:
        """See StepStore."""
        with self._database.write(durable=True) as transaction:
            self._runs.full_id(transaction, decision.run_id)
            transaction.execute(DECISIONS.insert, DECISIONS.row(decision))
            action = "step.approve" if decision.approved else "step.reject"
            facts = {"step": decision.step, "reason": decision.reason}
            note_change(
                transaction, self._database, action, decision.run_id, facts, actor=decision.actor
            )

    def list_decisions(self, run_id: str) -> list[DecisionRecord]:
        """See StepStore."""
        with self._database.read() as transaction:
            run_id = self._runs.full_id(transaction, run_id)
            rows = transaction.execute(
                f"{DECISIONS.select} WHERE run_id = ? ORDER BY id",
                (run_id,),
            ).fetchall()
        return [DECISIONS.read(row) for row in rows]

    def take_lease(self, name: str, holder: str, until: datetime, *, most: int = 1) -> bool:
        """See StepStore."""
        end, moment = to_micros(until), to_micros(now())
        with self._database.write() as transaction:
            transaction.execute("DELETE FROM leases WHERE name = ? AND until < ?", (name, moment))
            held = transaction.execute(
                "UPDATE leases SET until = ? WHERE name = ? AND holder = ?", (end, name, holder)
            )
            return held.rowcount > 0 or any(
                transaction.execute(_TAKE, (name, slot, holder, end, moment)).rowcount > 0
                for slot in range(most)
            )

    def list_holders(self, name: str) -> list[str]:
        """See StepStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT holder FROM leases WHERE name = ? AND until >= ? ORDER BY slot",
                (name, to_micros(now())),
            ).fetchall()
        return [row[0] for row in rows]

    def drop_lease(self, name: str, holder: str) -> None:
        """See StepStore."""
        with self._database.write() as transaction:
            transaction.execute("DELETE FROM leases WHERE name = ? AND holder = ?", (name, holder))
