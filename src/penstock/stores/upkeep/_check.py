"""``check_store``: checks that every byte is unchanged, and that every reference has a target."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, ParameterError, PenstockError, StoreError, digest_bytes
from penstock.stores._open import open_store
from penstock.stores.journals._folder import ADVICE, damaged_journals
from penstock.stores.metadata._garbage import Garbage
from penstock.stores.metadata._soundness import broken_chains, database_damage, metric_damage
from penstock.stores.upkeep._garbage import orphans, shared_with
from penstock.stores.upkeep._reach import names_in

if TYPE_CHECKING:
    from penstock.stores._store import Store

_THREADS = 4
_ORPHAN = "No record names these bytes; penstock gc removes them."


@dataclass(frozen=True, slots=True)
class StoreFault:
    """A fault in a store.

    Args:
        kind: ``database``, ``bytes``, ``reference``, ``metrics``, ``history``, ``journal`` or
            ``orphan``.
        subject: The faulty object: a digest, a run, a model.
        message: Description of the fault.
        harmless: True if nothing is lost: bytes without a reference.
    """

    kind: str
    subject: str
    message: str
    harmless: bool = False


def check_store(
    *,
    quick: bool = False,
    progress: Callable[[int, int], None] | None = None,
    store: "Store | str | None" = None,
) -> list[StoreFault]:
    """Check everything in a store; nothing is changed.

    >>> import tempfile
    >>> from penstock.stores import open_store
    >>> with open_store(f"sqlite:///{tempfile.mkdtemp()}/penstock.db") as store:
    ...     check_store(store=store)
    []

    Args:
        quick: Only check whether the bytes exist, without their digests.
        progress: Called with the number of artifacts checked, and the total.
        store: The store; by default the project's.
    """
    store = open_store(store)
    store.flush()
    database = store.metadata.database
    faults = [StoreFault("database", store.url, text) for text in database_damage(database)]
    if faults:
        return faults  # nothing read from a damaged database could be trusted
    garbage = Garbage(database)
    records: list[ArtifactRecord] = []

    def read() -> Iterator[StoreFault]:
        records.extend(garbage.artifacts())
        yield from ()

    parts: tuple[Callable[[], Iterable[StoreFault]], ...] = (
        read,
        lambda: _check_bytes(store, records, quick=quick, progress=progress),
        lambda: _check_references(store, garbage, records),
        lambda: (StoreFault("metrics", run, text) for run, text in metric_damage(database)),
        lambda: _check_journals(store),
        lambda: (
            StoreFault("history", model, text) for model, text in broken_chains(store.metadata)
        ),
        lambda: (StoreFault("orphan", digest, _ORPHAN, True) for digest in _orphans(store)),
    )
    for part in parts:
        try:
            faults.extend(part())
        except (PenstockError, ValueError, LookupError, TypeError, AttributeError) as error:
            # A row that cannot be read is a finding as well, and the remaining checks go on.
            text = f"Something in it cannot be read: {type(error).__name__}: {error}"
            faults.append(StoreFault("database", store.url, text))
    return faults


def _check_journals(store: "Store") -> Iterator[StoreFault]:
    for folder, reason in damaged_journals(store.journal.home):
        yield StoreFault("journal", str(folder), f"{reason} {ADVICE.format(folder='it')}")


def _orphans(store: "Store") -> list[str]:
    return [] if shared_with(store) else orphans(store)


def _check_bytes(
    store: "Store",
    records: list[ArtifactRecord],
    *,
    quick: bool,
    progress: Callable[[int, int], None] | None,
) -> Iterator[StoreFault]:
    distinct = {record.digest: record for record in records}
    with ThreadPoolExecutor(_THREADS) as threads:
        answers = threads.map(lambda record: _damage(store, record, quick=quick), distinct.values())
        for place, (digest, text) in enumerate(zip(distinct, answers, strict=True), start=1):
            if progress is not None:
                progress(place, len(distinct))
            if text:
                yield StoreFault("bytes", digest, text)


def _damage(store: "Store", record: ArtifactRecord, *, quick: bool) -> str:
    if record.inline is not None:
        return "" if digest_bytes(record.inline) == record.digest else "Its bytes are damaged."
    try:
        if quick:
            there = store.artifacts.exists(record.digest)
            return "" if there else f"Its bytes are gone from {store.artifacts.url}."
        store.artifacts.verify(record.digest)
    except (StoreError, ParameterError) as error:  # of one record: the rest is checked all the same
        return error.what
    return ""


def _check_references(
    store: "Store", garbage: Garbage, records: list[ArtifactRecord]
) -> Iterator[StoreFault]:
    known = {name for record in records for name in (record.digest, record.content_digest)}
    named, manifests = garbage.needed()
    for digest in sorted(named - known):
        yield StoreFault(
            "reference", digest, "A run, version or report names it; it is not recorded."
        )
    for record in records:
        is_manifest = bool(manifests & {record.digest, record.content_digest})
        try:
            needs = names_in(store, record, manifest=is_manifest)
        except PenstockError:
            continue  # the bytes themselves are damaged, and reported
        for digest in needs:
            if digest not in known:
                yield StoreFault("reference", digest, f"{record.digest} is of no use without it.")
