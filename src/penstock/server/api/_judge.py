"""judge: what the server makes of an operation that could pass a gate (decision 0068).

One table from operation to judgement. The rules are in the packages that own them; a judgement
returns the arguments with which the store is called, or raises what the command would raise.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

# As packages: what judges is loaded by the first request that is judged, not by the start.
from penstock import execution, registry, serving
from penstock.core import ParameterError, current_identity
from penstock.stores.rest import Operation

if TYPE_CHECKING:
    from penstock.stores import Store

Arguments = Mapping[str, Any]


def is_judged(operation: Operation) -> bool:
    """Return whether an operation is judged before it is done."""
    return (operation.noun, operation.verb) in _JUDGEMENTS


def judge(operation: Operation, arguments: dict[str, Any], *, store: "Store") -> dict[str, Any]:
    """Judge an operation, and return the arguments with which it is done.

    Args:
        operation: The operation.
        arguments: Arguments by name, with whoever has signed in as the actor.
        store: The store, whose facts decide.

    Raises:
        GateError: If a gate did not pass or an approval is missing.
        ConflictError: If it does not fit what is recorded.
    """
    found = _JUDGEMENTS.get((operation.noun, operation.verb))
    return arguments if found is None else found(store, arguments)


def _moves(store: "Store", arguments: Arguments) -> dict[str, Any]:
    return registry.judge_moves(**arguments, store=store)


def _approval(store: "Store", arguments: Arguments) -> dict[str, Any]:
    return {**arguments, "approval": registry.judge_approval(arguments["approval"], store=store)}


def _new_version(store: "Store", arguments: Arguments) -> dict[str, Any]:
    version = replace(arguments["version"], version=0)
    gates = registry.judge_claims(version.gates, version, report=version.report, store=store)
    return {**arguments, "version": replace(version, gates=gates)}


def _changed_version(store: "Store", arguments: Arguments) -> dict[str, Any]:
    if "report" not in arguments and "gates" not in arguments:
        return dict(arguments)
    found = store.metadata.models.get_version(arguments["model"], arguments["version"])
    report = arguments.get("report", found.report)
    if report is None and found.report is not None:
        raise ParameterError(
            what=f"The report of {found.ref} would be removed.",
            why="Its gates are judged by it.",
            fix="Send another report, or leave it.",
        )
    if "gates" not in arguments:
        return dict(arguments)
    gates = registry.judge_claims(arguments["gates"], found, report=report, store=store)
    return {**arguments, "gates": gates}


def _deployment(store: "Store", arguments: Arguments) -> dict[str, Any]:
    serving.judge_deployment(arguments["deployment"], store=store)
    return dict(arguments)


def _decision(store: "Store", arguments: Arguments) -> dict[str, Any]:
    execution.require_decision(arguments["decision"], store=store)
    return dict(arguments)


def _run(_store: "Store", arguments: Arguments) -> dict[str, Any]:
    identity = current_identity()
    if "user" in arguments and identity is not None and identity.attested:
        raise ParameterError(
            what="The user of a run would be changed.",
            why="Whoever ran it trained its models, and does not approve them.",
            fix="Leave it out.",
            field="user",
        )
    return dict(arguments)


_JUDGEMENTS: Mapping[tuple[str, str], Callable[["Store", Arguments], dict[str, Any]]] = {
    ("deployments", "save"): _deployment,
    ("models", "add_approval"): _approval,
    ("models", "create_version"): _new_version,
    ("models", "move_stages"): _moves,
    ("models", "update_version"): _changed_version,
    ("runs", "update"): _run,
    ("steps", "add_decision"): _decision,
}
