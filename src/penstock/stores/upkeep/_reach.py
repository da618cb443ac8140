"""``reached``: the artifacts that named artifacts depend on; for copying, cleaning, checking."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from penstock.core import ArtifactRecord

if TYPE_CHECKING:
    from penstock.stores._store import Store


def reached(
    store: "Store",
    records: Iterable[ArtifactRecord],
    roots: Iterable[str],
    manifests: Collection[str],
) -> set[tuple[str, str]]:
    """Follow digests to parts of bundles and to source files.

    Args:
        store: The store of the manifests' bytes.
        records: All artifacts.
        roots: Stored or content digests to begin with.
        manifests: Digests of manifests, whose source files count.

    Returns:
        Digest and content digest of every artifact that was reached.
    """
    by_digest: dict[str, list[ArtifactRecord]] = defaultdict(list)
    for record in records:
        by_digest[record.digest].append(record)
        if record.content_digest != record.digest:
            by_digest[record.content_digest].append(record)
    nodes: set[tuple[str, str]] = set()
    ahead = list(roots)
    seen = set(ahead)
    while ahead:
        for record in by_digest.get(ahead.pop(), ()):
            key = record.digest, record.content_digest
            if key in nodes:
                continue
            nodes.add(key)
            is_manifest = record.digest in manifests or record.content_digest in manifests
            named = names_in(store, record, manifest=is_manifest)
            more = {record.digest, record.content_digest, *named} - seen
            ahead += more
            seen |= more
    return nodes


def names_in(store: "Store", record: ArtifactRecord, *, manifest: bool) -> list[str]:
    """Return the digests that an artifact depends on: parts, a manifest's source files.

    Raises:
        StoreError: If a manifest's bytes cannot be read.
    """
    parts = record.metadata.get("parts")
    named = list(parts.values()) if isinstance(parts, Mapping) else []
    if manifest:
        code: Any = store.load(record)["code"]
        named += [*code["files"].values(), *code.values()]
    return [name for name in named if isinstance(name, str) and name.startswith("sha256:")]
