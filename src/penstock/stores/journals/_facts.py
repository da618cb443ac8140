"""Facts of a run that could not be recorded when logged: stored here, and delivered later.

Delivering a fact twice does no harm. A fact that cannot be delivered is noted with the run as
missed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from penstock.core import (
    ArtifactRecord,
    ConflictError,
    Edge,
    NotFoundError,
    PenstockError,
    RunState,
    StoreError,
)
from penstock.stores._json import dump_json, load_json
from penstock.stores.journals._records import read_lines, write_line
from penstock.stores.metadata import MetadataStore

_FIELDS = (
    "digest",
    "content_digest",
    "format",
    "type_name",
    "size_bytes",
    "created_at",
    "unsafe",
    "inline",
    "metadata",
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact to be recorded about a run.

    Args:
        run_id: The run.
        kind: ``params``, ``tags``, ``artifacts``, ``end`` or ``missed``.
        value: Value as expected by `deliver` for the kind.
        about: Description for people, if the fact can never be delivered.
    """

    run_id: str
    kind: str
    value: Any
    about: str


def artifacts_fact(
    run_id: str,
    artifacts: Mapping[str, ArtifactRecord],
    parts: Sequence[ArtifactRecord],
    edges: Sequence[Edge],
) -> Fact:
    """Return the fact that a run has these artifacts, whose bytes are stored."""
    value = (artifacts, parts, edges)
    return Fact(run_id, "artifacts", value, f"artifacts {', '.join(list(artifacts)[:3])}")


def end_fact(
    run_id: str, attempt: int, state: RunState, ended_at: datetime, error: str | None
) -> Fact:
    """Return the fact that an attempt of a run has ended."""
    value = {"attempt": attempt, "state": str(state), "ended_at": ended_at, "error": error}
    return Fact(run_id, "end", value, "its end")


def write_fact(fact: Fact) -> bytes:
    """Return a fact as a line."""
    value = _plain_artifacts(*fact.value) if fact.kind == "artifacts" else fact.value
    return write_line([fact.run_id, fact.kind, dump_json(value), fact.about])


def read_facts(text: bytes) -> tuple[list[Fact], int]:
    """Read facts, and count the damaged lines."""
    facts, damaged = list[Fact](), 0
    for line in read_lines(text):
        match line:
            case [str(run_id), str(kind), str(value), str(about)]:
                plain = load_json(value)
                known = _read_artifacts(plain) if kind == "artifacts" else plain
                facts.append(Fact(run_id, kind, known, about))
            case _:
                damaged += 1
    return facts, damaged


def apply(metadata: MetadataStore, fact: Fact) -> None:
    """Record a fact.

    Raises:
        PenstockError: If the store cannot be written, or refuses the fact.
    """
    _DELIVER[fact.kind](metadata, fact.run_id, fact.value)


def deliver(metadata: MetadataStore, fact: Fact) -> None:
    """Record a fact that has waited; a refused fact is noted with the run.

    Raises:
        StoreError: If the store cannot be written.
    """
    try:
        apply(metadata, fact)
    except StoreError:
        raise
    except NotFoundError:
        return  # the run has been removed meanwhile
    except PenstockError as error:
        metadata.runs.note_missed(fact.run_id, [f"{fact.about}: {error.what}"])


def _artifacts(metadata: MetadataStore, run_id: str, value: Any) -> None:
    artifacts, parts, edges = value
    metadata.artifacts.log_many(run_id, artifacts, parts=parts, edges=edges)


def _end(metadata: MetadataStore, run_id: str, value: Any) -> None:
    run = metadata.runs.get(run_id)
    if run.attempt != value["attempt"]:
        return  # the run was resumed meanwhile, and continues
    if run.state in {RunState.FINISHED, RunState.FAILED}:
        return
    changes = {"state": RunState(value["state"]), "ended_at": value["ended_at"]}
    if value["error"] is not None:
        changes["error"] = value["error"]
    metadata.metrics.merge(run_id)
    try:
        metadata.runs.update(run_id, **changes)
    except ConflictError:
        return  # the run was ended by hand


def _plain_artifacts(
    artifacts: Mapping[str, ArtifactRecord], parts: Sequence[ArtifactRecord], edges: Sequence[Edge]
) -> dict[str, Any]:
    return {
        "artifacts": [[name, _plain(record)] for name, record in artifacts.items()],
        "parts": [_plain(record) for record in parts],
        "edges": [[edge.source, edge.target, edge.role] for edge in edges],
    }


def _read_artifacts(plain: Mapping[str, Any]) -> tuple[Any, ...]:
    artifacts = {name: _record(record) for name, record in plain["artifacts"]}
    return (
        artifacts,
        [_record(record) for record in plain["parts"]],
        [Edge(*edge) for edge in plain["edges"]],
    )


def _plain(record: ArtifactRecord) -> list[Any]:
    return [
        dict(record.metadata) if name == "metadata" else getattr(record, name) for name in _FIELDS
    ]


def _record(plain: Sequence[Any]) -> ArtifactRecord:
    return ArtifactRecord(**dict(zip(_FIELDS, plain, strict=True)))


_DELIVER: dict[str, Callable[[MetadataStore, str, Any], None]] = {
    "params": lambda metadata, run_id, value: metadata.runs.log_params(run_id, value),
    "tags": lambda metadata, run_id, value: metadata.runs.set_tags(run_id, value),
    "missed": lambda metadata, run_id, value: metadata.runs.note_missed(run_id, value),
    "artifacts": _artifacts,
    "end": _end,
}
