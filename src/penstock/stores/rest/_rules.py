"""RULES: the permission of every operation of the store, on one page.

An operation without a rule is served to nobody: the server does not start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import (
    EventRecord,
    ExperimentRecord,
    ModelRecord,
    ModelVersionRecord,
    Permission,
    RunRecord,
    ScheduleRecord,
    Stage,
    StageEvent,
    TickRecord,
    UserRecord,
)

_READ, _WRITE, _APPROVE, _OPERATE, _ADMIN = (
    Permission.READ,
    Permission.WRITE,
    Permission.APPROVE,
    Permission.OPERATE,
    Permission.ADMIN,
)
# Settings that runs and monitoring write: partitions, starts of triggers, accepted rows.
_OF_RUNS = ("partitions:", "trigger:", "accepted rows ")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an operation demands, and its form where the signature does not say.

    Args:
        permission: Permission of every call.
        changes: Record whose fields the operation changes by name; None if it changes none.
        also: Function from the arguments to further permissions of this call.
        repeats: Whether doing the operation twice is the same as once, without a request's id.
    """

    permission: Permission
    changes: type | None = None
    also: Callable[[Mapping[str, Any]], frozenset[Permission]] | None = None
    repeats: bool = False

    @property
    def only_reads(self) -> bool:
        """Whether no call changes the store."""
        return self.permission is Permission.READ and self.also is None

    def demands(self, arguments: Mapping[str, Any]) -> frozenset[Permission]:
        """Return all permissions that a call needs."""
        more = frozenset[Permission]() if self.also is None else self.also(arguments)
        return more | {self.permission}


def _of_moves(arguments: Mapping[str, Any]) -> frozenset[Permission]:
    """Return what moves of stages need: trainers propose, operators change what is live."""
    needed = {_of_move(move) for move in arguments["moves"]} or {_WRITE}
    needed |= {_OPERATE for _ in arguments.get("deployments", ())}
    needed |= {_ADMIN} if arguments.get("forced") else set()
    return frozenset(needed | {_APPROVE for _ in arguments.get("approvals", ())})


def _of_move(move: StageEvent) -> Permission:
    if {Stage.PRODUCTION, Stage.ARCHIVED} & {move.from_stage, move.to_stage}:
        return _OPERATE
    return _APPROVE if move.to_stage is Stage.REJECTED else _WRITE


def _of_setting(arguments: Mapping[str, Any]) -> frozenset[Permission]:
    """Return what a setting needs: promotions rest on them, but for those that runs write."""
    return frozenset({_WRITE if arguments["name"].startswith(_OF_RUNS) else _ADMIN})


_read, _write = Rule(_READ), Rule(_WRITE)
_again = Rule(_WRITE, repeats=True)
_operate, _admin = Rule(_OPERATE), Rule(_ADMIN)

RULES: Mapping[str, Mapping[str, Rule]] = {
    "runs": {
        "create": _write,
        "get": _read,
        "update": Rule(_WRITE, changes=RunRecord),
        "beat": _again,
        "kill_dead": _again,
        "note_missed": _again,
        "search": _read,
        "count": _read,
        "list_experiments": _read,
        "log_params": _again,
        "set_tags": _again,
        "delete_tags": _again,
        "create_experiment": _write,
        "rename_experiment": _write,
        "delete_experiment_tags": _again,
        "search_experiments": _read,
        "update_experiment": Rule(_WRITE, changes=ExperimentRecord),
        "set_experiment_tags": _again,
    },
    "metrics": {
        "log": _write,
        "append": _write,
        "journal_position": _write,
        "forget_journal": _again,
        "merge": _again,
        "history": _read,
        "copy": _write,
    },
    "steps": {
        "start": _write,
        "finish": _write,
        "find_cached": _again,
        "list_cached": _read,
        "add_decision": Rule(_APPROVE),
        "list_decisions": _read,
        "take_lease": _write,
        "list_holders": _read,
        "drop_lease": _again,
        "claim_step": _write,
        "release_step": _write,
        "add_logs": _write,
        "list_logs": _read,
        "find_run": _read,
        "list": _read,
    },
    "artifacts": {
        "add": _again,
        "renew": _again,
        "get": _read,
        "log": _again,
        "log_many": _again,
        "drop": _again,
        "add_edges": _again,
        "list_edges": _read,
        "add_snapshot": _write,
        "last_snapshot": _read,
        "list_snapshots": _read,
        "list_sources": _read,
        "add_proof": _write,
        "list_proofs": _read,
        "list": _read,
    },
    "models": {
        "search": _read,
        "create": _write,
        "delete_tags": _again,
        "delete_version_tags": _again,
        "update": Rule(_WRITE, changes=ModelRecord),
        "set_tags": _again,
        "search_versions": _read,
        "set_version_tags": _again,
        "create_version": _write,
        "get_version": _read,
        "list_versions": _read,
        "update_version": Rule(_WRITE, changes=ModelVersionRecord),
        "move_stages": Rule(_READ, also=_of_moves),
        "list_stage_events": _read,
        "version_at": _read,
        "add_approval": Rule(_APPROVE),
        "list_approvals": _read,
        "list": _read,
    },
    "deployments": {
        "save": _operate,
        "get": _read,
        "add_event": _operate,
        "list_events": _read,
        "add_report": _operate,
        "list_reports": _read,
        "save_alert": _operate,
        "list_alerts": _read,
        "list": _read,
    },
    "predictions": {
        "add": _operate,
        "get": _read,
        "get_many": _read,
        "add_truth": Rule(_OPERATE, repeats=True),
        "count": _read,
        "list": _read,
    },
    "schedules": {
        "save": _operate,
        "get": _read,
        "delete": Rule(_OPERATE, repeats=True),
        "advance": Rule(_OPERATE, changes=ScheduleRecord),
        "add_tick": _operate,
        "list_ticks": _read,
        "claim_tick": _operate,
        "update_tick": Rule(_OPERATE, changes=TickRecord),
        "list": _read,
    },
    # A webhook's record has its secret, so that reading it is for those who may change it.
    "hooks": {
        "save": _operate,
        "get": _operate,
        "delete": Rule(_OPERATE, repeats=True),
        "list_events": _operate,
        "count_events": _operate,
        "drop_events": _operate,
        "update_event": Rule(_OPERATE, changes=EventRecord),
        "list": _operate,
    },
    "settings": {
        "change_counter": _read,
        "get": _read,
        "add": Rule(_READ, also=_of_setting),
        "set": Rule(_READ, also=_of_setting),
    },
    "documents": {
        "add": _write,
        "get": _read,
        "save": _write,
        "delete": _again,
        "add_files": _again,
        "list_files": _read,
        "drop_files": _again,
        "list": _read,
    },
    "projects": {
        "save": _admin,
        "get": _read,
        "delete": _admin,
        "list": _read,
    },
    "users": {
        "add": _admin,
        "add_first": _admin,
        "get": _admin,
        "find_subject": _admin,
        "update": Rule(_ADMIN, changes=UserRecord),
        "is_password": _admin,
        "note_seen": _admin,
        "list": _admin,
        "count": _admin,
        "grant": _admin,
        "revoke": _admin,
        "replace_grants": _admin,
        "list_grants": _admin,
    },
    "tokens": {
        "add": _admin,
        "get": _admin,
        "find": _admin,
        "revoke": _admin,
        "note_used": _admin,
        "list": _admin,
        "add_session": _admin,
        "find_session": _admin,
        "note_session": _admin,
        "end_sessions": _admin,
        "end_provider_sessions": _admin,
        "get_failures": _admin,
        "note_failure": _admin,
        "clear_failures": _admin,
    },
    "audit": {
        "add": _admin,
        "list": _admin,
        "verify": _admin,
    },
    "bytes": {
        "exists": _read,
        "verify": _read,
        "written_at": _read,
        "link": _read,
        "delete": Rule(_ADMIN, repeats=True),
        "claim": Rule(_ADMIN, repeats=True),
        "claims": _read,
        "list": _read,
    },
}
