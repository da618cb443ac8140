"""Which parts of a step's key differ between two runs, from the records of both."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.execution._recorded_run import RecordedRun
from penstock.execution._source_diff import diff_definition

_OF_ONE_FILE = 6  # entries of a file's state in a trace


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A part of a step's key that differs from an earlier run.

    Args:
        step: Step that has the part: the given step, or an earlier step.
        kind: ``code``, ``package``, ``argument``, ``input``, ``source``, ``used`` (declared in
            ``uses``), ``setting`` (of a library, not the default), ``patch`` (by a notebook's cell), ``requirements`` (a file of the step's ``environment``), ``class``, ``seed``, ``python``; ``file`` and ``environment`` (read by the
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


def key_changes(
    side: RecordedRun, other: RecordedRun, step: str, seen: set[str] | None = None
) -> Iterator[KeyChange]:
    """Compare the parts of a step's keys; for a changed input, also the earlier changes."""
    seen = {step} if seen is None else seen
    now, then = side.step(step), other.step(step)
    parts, earlier = now.facts.get("key_parts", {}), then.facts.get("key_parts", {})
    yield from _code_changes(side, other, step)
    for kind, value, was in (
        ("argument", parts.get("arguments", {}), earlier.get("arguments", {})),
        ("source", parts.get("sources", {}), earlier.get("sources", {})),
        ("used", parts.get("uses", {}), earlier.get("uses", {})),
        ("setting", _as_texts(parts), _as_texts(earlier)),
        ("patch", parts.get("patches", {}), earlier.get("patches", {})),
        ("requirements", parts.get("environment", {}), earlier.get("environment", {})),
    ):
        for name, before, after in _differing(was, value):
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
        causes = list(key_changes(side, other, giver, seen))
        yield from causes or [_other_result(side, other, giver)]


def _as_texts(parts: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in parts.get("settings", {}).items()}


def _other_result(side: RecordedRun, other: RecordedRun, step: str) -> KeyChange:
    """Describe a step with a different value though nothing in the key changed."""
    one, two = other.step(step).outputs, side.step(step).outputs
    name, before, after = next(iter(_differing(one, two)), ("result", None, None))
    return KeyChange(step, "result", name, before, after)


def _code_changes(side: RecordedRun, other: RecordedRun, step: str) -> Iterator[KeyChange]:
    code_parts = side.step(step).facts.get("key_parts", {}).get("code_parts", {})
    was = other.step(step).facts.get("key_parts", {}).get("code_parts", {})
    for name, before, after in _differing(was, code_parts):
        if name.startswith("package "):
            yield KeyChange(step, "package", name.removeprefix("package "), before, after)
        else:
            diff = diff_definition(other.files, side.files, name)
            yield KeyChange(step, "code", name, before, after, diff)


def _trace_changes(
    step: str, then: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[KeyChange]:
    """Compare the state read by a step in both runs; reads of a single run follow from the rest."""
    for part in ("cwd", "env", "whole_env", "files", "code", "folders", "lists", "exists", "stats"):
        kind = "environment" if part in {"cwd", "env", "whole_env"} else "file"
        was, present = then.get(part, {}), now.get(part, {})
        for name in sorted(was.keys() & present.keys()):
            before, after = (_looked_up(state[name]) for state in (was, present))
            if before != after:
                yield KeyChange(step, kind, name or "the project's folder", before, after)


def _looked_up(state: Any) -> str | None:
    """Return the digest of a file's state; for a folder of files, the digest of all."""
    if isinstance(state, list):
        return str(state[1] if len(state) > _OF_ONE_FILE else state[0])
    return None if state is None else str(state)


def _differing(
    was: Mapping[str, Any], present: Mapping[str, Any]
) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted({*was, *present}):
        if was.get(name) != present.get(name):
            yield name, was.get(name), present.get(name)


def _shown(side: RecordedRun, step: str, name: str, digest: str | None) -> str | None:
    """Return an argument as written in the graph; the digest where there is no text."""
    if digest is None:
        return None
    recorded = side.step_spec(step).arguments.get(name)
    return digest if recorded is None else recorded.text
