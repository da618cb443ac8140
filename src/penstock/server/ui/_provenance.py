"""A run's manifest for the run's page: code, environment, hardware, in short."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.provenance import show_command

_DIFF_LINES = 400


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line of a diff with a style: add, del, at or empty."""

    text: str
    look: str


@dataclass(frozen=True, slots=True)
class ProvenanceView:
    """The parts of a manifest, each possibly empty."""

    code: Mapping[str, Any]
    files: Mapping[str, str]
    diff: tuple[DiffLine, ...]
    diff_more: int
    environment: Mapping[str, Any]
    packages: Mapping[str, str]
    hardware: Mapping[str, Any]
    hash_seed: str | None
    command: str
    warnings: tuple[str, ...]


def provenance_view(manifest: Mapping[str, Any] | None) -> ProvenanceView | None:
    """Split a manifest into parts; None if the run has no manifest."""
    if not manifest:
        return None
    code = manifest.get("code") or {}
    environment = dict(manifest.get("environment") or {})
    packages = environment.pop("packages", None) or {}
    lines = str(code.get("diff") or "").splitlines()
    return ProvenanceView(
        code={key: code.get(key) for key in ("commit", "branch", "dirty")},
        files=code.get("files") or {},
        diff=diff_lines(lines[:_DIFF_LINES]),
        diff_more=max(0, len(lines) - _DIFF_LINES),
        environment=environment,
        packages=packages,
        hardware=manifest.get("hardware") or {},
        hash_seed=manifest.get("hash_seed"),
        command=show_command(argv) if (argv := manifest.get("argv")) else "",
        warnings=tuple(manifest.get("warnings") or ()),
    )


def diff_lines(lines: Sequence[str]) -> tuple[DiffLine, ...]:
    """Assign a look to each line of a diff."""
    return tuple(DiffLine(line, _look(line)) for line in lines)


def _look(line: str) -> str:
    if line.startswith(("+++", "---", "diff ", "index ")):
        return "strong"
    if line.startswith("@@"):
        return "at"
    return {"+": "add", "-": "del"}.get(line[:1], "")
