"""Run a recorded run's steps again, each on its recorded inputs; the child process of verify.

Each step gets the inputs that were recorded, not those that the replay made: so a step that
differs is named alone, and if every step comes out equal, the whole chain does, by induction.
"""

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.core import NotFoundError, PenstockError, StepRunRecord, StepState, Verdict
from penstock.execution import (
    NOT_TAKEN,
    bind_arguments,
    execute_step,
    load_inputs,
    load_pipeline,
)
from penstock.pipelines import ITEM, NOTHING, Graph, Node, Output, part_of
from penstock.proofs._difference import Closeness, Difference, find_differences
from penstock.proofs._records import StepVerdict
from penstock.proofs._suspects import list_suspects
from penstock.stores import Store, open_store
from penstock.tracking import StepContext, start_run, use_step

_SHOWN = 5
_GOOD = frozenset({StepState.FINISHED, StepState.CACHED})


def replay(request: Mapping[str, Any]) -> list[StepVerdict]:
    """Execute the steps of a recorded run again and compare every output.

    Args:
        request: ``store`` and ``artifacts`` URLs, ``scratch`` folder, ``run_id``, ``target`` of the
            restored pipeline, ``steps`` (names, or None for all), ``reread``.
    """
    store = open_store(request["store"], artifacts=request["artifacts"] or None)
    run = store.metadata.get_run(request["run_id"])
    pipeline = load_pipeline(request["target"])
    graph = pipeline.trace(**pipeline.bind(run.arguments))
    graph = part_of(graph, **(run.graph or {}).get("asked", {}))
    recorded = {step.step: step for step in store.metadata.list_steps(run.run_id)}
    chosen = request["steps"]
    scratch = open_store(f"sqlite:///{request['scratch']}/scratch.db")
    with start_run("replay", store=scratch):
        return [
            verdict
            for node in graph.order()
            if chosen is None or any(_is_in(name, node.name) for name in chosen)
            for verdict in _judge(store, graph, node, recorded, reread=request["reread"])
            if chosen is None or verdict.step in chosen
        ]


def _judge(
    store: Store, graph: Graph, node: Node, recorded: Mapping[str, StepRunRecord], *, reread: bool
) -> Iterator[StepVerdict]:
    """Judge a node; of a map or loop every item, then what was made of them."""
    record = recorded.get(node.name)
    if record is not None and NOT_TAKEN in record.facts:
        return
    if not node.is_expanded or record is None or record.state not in _GOOD:
        yield _judge_step(store, node, record, reread=reread)
        return
    made_in = record.facts.get("items_in", record.run_id)
    if made_in != record.run_id:  # it was reused as a whole: its items are in that run
        try:
            recorded = {step.step: step for step in store.metadata.list_steps(made_in)}
        except NotFoundError:
            recorded = {}
    inner = {
        name: found
        for name in recorded
        if name != node.name and _is_in(name, node.name)
        if (found := graph.find(name)) is not None
    }
    deeper = [name for name, found in inner.items() if found.is_expanded]
    verdicts: list[StepVerdict] = []
    outputs: set[str] = set()
    for name, found in inner.items():
        if not any(name != other and _is_in(name, other) for other in deeper):
            verdicts += _judge(store, graph, found, recorded, reread=reread)
            outputs.update(recorded[name].outputs.values())
    yield from verdicts
    yield _judge_whole(store, node, record, outputs, items=len(verdicts))


def _judge_whole(
    store: Store, node: Node, record: StepRunRecord, known: set[str], *, items: int
) -> StepVerdict:
    """Check that what a map or loop gave is made of what its items gave."""
    if not items and record.facts.get("items"):
        reason = "It was reused from a run that is gone, and its items with it."
        return StepVerdict(node.name, Verdict.CANNOT_VERIFY, "missing", reason)
    verdict = _check_stored(store, node, record)
    foreign = 0
    for digest in record.outputs.values():
        whole = store.metadata.get_artifact(record.addresses.get(digest, digest))
        parts = [whole] if node.at_most else store.parts(whole).values()
        given = set(record.inputs.values())
        foreign += sum(
            p.content_digest not in known and p.content_digest not in given for p in parts
        )
    if foreign and not _gives_items(node):
        reason = f"{foreign} of its values were given by none of its items."
        return replace(verdict, verdict=Verdict.DIFFERS, reason=reason)
    if verdict.verdict is not Verdict.BITWISE:
        return verdict
    told = "round" if node.at_most else "item"
    reason = f"It is made of what its {items} {told}{'' if items == 1 else 's'} gave."
    return replace(verdict, reason=reason)


def _is_in(name: str, node: str) -> bool:
    """Say whether a step is a node, or an item of it."""
    return name == node or name.startswith(f"{node}[")


def _gives_items(node: Node) -> bool:
    """True if a mapped pipeline gives back what it was given."""
    return isinstance(node.gives, Output) and node.gives.name == ITEM


def _judge_step(
    store: Store, node: Node, record: StepRunRecord | None, *, reread: bool
) -> StepVerdict:
    if record is None or record.state not in _GOOD:
        state = "not recorded" if record is None else record.state.value
        return StepVerdict(
            node.name, Verdict.CANNOT_VERIFY, "missing", f"The step is {state} in this run."
        )
    if node.step.effect:
        return StepVerdict(
            node.name,
            Verdict.BITWISE,
            "effect",
            "It changes the world outside and is not repeated; what it was given is compared.",
        )
    try:
        if node.step.source and not reread:
            return _check_stored(store, node, record)
        return _execute(store, node, record)
    except PenstockError as error:
        removed = "Its values were removed by penstock gc --outputs-older-than. "
        reason = f"{removed if record.facts.get('let_go') else ''}{error}"
        return StepVerdict(node.name, Verdict.CANNOT_VERIFY, "missing", reason)


def _check_stored(store: Store, node: Node, record: StepRunRecord) -> StepVerdict:
    """Read a source step's recorded outputs and check that they are what was recorded."""
    started = time.perf_counter()
    outputs = {}
    for name, digest in record.outputs.items():
        value = store.get(record.addresses.get(digest, digest), check=True)
        outputs[name] = {"recorded": digest, "found": store.digest(value)}
    equal = all(pair["recorded"] == pair["found"] for pair in outputs.values())
    return StepVerdict(
        node.name,
        Verdict.BITWISE if equal else Verdict.DIFFERS,
        "replayed",
        "Read from the stored snapshot; its digest is as recorded."
        if equal
        else "The stored snapshot is not what was recorded.",
        outputs=outputs,
        seconds=time.perf_counter() - started,
    )


def _execute(store: Store, node: Node, record: StepRunRecord) -> StepVerdict:
    context = StepContext(node.name, record.step_run_id, record.seed)
    with use_step(context):
        outcome = execute_step(
            node.name,
            node.step,
            bind_arguments(node, load_inputs(store, record)),
            seed=record.seed,
            threads=record.facts.get("threads"),
        )
    if outcome.error is not None:
        return StepVerdict(
            node.name,
            Verdict.CANNOT_VERIFY,
            "executed",
            f"It finished when it was recorded and raised now: {outcome.error}",
            cause="; ".join(list_suspects(node.step.function)[:_SHOWN]),
            seconds=outcome.seconds,
        )
    return _compare(store, node, record, outcome.outputs, outcome.seconds)


def _compare(
    store: Store,
    node: Node,
    record: StepRunRecord,
    found: Mapping[str, Any],
    seconds: float,
) -> StepVerdict:
    outputs = {
        name: {"recorded": digest, "found": store.digest(found[name]) if _made(found, name) else ""}
        for name, digest in record.outputs.items()
    }
    unequal = [name for name, pair in outputs.items() if pair["recorded"] != pair["found"]]
    if not unequal:
        return StepVerdict(
            node.name,
            Verdict.BITWISE,
            "executed",
            "Every output came out bit for bit.",
            outputs=outputs,
            seconds=seconds,
        )
    differences = _locate(store, node, record, found, unequal)
    tolerated = bool(differences) and all(item.tolerated for item in differences)
    return StepVerdict(
        node.name,
        Verdict.WITHIN_TOLERANCE if tolerated else Verdict.DIFFERS,
        "executed",
        "Equal within the tolerance that the step declares."
        if tolerated
        else "The same inputs, code, parameters and seed gave another output.",
        outputs=outputs,
        differences=tuple(str(item) for item in differences[:_SHOWN]),
        cause="; ".join(list_suspects(node.step.function, root=Path.cwd())[:_SHOWN]),
        seconds=seconds,
    )


def _made(found: Mapping[str, Any], name: str) -> bool:
    return name in found and found[name] is not NOTHING


def _locate(
    store: Store,
    node: Node,
    record: StepRunRecord,
    found: Mapping[str, Any],
    names: list[str],
) -> list[Difference]:
    tolerance = node.step.tolerance
    close = Closeness(tolerance.rtol, tolerance.atol) if tolerance else Closeness()
    differences: list[Difference] = []
    for name in names:
        if not _made(found, name):
            differences.append(Difference(name, "an output", "nothing"))
            continue
        digest = record.outputs[name]
        stored = store.get(record.addresses.get(digest, digest))
        differences.extend(find_differences(stored, found[name], close, path=name))
    return differences


def main() -> None:
    """Read the request file named on the command line and write the answer beside it."""
    path = Path(sys.argv[1])
    request = json.loads(path.read_text(encoding="utf-8"))
    os.chdir(request["folder"])
    try:
        answer: dict[str, Any] = {"steps": [step.to_json() for step in replay(request)]}
    except PenstockError as error:
        answer = {"error": str(error)}
    path.with_suffix(".answer").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
