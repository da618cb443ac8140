"""``why``: the parts of a step's key that changed since an earlier run, from both records."""

import ast
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from penstock.core import (
    NotFoundError,
    PenstockError,
    RunRecord,
    StepRunRecord,
    StepState,
    did_you_mean,
)
from penstock.execution.engine import (
    GOOD_STATES,
    NOT_REUSED,
    read_manifest,
    read_source,
)
from penstock.pipelines import PipelineSpec, StepSpec
from penstock.stores import open_store

if TYPE_CHECKING:
    from penstock.stores import Store

_LOOKED_AT = 200  # runs, newest first, searched for a run to compare with
_PAGE = 25
_CONTEXT = 2
_OF_ONE_FILE = 6  # entries of a file's state in a trace
_CALLED = {"environment": "environment variable"}


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A part of a step's key that differs from an earlier run.

    Args:
        step: Step that has the part: the given step, or a step before it.
        kind: ``code``, ``package``, ``argument``, ``input``, ``source``, ``used`` (declared in
            ``uses``), ``class``, ``seed``, ``python``; ``file`` and ``environment`` (read by the
            step while it ran); or ``result`` where equal keys gave different values.
        name: Name of the part: ``util.py:helper``, ``learning_rate``, ``polars``.
        before: Earlier value; None if the part is new.
        after: Present value; None if the part is gone.
        diff: For code, the lines of the difference, as far as both sources are recorded.
    """

    step: str
    kind: str
    name: str
    before: str | None = None
    after: str | None = None
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """Why a step was executed, or was not.

    Args:
        run_id: The run.
        step: The step.
        executed: False if the result was reused.
        against: The earlier run of the comparison; None if there is none.
        reason: The reason as a sentence.
        changes: Changed parts of the key, and for changed inputs the changes before them.
    """

    run_id: str
    step: str
    executed: bool
    against: str | None
    reason: str
    changes: tuple[KeyChange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON."""
        from dataclasses import asdict

        return asdict(self)


def why(
    run: str, step: str, *, against: str | None = None, store: "Store | str | None" = None
) -> Why:
    """Explain why a step was executed or reused, and which part of the key changed.

    >>> import tempfile
    >>> import penstock as ps
    >>> @ps.step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @ps.pipeline
    ... def job(number: int = 1) -> int:
    ...     return double(number)
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> _ = [ps.run(job, number=number, store=url) for number in (1, 2)]
    >>> [
    ...     (change.kind, change.name, change.before, change.after)
    ...     for change in why("last", "double", store=url).changes
    ... ]
    [('argument', 'number', '1', '2')]

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the step in the pipeline.
        against: The run to compare with; by default the last earlier run in which the step ended
            well.
        store: Store that has the runs; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step.
    """
    opened = open_store(store)
    side = _Side(opened, opened.metadata.runs.get(run))
    record = side.step(step)
    other = _Side(opened, opened.metadata.runs.get(against)) if against else _before(side, step)
    if against and other is not None:
        other.step(step)
    if not against and (kept := _kept(side.run, record)):
        return Why(side.run.run_id, step, False, None, kept)
    executed = record.state is not StepState.CACHED
    told = other.run.run_id if other else None
    if not executed and not against:
        reason = _reused(side, record)
        return Why(side.run.run_id, step, False, told, reason)
    if "key_parts" not in record.facts:
        reason = record.error or f"It is {record.state.value}: its key was not made."
        return Why(side.run.run_id, step, executed, told, reason)
    changes = tuple(_changes(side, other, step)) if other else ()
    reason = _reason(side, other, record, changes)
    return Why(side.run.run_id, step, executed, told, reason, changes)


def _kept(run: RunRecord, record: StepRunRecord) -> str:
    """Explain why a resumed run did not repeat a step; empty for a step of the last attempt."""
    resumed = PipelineSpec.from_json(run.graph).resumed_at
    if resumed is None or record.ended_at is None or record.state not in GOOD_STATES:
        return ""
    if record.ended_at >= datetime.fromisoformat(resumed):
        return ""
    return (
        f"Kept when the run was resumed (attempt {run.attempt}): code, arguments, inputs and seed"
        " are the same as in the attempt that executed it."
    )


class _Side:
    """A run with the records of the steps."""

    def __init__(self, store: "Store", run: RunRecord) -> None:
        self.store, self.run = store, run

    @cached_property
    def steps(self) -> Mapping[str, StepRunRecord]:
        return {step.step: step for step in self.store.metadata.steps.list(self.run.run_id)}

    def step(self, name: str) -> StepRunRecord:
        if name not in self.steps:
            raise NotFoundError(
                what=f"Run {self.run.run_id} has no step {name!r}.",
                fix=did_you_mean(name, self.steps),
                run_id=self.run.run_id,
            )
        return self.steps[name]

    @cached_property
    def spec(self) -> PipelineSpec:
        return PipelineSpec.from_json(self.run.graph)

    def step_spec(self, name: str) -> StepSpec:
        """Return a step as recorded; for an item of a map, nothing is known but the name."""
        found = (step for step in self.spec.steps if step.name == name)
        return next(found, StepSpec(name))

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The recorded sources; empty if they are gone."""
        try:
            return read_source(read_manifest(self.run, store=self.store), store=self.store)
        except PenstockError:
            return {}

    def giver(self, step: str, argument: str) -> str | None:
        """Return the name of the step that an input comes from."""
        place = (step, argument)
        found = (e.source for e in self.spec.edges if (e.target, e.argument) == place)
        return next(found, None)


def _earlier(side: _Side) -> Iterator[_Side]:
    """Iterate over the earlier runs of the pipeline, newest first."""
    name = str(side.run.pipeline).replace("'", "''")
    after = side.run.run_id
    for _ in range(_LOOKED_AT // _PAGE):
        page = side.store.metadata.runs.search(
            f"pipeline = '{name}'", order_by="created_at desc", limit=_PAGE, after=after
        )
        yield from (_Side(side.store, run) for run in page)
        if len(page) < _PAGE:
            return
        after = page[-1].run_id


def _before(side: _Side, step: str) -> _Side | None:
    """Return the last earlier run in which the step ended well."""
    return next(
        (
            other
            for other in _earlier(side)
            if (record := other.steps.get(step)) is not None
            and record.state in GOOD_STATES
            and "key_parts" in record.facts
        ),
        None,
    )


def _changes(
    side: _Side, other: _Side, step: str, seen: set[str] | None = None
) -> Iterator[KeyChange]:
    """Compare the parts of a step's keys; for a changed input, also the changes before it."""
    seen = {step} if seen is None else seen
    now, then = side.step(step), other.step(step)
    parts, earlier = now.facts.get("key_parts", {}), then.facts.get("key_parts", {})
    yield from _code_changes(side, other, step)
    for kind, given, was in (
        ("argument", parts.get("arguments", {}), earlier.get("arguments", {})),
        ("source", parts.get("sources", {}), earlier.get("sources", {})),
        ("used", parts.get("uses", {}), earlier.get("uses", {})),
    ):
        for name, before, after in _differing(was, given):
            yield KeyChange(
                step,
                kind,
                name,
                _shown(other, step, name, before),
                _shown(side, step, name, after),
            )
    for kind, name, before, after in (
        ("class", "classes of the inputs", earlier.get("classes"), parts.get("classes")),
        ("python", "python", earlier.get("python"), parts.get("python")),
        ("encoding", "text encoding", earlier.get("encoding"), parts.get("encoding")),
        ("seed", "run seed", str(other.run.seed), str(side.run.seed)),
    ):
        if before != after:
            yield KeyChange(step, kind, name, before, after)
    yield from _trace_changes(step, then.facts.get("trace", {}), now.facts.get("trace", {}))
    for name, before, after in _differing(then.inputs, now.inputs):
        giver = side.giver(step, name) or name
        yield KeyChange(step, "input", f"{name} (from {giver})", before, after)
        # A step may feed several inputs; its changes are listed once.
        if giver in seen or giver not in side.steps or giver not in other.steps:
            continue
        seen.add(giver)
        causes = list(_changes(side, other, giver, seen))
        yield from causes or [_other_result(side, other, giver)]


def _other_result(side: _Side, other: _Side, step: str) -> KeyChange:
    """Describe a step with a different value though nothing in its key changed."""
    one, two = other.step(step).outputs, side.step(step).outputs
    name, before, after = next(iter(_differing(one, two)), ("result", None, None))
    return KeyChange(step, "result", name, before, after)


def _code_changes(side: _Side, other: _Side, step: str) -> Iterator[KeyChange]:
    given = side.step(step).facts.get("key_parts", {}).get("code_parts", {})
    was = other.step(step).facts.get("key_parts", {}).get("code_parts", {})
    for name, before, after in _differing(was, given):
        if name.startswith("package "):
            yield KeyChange(step, "package", name.removeprefix("package "), before, after)
        else:
            diff = _diff(other.files, side.files, name)
            yield KeyChange(step, "code", name, before, after, diff)


def _trace_changes(
    step: str, then: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[KeyChange]:
    """Compare the state read by a step in both runs; reads of a single run follow from the rest."""
    for part in ("cwd", "env", "whole_env", "files", "code", "folders", "lists", "exists", "stats"):
        kind = "environment" if part in {"cwd", "env", "whole_env"} else "file"
        was, given = then.get(part, {}), now.get(part, {})
        for name in sorted(was.keys() & given.keys()):
            before, after = (_looked_up(found[name]) for found in (was, given))
            if before != after:
                yield KeyChange(step, kind, name or "the project's folder", before, after)


def _looked_up(state: Any) -> str | None:
    """Return the digest of a file's state; for a folder of files, the digest of all."""
    if isinstance(state, list):
        return str(state[1] if len(state) > _OF_ONE_FILE else state[0])
    return None if state is None else str(state)


def _differing(was: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*was, *given}):
        if was.get(name) != given.get(name):
            yield name, was.get(name), given.get(name)


def _shown(side: _Side, step: str, name: str, digest: str | None) -> str | None:
    """Return an argument as written in the graph; the digest where there is no text."""
    if digest is None:
        return None
    recorded = side.step_spec(step).arguments.get(name)
    return digest if recorded is None else recorded.text


def _diff(before: Mapping[str, bytes], after: Mapping[str, bytes], place: str) -> tuple[str, ...]:
    file, _, name = place.partition(":")
    old, new = (_definition(files.get(file, b""), name) for files in (before, after))
    lines = difflib.unified_diff(old, new, file, file, lineterm="", n=_CONTEXT)
    return tuple(lines)[2:]


def _definition(source: bytes, name: str) -> list[str]:
    """Return the lines of a definition in a file: a function, a class, or an assignment."""
    text = source.decode("utf-8", "replace")
    lines = text.splitlines()
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return lines
    if name == "(whole file)":
        return lines
    name = name.partition(" ")[0]  # "scaled default factor" is part of `scaled`
    top = name.partition(".")[0]
    places = [(_first_line(node), node.end_lineno) for node in body if top in _names(node)]
    if not places:  # code at the top level of the file, outside definitions
        return [] if name.isidentifier() else _top_level(body, lines)
    return [line for first, last in places for line in lines[first - 1 : last]]


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)
                and isinstance(each.ctx, ast.Store)}  # fmt: skip
    return set()


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(each.lineno for each in decorators)])


def _top_level(body: list[ast.stmt], lines: list[str]) -> list[str]:
    return [
        line
        for node in body
        if not _names(node)
        for line in lines[_first_line(node) - 1 : node.end_lineno]
    ]


def _reused(side: _Side, record: StepRunRecord) -> str:
    made = (
        other.run.run_id
        for other in _earlier(side)
        if (found := other.steps.get(record.step)) and found.step_run_id == record.cached_from
    )
    whose = next((f" of run {run_id}" for run_id in made), "")
    return f"Its result{whose} was reused: code, arguments, inputs and seed are the same."


def _reason(
    side: _Side,
    other: _Side | None,
    record: StepRunRecord,
    changes: tuple[KeyChange, ...],
) -> str:
    node = side.step_spec(record.step)
    never = _never_reused(record, node)
    if other is None:
        again = (
            f"; the run was resumed (attempt {side.run.attempt})" if side.run.attempt > 1 else ""
        )
        return never or f"No earlier run of {side.run.pipeline} has executed it{again}."
    if changes:
        own = [change for change in changes if change.step == record.step]
        names = ", ".join(f"{_CALLED.get(c.kind, c.kind)} {c.name}" for c in own)
        return f"{names} changed since run {other.run.run_id}."
    if never:
        return never
    earlier = other.step(record.step)
    if record.state is StepState.CACHED:
        return f"Nothing changed since run {other.run.run_id}."
    lasts = timedelta(seconds=node.cache_for or 0)
    if lasts and not _is_fresh(side, record, lasts):
        return f"Nothing changed, but its result lasts for {lasts} only (cache_for)."
    if "let_go" in earlier.facts:
        return f"Nothing changed, but gc has let go of what run {other.run.run_id} had."
    outdated = record.facts.get(NOT_REUSED)
    if outdated:
        fix = (
            " Say what it reads: @step(uses=[…])."
            if "trace" in record.facts and record.facts["trace"].get("never")
            else ""
        )
        return f"Nothing in its key changed, but {outdated}.{fix}"
    return (
        "Nothing changed: it was asked for, with --no-cache or --refresh, or its earlier result was"
        " removed."
    )


def _is_fresh(side: _Side, record: StepRunRecord, lasts: timedelta) -> bool:
    """Return whether the earlier result was young enough to be reused."""
    for other in _earlier(side):
        found = other.steps.get(record.step)
        if found and found.state is StepState.FINISHED and found.key == record.key:
            then, now = found.ended_at, record.started_at
            return then is None or now is None or now - then <= lasts
    return True


def _never_reused(record: StepRunRecord, node: StepSpec) -> str:
    """Explain why a step is executed each time; empty for a reusable result."""
    if record.key is not None:
        return ""
    if node.effect:
        return "It changes the world outside (effect=True), so it is executed each time."
    parts = record.facts.get("key_parts", {}).get("code_parts", {})
    blind = [f"{name} ({text})" for name, text in parts.items() if "has no digest" in str(text)]
    unfollowed = record.facts.get("key_parts", {}).get("unfollowed")
    if unfollowed:
        return (
            "It runs what only the run knows, so it is executed each time:"
            f" {', '.join(unfollowed)}. Say what that reaches: @step(uses=[…])."
        )
    if blind:
        return f"It depends on what has no digest, so it is executed each time: {', '.join(blind)}."
    if node.source:
        return "Its source cannot tell whether it has changed, so it is read each time."
    return "It is declared with cache=False, so it is executed each time."
