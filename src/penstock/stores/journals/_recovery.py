"""Recovery of the journals of processes that ended before their points were in the store."""

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path

from penstock.core import PenstockError, StoreError
from penstock.stores.journals._facts import deliver, read_facts
from penstock.stores.journals._folder import dead_journals, remove_folder, set_aside
from penstock.stores.journals._records import (
    FACTS,
    OWNER,
    POINTS,
    SERIES,
    columns_of,
    page_and_place,
    position_of,
    read_names,
    sound_points,
)
from penstock.stores.metadata import MetadataStore

_log = logging.getLogger("penstock")
_unreadable: set[Path] = set()


def recover_journals(home: Path, metadata: MetadataStore) -> int:
    """Write the journals of dead processes to the store; each point exactly once.

    A damaged journal is set aside once all readable points are in the store: the damage must not
    block later work.

    Args:
        home: The folder of the journals; may be absent.
        metadata: The store that receives the points.

    Returns:
        Number of journals found.

    Raises:
        StoreError: If the store cannot be written; nothing is lost then.
    """
    with dead_journals(home) as folders:
        for folder in folders:
            try:
                _recover(folder, metadata)
            except OSError as error:
                # A process that ends removes its journal itself, just after it releases the lock.
                if not isinstance(error, FileNotFoundError) or folder.exists():
                    _warn_once(folder, error)
    return len(folders)


def _recover(folder: Path, metadata: MetadataStore) -> None:
    names, unread = read_names(_bytes_of(folder / SERIES))
    facts, unread_facts = read_facts(_bytes_of(folder / FACTS))
    damage = [
        *([f"{unread} names of metrics cannot be read"] if unread else []),
        *_store_points(folder, names, metadata),
        *([f"{unread_facts} facts cannot be read"] if unread_facts else []),
        *_foreign(folder),
    ]
    for fact in facts:
        deliver(metadata, fact)
    if damage:
        _mark_runs(metadata, {run_id for run_id, _ in names.values()}, folder, damage)
        reason = f"The metric journal {folder} is damaged: {'; '.join(damage)}."
        gone = set_aside(folder, reason)
    else:
        gone = remove_folder(folder)
    if gone:
        metadata.metrics.forget_journal(folder.name)


def _store_points(
    folder: Path, names: Mapping[int, tuple[str, str]], metadata: MetadataStore
) -> list[str]:
    """Write the points to the store; return the damage among them."""
    journal, damage, lost = folder.name, list[str](), 0
    for position, data in _pages(folder, metadata.metrics.journal_position(journal)):
        sound, unreadable = sound_points(data, names)
        lost += unreadable
        columns = list(columns_of(sound, names))
        try:
            metadata.metrics.append(columns, journal=journal, position=position)
        except PenstockError:
            raise  # an error of the store, not of the journal
        except Exception as error:  # noqa: BLE001 - whatever the error, it must not block all work
            damage.append(f"points cannot be stored ({type(error).__name__}: {error})")
    return [*damage, f"{lost:,} points cannot be read"] if lost else damage


def _foreign(folder: Path) -> list[str]:
    names = sorted(path.name for path in folder.iterdir() if not _is_ours(path))
    return [f"it has files of something else: {', '.join(names[:3])}"] if names else []


def _mark_runs(metadata: MetadataStore, run_ids: set[str], folder: Path, damage: list[str]) -> None:
    sentence = f"The journal {folder.name} was damaged: {'; '.join(damage)}."
    for run_id in sorted(run_ids):
        metadata.runs.note_missed(run_id, [sentence])


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _pages(folder: Path, known: int) -> Iterator[tuple[int, bytes]]:
    """Yield the points that are not in the store yet, by page, each with the end's position."""
    first, place = page_and_place(known) if known >= 0 else (0, 0)
    for path in sorted(folder.glob(f"*{POINTS}")):
        if not _is_page(path):
            continue
        page = int(path.name.removesuffix(POINTS))
        if page >= first:
            data = path.read_bytes()
            yield position_of(page, len(data)), data[place if page == first else 0 :]


def _is_page(path: Path) -> bool:
    return path.name.removesuffix(POINTS).isdecimal() and path.is_file()


def _is_ours(path: Path) -> bool:
    return path.name in {OWNER, SERIES, FACTS} or (path.suffix == POINTS and _is_page(path))


def _warn_once(folder: Path, error: OSError) -> None:
    if folder not in _unreadable:
        _unreadable.add(folder)
        _log.warning(
            "%s",
            StoreError(
                what=f"The metric journal {folder} cannot be read ({error.strerror or error}).",
                why="A dead process has left metric points there; everything else continues.",
                fix=f"Ask its owner to open the store, or give yourself access: chmod -R u+rwX {folder}",
                path=folder,
            ),
        )
