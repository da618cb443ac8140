"""Model versions, the hash-chained log of their moves, approvals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.core import (
    NAME_BYTES,
    ApprovalRecord,
    DeploymentEvent,
    DeploymentRecord,
    GateResult,
    GateState,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    Stage,
    StageEvent,
    current_actor,
    current_identity,
    did_you_mean,
    now,
    require_label,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._audit import note_change
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database, Transaction
from penstock.stores.metadata._deployments import write_deployment
from penstock.stores.metadata._outbox import Outbox
from penstock.stores.metadata._settings import count_change
from penstock.stores.metadata._stage_events import EVENTS, REGISTERED, add_event
from penstock.stores.metadata._stage_rules import (
    note_force,
    require_new,
    require_only_one,
    require_possible,
    require_revision,
)


def _read_gates(text: str) -> tuple[GateResult, ...]:
    return tuple(
        GateResult(gate, GateState(state), reason) for gate, state, reason in load_json(text)
    )


def _gates_text(gates: Sequence[GateResult]) -> str:
    return dump_json([[gate.gate, gate.state.value, gate.reason] for gate in gates])


VERSIONS = RecordTable(
    "model_versions",
    ModelVersionRecord,
    times=("created_at",),
    structures=("signature", "metrics"),
    kinds={"stage": Stage, "gates": (_gates_text, _read_gates)},
    without=("tags",),
)
APPROVALS = RecordTable(
    "approvals", ApprovalRecord, times=("at", "expires_at"), flags=("approved",)
)
_CHANGEABLE = ("gates", "card", "note", "report", "profile")
_ADD_MODEL = "INSERT INTO models (model, created_at, note) VALUES (?, ?, '') ON CONFLICT DO NOTHING"
_ADD_METRIC = 'INSERT INTO version_metrics (model, version, "key", value) VALUES (?, ?, ?, ?)'
_TAGS = 'SELECT "key", value FROM version_tags WHERE model = ? AND version = ? ORDER BY "key"'


class ModelVersions:
    """The version methods of ModelStore."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database, self._outbox = database, outbox

    def create_version(self, version: ModelVersionRecord, *, actor: str) -> ModelVersionRecord:
        """See ModelStore."""
        require_new(version)
        require_label(version.model, "model", most=NAME_BYTES)
        with self._database.write(durable=True) as transaction:
            # A repeated registration of the same result must not create a second version.
            same = transaction.execute(
                f"{VERSIONS.select} WHERE model = ? AND content_digest = ? AND run_id = ?",
                (version.model, version.content_digest, version.run_id),
            ).fetchone()
            if same is not None:
                return read_versions(transaction, [same])[0]
            newest = transaction.execute(
                "SELECT COALESCE(MAX(version), 0) FROM model_versions WHERE model = ?",
                (version.model,),
            ).fetchone()[0]
            version = replace(version, version=newest + 1, revision=1)
            transaction.execute(VERSIONS.insert, VERSIONS.row(version))
            transaction.execute(_ADD_MODEL, (version.model, to_micros(version.created_at)))
            transaction.executemany(
                _ADD_METRIC,
                [
                    (version.model, version.version, key, None if math.isnan(value) else value)
                    for key, value in version.metrics.items()
                ],
            )
            event = _registered(version, actor)
            add_event(transaction, event)
            self._outbox.note_version(transaction, "registered", version, event)
            count_change(transaction)
        return version

    def get_version(self, model: str, version: int) -> ModelVersionRecord:
        """See ModelStore."""
        with self._database.read() as transaction:
            return _get(transaction, model, version)

    def list_versions(self, model: str) -> list[ModelVersionRecord]:
        """See ModelStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{VERSIONS.select} WHERE model = ? ORDER BY version", (model,)
            ).fetchall()
            if not rows:
                raise _no_model(transaction, model)
            return read_versions(transaction, rows)

    def update_version(
        self,
        model: str,
        version: int,
        *,
        expected_revision: int,
        actor: str | None = None,
        **changes: Any,
    ) -> ModelVersionRecord:
        """See ModelStore."""
        for name in changes:
            if name not in _CHANGEABLE:
                raise ParameterError(
                    what=f"A model version's {name!r} cannot be changed.",
                    why="A version is the same for ever but for its stage, gates, card and note.",
                    fix=f"{did_you_mean(name, _CHANGEABLE)} Move stages with move_stages.",
                )
        with self._database.write(durable=True) as transaction:
            record = _get(transaction, model, version)
            require_revision(record, expected_revision)
            changed = replace(record, revision=record.revision + 1, **changes)
            _note_gates(transaction, record, changed.gates, actor or current_actor(), now())
            _store(transaction, changed)
            # Gates are in the model's history; a card is written by every registration.
            if facts := dict.fromkeys(changes.keys() - {"gates", "card"}, True):
                note_change(
                    transaction, self._database, "version.change", record.ref, facts, actor=actor
                )
            count_change(transaction)
        return changed

    def move_stages(
        self,
        moves: Sequence[StageEvent],
        *,
        expected: Mapping[int, int],
        gates: Mapping[int, Sequence[GateResult]] | None = None,
        approvals: Sequence[ApprovalRecord] = (),
        deployments: Sequence[tuple[DeploymentRecord, DeploymentEvent]] = (),
        forced: bool = False,
        accepts_changes: bool = False,  # noqa: ARG002 - for a server, which judges first
    ) -> None:
        """See ModelStore."""
        with self._database.write(durable=True) as transaction:
            # Out of production first: at no moment may there be two production versions.
            for move in sorted(moves, key=lambda move: move.to_stage is Stage.PRODUCTION):
                moved = _move(transaction, move, expected, (gates or {}).get(move.version))
                if forced and move.to_stage is Stage.PRODUCTION:
                    note_force(transaction, self._database, moved, move)
                self._outbox.note_version(transaction, move.to_stage, moved, move)
            # In the same transaction: a promotion never exists without its approvals.
            for approval in approvals:
                transaction.execute(APPROVALS.insert, APPROVALS.row(_signed(approval)))
            for deployment, event in deployments:
                write_deployment(transaction, deployment, deployment.generation, event)
                self._outbox.note_deployment(transaction, event, deployment.model)
            count_change(transaction)

    def list_stage_events(self, model: str) -> list[StageEvent]:
        """See ModelStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{EVENTS.select} WHERE model = ? ORDER BY id", (model,)
            ).fetchall()
        return [EVENTS.read(row) for row in rows]

    def version_at(self, model: str, stage: Stage, at: datetime) -> int | None:
        """See ModelStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT version, from_stage, to_stage FROM stage_events"
                " WHERE model = ? AND at <= ? ORDER BY id",
                (model, to_micros(at)),
            ).fetchall()
        # The last to enter and not to leave: several can be in staging at once.
        inside: dict[int, None] = {}
        for version, from_stage, to_stage in rows:
            if from_stage == to_stage and version in inside:
                continue  # a gate was evaluated or an approval added: nothing moved
            inside.pop(version, None)
            if to_stage == stage:
                inside[version] = None
        return next(reversed(inside), None)

    def add_approval(self, approval: ApprovalRecord) -> None:
        """See ModelStore."""
        with self._database.write(durable=True) as transaction:
            record = _get(transaction, approval.model, approval.version)
            approval = _signed(approval)
            transaction.execute(APPROVALS.insert, APPROVALS.row(approval))
            said = "Approved" if approval.approved else "Refused"
            event = _remark(record, approval.actor, f"{said}: {approval.reason}", approval.at)
            add_event(transaction, event)
            self._outbox.note_version(transaction, said.lower(), record, event)
            count_change(transaction)

    def list_approvals(self, model: str, version: int) -> list[ApprovalRecord]:
        """See ModelStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{APPROVALS.select} WHERE model = ? AND version = ? ORDER BY id", (model, version)
            ).fetchall()
        return [APPROVALS.read(row) for row in rows]


def read_versions(transaction: Transaction, rows: Sequence[Any]) -> list[ModelVersionRecord]:
    """Read rows of versions, each with the version's tags."""
    versions = []
    for row in rows:
        version = VERSIONS.read(row)
        tags = transaction.execute(_TAGS, (version.model, version.version)).fetchall()
        versions.append(replace(version, tags=dict(tags)) if tags else version)
    return versions


def _registered(version: ModelVersionRecord, actor: str) -> StageEvent:
    return StageEvent(
        version.model,
        version.version,
        version.stage,
        version.stage,
        actor,
        REGISTERED,
        version.created_at,
    )


def _signed(approval: ApprovalRecord) -> ApprovalRecord:
    """Return an approval by whoever has signed in, whatever the record says."""
    identity = current_identity()
    if identity is None:
        return approval
    return replace(approval, actor=identity.actor, attested=identity.attested)


def _remark(version: ModelVersionRecord, actor: str, text: str, at: datetime) -> StageEvent:
    """Return an event of a version that stays in the same stage."""
    return StageEvent(version.model, version.version, version.stage, version.stage, actor, text, at)


def _note_gates(
    transaction: Transaction,
    record: ModelVersionRecord,
    gates: Sequence[GateResult],
    actor: str,
    at: datetime,
) -> None:
    """Write changed gate results into the history."""
    if tuple(gates) == tuple(record.gates):
        return
    answered = {gate.gate for gate in gates}
    missing = [gate.gate for gate in record.gates if gate.gate not in answered]
    if missing:
        raise ParameterError(
            what=f"The gate {missing[0]!r} of {record.ref} would be erased.",
            why="Gates are declared when a version is registered and stay with it.",
            fix="Give a result for every gate, or register a version with different gates.",
            gates=missing,
        )
    text = "; ".join(f"'{gate.gate}' {gate.state.value}: {gate.reason}" for gate in gates)
    add_event(transaction, _remark(record, actor, f"Gates judged: {text}", at))


def _move(
    transaction: Transaction,
    move: StageEvent,
    expected: Mapping[int, int],
    gates: Sequence[GateResult] | None,
) -> ModelVersionRecord:
    record = _get(transaction, move.model, move.version)
    require_possible(record, move, expected.get(move.version))
    if move.to_stage is Stage.PRODUCTION:
        require_only_one(transaction, move)
    judged = record.gates if gates is None else tuple(gates)
    _note_gates(transaction, record, judged, move.actor, move.at)
    moved = replace(record, stage=move.to_stage, gates=judged, revision=record.revision + 1)
    _store(transaction, moved)
    add_event(transaction, move)
    return moved


def _store(transaction: Transaction, version: ModelVersionRecord) -> None:
    transaction.execute(
        "UPDATE model_versions SET stage = ?, gates = ?, card = ?, note = ?, report = ?,"
        " profile = ?, revision = ? WHERE model = ? AND version = ?",
        (
            version.stage.value,
            _gates_text(version.gates),
            version.card,
            version.note,
            version.report,
            version.profile,
            version.revision,
            version.model,
            version.version,
        ),
    )


def _get(transaction: Transaction, model: str, version: int) -> ModelVersionRecord:
    row = transaction.execute(
        f"{VERSIONS.select} WHERE model = ? AND version = ?", (model, version)
    ).fetchone()
    if row is not None:
        return read_versions(transaction, [row])[0]
    rows = transaction.execute(
        "SELECT version FROM model_versions WHERE model = ? ORDER BY version", (model,)
    ).fetchall()
    if not rows:
        raise _no_model(transaction, model)
    raise NotFoundError(
        what=f"Model {model!r} has no version {version}.",
        fix=f"It has {', '.join(str(row[0]) for row in rows[-8:])}.",
        model=model,
        version=version,
    )


def list_models(transaction: Transaction) -> list[str]:
    rows = transaction.execute("SELECT DISTINCT model FROM model_versions ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _no_model(transaction: Transaction, model: str) -> NotFoundError:
    return NotFoundError(
        what=f"There is no model {model!r}.",
        fix=f"{did_you_mean(model, list_models(transaction))} List them with: penstock models",
        model=model,
    )
