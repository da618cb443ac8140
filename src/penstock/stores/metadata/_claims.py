"""Claims of processes on steps of a shared run, in the table of leases.

The process column of a run says `SHARED` while steps are claimed, because no single process stands
behind the run then: the run lives as long as any claim.
"""

from dataclasses import asdict

from penstock.core import StepClaim, StepState, now
from penstock.stores._json import dump_json, load_json
from penstock.stores._processes import has_ended_here
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._outbox import Outbox

SHARED = "shared"
_SILENCE_MICROS = 60 * 1_000_000
_ERROR = "The process of the step ended without finishing the step."
_CLAIMS = "SELECT slot, holder, until FROM leases WHERE name = ? ORDER BY slot"
_END = (
    "UPDATE step_runs SET state = 'killed', error = ?,"
    " ended_at = CASE WHEN started_at > ? THEN started_at ELSE ? END"
    " WHERE step_run_id = ? AND state = 'running'"
)


class Claims:
    """The claims of runs.

    Every method works in a transaction of the caller, alone on the run for writes.
    """

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    def put(self, transaction: Transaction, claim: StepClaim) -> None:
        """Write a claim, or renew the claim."""
        until = self.moment(transaction) + _SILENCE_MICROS
        name = _name(claim.run_id)
        holder = dump_json(asdict(claim))
        renewed = transaction.execute(
            "UPDATE leases SET until = ? WHERE name = ? AND holder = ?", (until, name, holder)
        )
        if not renewed.rowcount:
            taken = {row[0] for row in transaction.execute(_CLAIMS, (name,)).fetchall()}
            slot = next(number for number in range(len(taken) + 1) if number not in taken)
            transaction.execute(
                "INSERT INTO leases (name, slot, holder, until) VALUES (?, ?, ?, ?)",
                (name, slot, holder, until),
            )

    def drop(self, transaction: Transaction, claim: StepClaim) -> None:
        """Remove a claim."""
        transaction.execute(
            "DELETE FROM leases WHERE name = ? AND holder = ?",
            (_name(claim.run_id), dump_json(asdict(claim))),
        )

    def find(self, transaction: Transaction, run_id: str) -> tuple[list[StepClaim], list[int]]:
        """Return the living claims, and the slots of those that have ended."""
        moment, living, dead = self.moment(transaction), list[StepClaim](), list[int]()
        for slot, holder, until in transaction.execute(_CLAIMS, (_name(run_id),)).fetchall():
            claim = StepClaim(**load_json(holder))
            place = claim.host, claim.pid, claim.pid_started, claim.process
            if until < moment or has_ended_here(*place):
                dead.append(slot)
            else:
                living.append(claim)
        return living, dead

    def is_abandoned(self, transaction: Transaction, run_id: str) -> bool:
        """Return whether a claim has ended without being released, or there is none."""
        living, dead = self.find(transaction, run_id)
        return bool(dead) or not living

    def clear(self, transaction: Transaction, run_id: str) -> list[StepClaim]:
        """Return the living claims; steps left running by the rest are killed."""
        living, dead = self.find(transaction, run_id)
        if dead:
            for slot in dead:
                transaction.execute(
                    "DELETE FROM leases WHERE name = ? AND slot = ?", (_name(run_id), slot)
                )
            self._end_steps(transaction, run_id, living)
        return living

    def moment(self, transaction: Transaction) -> int:
        """Return the time by which claims are judged, microseconds since 1970."""
        return self._database.micros(transaction, now())

    def _end_steps(self, transaction: Transaction, run_id: str, living: list[StepClaim]) -> None:
        """Kill the running steps that no living claim covers, or executes items of."""
        moment = self.moment(transaction)
        rows = transaction.execute(
            "SELECT step, step_run_id FROM step_runs WHERE run_id = ? AND state = 'running'",
            (run_id,),
        ).fetchall()
        for step, step_run_id in rows:
            if any(claim.covers(step) for claim in living):
                continue
            if transaction.execute(_END, (_ERROR, moment, moment, step_run_id)).rowcount:
                about, facts = (run_id, step, step_run_id), {"error": _ERROR}
                self._outbox.note_step(transaction, about, StepState.KILLED, facts)


def _name(run_id: str) -> str:
    return f"run:{run_id}"
