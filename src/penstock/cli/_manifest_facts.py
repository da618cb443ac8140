"""Provenance of a run in a few lines: code, command line, environment, hardware."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import PenstockError, RunRecord
from penstock.execution import read_manifest
from penstock.provenance import show_command

if TYPE_CHECKING:
    from penstock.stores import Store

_COMMIT = 10


def manifest_facts(store: "Store", run: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield the facts of a run's manifest, as pairs of a word and a sentence.

    Args:
        store: The store of the run.
        run: The run.
    """
    if run.provenance is None:
        return
    try:
        manifest = read_manifest(run, store=store)
    except PenstockError as error:
        yield "made from", f"cannot be read: {error}"
        return
    yield "made from", f"{_code(manifest)}; {_environment(manifest)}"
    if manifest.get("argv"):
        yield "started as", show_command(manifest["argv"])
    for warning in manifest.get("warnings", ()):
        yield "warning", warning


def _code(manifest: Mapping[str, Any]) -> str:
    code = manifest.get("code", {})
    count = len(code.get("files", {}))
    files = f"{count:,} source file{'' if count == 1 else 's'}"
    if not code.get("commit"):
        return f"{files}, not in git"
    branch = f" on {code['branch']}" if code.get("branch") else ""
    changes = ", with uncommitted changes" if code.get("dirty") else ""
    return f"commit {code['commit'][:_COMMIT]}{branch}{changes}, {files}"


def _environment(manifest: Mapping[str, Any]) -> str:
    environment, hardware = manifest.get("environment", {}), manifest.get("hardware", {})
    parts = [
        f"Python {environment.get('python', '?')}",
        f"{len(environment.get('packages', ())):,} packages",
        f"{hardware.get('cores', '?')} cores",
    ]
    if hardware.get("memory_bytes"):
        parts.append(f"{hardware['memory_bytes'] / 2**30:.0f} GiB of memory")
    parts += hardware.get("gpus", ())
    return ", ".join(parts)
