"""Model versions, the hash-chained log of their moves, approvals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from penstock.core import (
    STAGE_MOVES,
    ApprovalRecord,
    ConflictError,
    GateResult,
    GateState,
    ModelVersionRecord,
    NotFoundError,
    ParameterError,
    Stage,
    StageEvent,
    did_you_mean,
    digest_json,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._changes import count_change
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database, Transaction


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
EVENTS = RecordTable(
    "stage_events",
    StageEvent,
    times=("at",),
    kinds={"from_stage": Stage, "to_stage": Stage},
)
APPROVALS = RecordTable("approvals", ApprovalRecord, times=("at",), flags=("approved",))
_CHANGEABLE = ("gates", "card", "note", "report", "profile")
_REGISTERED = "registered"
_ADD_MODEL = "INSERT INTO models (model, created_at, note) VALUES (?, ?, '') ON CONFLICT DO NOTHING"
_ADD_METRIC = 'INSERT INTO version_metrics (model, version, "key", value) VALUES (?, ?, ?, ?)'
_TAGS = 'SELECT "key", value FROM version_tags WHERE model = ? AND version = ? ORDER BY "key"'


def stage_event_hash(previous: str, event: StageEvent) -> str:
    """Digest an event together with the hash of the model's event before it.

    Args:
        previous: That hash; empty for the model's first event.
        event: The event; its own ``hash`` does not count.
    """
    return digest_json(
        [
            previous,
            event.model,
            event.version,
            event.from_stage.value,
            event.to_stage.value,
            event.actor,
            event.reason,
            to_micros(event.at),
        ]
    )


class Registry:
    """The part of MetadataStore about model versions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create_model_version(
        self, version: ModelVersionRecord, *, actor: str
    ) -> ModelVersionRecord:
        """See MetadataStore."""
        with self._database.write(durable=True) as transaction:
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
            _add_event(transaction, _registered(version, actor))
            count_change(transaction)
        return version

    def get_model_version(self, model: str, version: int) -> ModelVersionRecord:
        """See MetadataStore."""
        with self._database.read() as transaction:
            return _get(transaction, model, version)

    def list_models(self) -> list[str]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            return _models(transaction)

    def list_model_versions(self, model: str) -> list[ModelVersionRecord]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{VERSIONS.select} WHERE model = ? ORDER BY version", (model,)
            ).fetchall()
            if not rows:
                raise _no_model(transaction, model)
            return read_versions(transaction, rows)

    def update_model_version(
        self, model: str, version: int, *, expected_revision: int, **changes: Any
    ) -> ModelVersionRecord:
        """See MetadataStore."""
        for name in changes:
            if name not in _CHANGEABLE:
                raise ParameterError(
                    what=f"A model version's {name!r} cannot be changed.",
                    why="A version is the same for ever but for its stage, gates, card and note.",
                    fix=f"{did_you_mean(name, _CHANGEABLE)} Move stages with move_stages.",
                )
        with self._database.write(durable=True) as transaction:
            found = _get(transaction, model, version)
            _check_revision(found, expected_revision)
            changed = replace(found, revision=found.revision + 1, **changes)
            _store(transaction, changed)
            count_change(transaction)
        return changed

    def move_stages(self, moves: Sequence[StageEvent], *, expected: Mapping[int, int]) -> None:
        """See MetadataStore."""
        with self._database.write(durable=True) as transaction:
            # Out of production first: at no moment may there be two production versions.
            for move in sorted(moves, key=lambda move: move.to_stage is Stage.PRODUCTION):
                _move(transaction, move, expected)
            count_change(transaction)

    def list_stage_events(self, model: str) -> list[StageEvent]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{EVENTS.select} WHERE model = ? ORDER BY id", (model,)
            ).fetchall()
        return [EVENTS.read(row) for row in rows]

    def version_at(self, model: str, stage: Stage, at: datetime) -> int | None:
        """See MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                "SELECT version, to_stage FROM stage_events"
                " WHERE model = ? AND at <= ? ORDER BY id",
                (model, to_micros(at)),
            ).fetchall()
        # The last one to enter and not to leave: several can be in staging at once.
        inside: dict[int, None] = {}
        for version, to_stage in rows:
            inside.pop(version, None)
            if to_stage == stage:
                inside[version] = None
        return next(reversed(inside), None)

    def add_approval(self, approval: ApprovalRecord) -> None:
        """See MetadataStore."""
        with self._database.write(durable=True) as transaction:
            _get(transaction, approval.model, approval.version)
            transaction.execute(APPROVALS.insert, APPROVALS.row(approval))
            count_change(transaction)

    def list_approvals(self, model: str, version: int) -> list[ApprovalRecord]:
        """See MetadataStore."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"{APPROVALS.select} WHERE model = ? AND version = ? ORDER BY id", (model, version)
            ).fetchall()
        return [APPROVALS.read(row) for row in rows]


def read_versions(transaction: Transaction, rows: Sequence[Any]) -> list[ModelVersionRecord]:
    """Read rows of versions, each with its tags."""
    found = []
    for row in rows:
        version = VERSIONS.read(row)
        tags = transaction.execute(_TAGS, (version.model, version.version)).fetchall()
        found.append(replace(version, tags=dict(tags)) if tags else version)
    return found


def _registered(version: ModelVersionRecord, actor: str) -> StageEvent:
    return StageEvent(
        version.model,
        version.version,
        version.stage,
        version.stage,
        actor,
        _REGISTERED,
        version.created_at,
    )


def _move(transaction: Transaction, move: StageEvent, expected: Mapping[int, int]) -> None:
    found = _get(transaction, move.model, move.version)
    _check_revision(found, expected.get(move.version))
    if found.stage != move.from_stage or move.to_stage not in STAGE_MOVES[found.stage]:
        raise ConflictError(
            what=f"{found.ref} is {found.stage} and cannot move from {move.from_stage}"
            f" to {move.to_stage}.",
            why="Rejected is final, and only a rollback brings an archived version back."
            if found.stage == move.from_stage
            else "Someone else moved it.",
            fix=f"See: penstock history {move.model}",
            stage=found.stage,
        )
    if move.to_stage is Stage.PRODUCTION:
        _check_only_one(transaction, move)
    _store(transaction, replace(found, stage=move.to_stage, revision=found.revision + 1))
    _add_event(transaction, move)


def _check_only_one(transaction: Transaction, move: StageEvent) -> None:
    row = transaction.execute(
        "SELECT version FROM model_versions WHERE model = ? AND stage = 'production'",
        (move.model,),
    ).fetchone()
    if row is not None:
        raise ConflictError(
            what=f"{move.model}@{row[0]} is in production already.",
            why="A model has one production version: the champion.",
            fix=f"Archive {move.model}@{row[0]} in the same call.",
            version=row[0],
        )


def _add_event(transaction: Transaction, event: StageEvent) -> None:
    row = transaction.execute(
        "SELECT hash FROM stage_events WHERE model = ? ORDER BY id DESC LIMIT 1", (event.model,)
    ).fetchone()
    event = replace(event, hash=stage_event_hash(row[0] if row else "", event))
    transaction.execute(EVENTS.insert, EVENTS.row(event))


def _check_revision(found: ModelVersionRecord, expected: int | None) -> None:
    if expected != found.revision:
        raise ConflictError(
            what=f"{found.ref} is at revision {found.revision}, not {expected}.",
            why="Someone else changed it after you looked.",
            fix="Look again, and repeat what you did if it is still right.",
            revision=found.revision,
        )


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


def _models(transaction: Transaction) -> list[str]:
    rows = transaction.execute("SELECT DISTINCT model FROM model_versions ORDER BY 1").fetchall()
    return [row[0] for row in rows]


def _no_model(transaction: Transaction, model: str) -> NotFoundError:
    return NotFoundError(
        what=f"There is no model {model!r}.",
        fix=f"{did_you_mean(model, _models(transaction))} List them with: penstock models",
        model=model,
    )
