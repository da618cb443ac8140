"""Bringing in what processes had logged that did not live to bring it in themselves."""

from collections.abc import Iterator
from pathlib import Path

from penstock.core import StoreError
from penstock.stores.journals._folder import cannot_write, dead_journals, remove_folder
from penstock.stores.journals._records import (
    POINTS,
    SERIES,
    columns_of,
    page_and_place,
    position_of,
    read_names,
)
from penstock.stores.metadata import MetadataStore


def recover_journals(home: Path, metadata: MetadataStore) -> int:
    """Bring the journals of dead processes into the store; each point exactly once.

    Args:
        home: The folder of the journals; it need not exist.
        metadata: Where the points go.

    Returns:
        How many journals there were.

    Raises:
        StoreError: If a journal cannot be read or the store not written; nothing is lost then.
    """
    if not home.exists():
        return 0
    with dead_journals(home) as folders:
        for folder in folders:
            _recover(folder, metadata)
    return len(folders)


def _recover(folder: Path, metadata: MetadataStore) -> None:
    journal = folder.name
    try:
        names = read_names((folder / SERIES).read_bytes())
        for position, data in _pages(folder, metadata.journal_position(journal)):
            columns = list(columns_of(data, names))
            metadata.append_metrics(columns, journal=journal, position=position)
    except OSError as error:
        raise cannot_write(folder.parent, error) from error
    except (ValueError, IndexError) as error:
        raise StoreError(
            what=f"The metric journal {folder} is damaged ({error}).",
            why="Something outside penstock changed it; the rest of the store is sound.",
            fix="Move the folder away to go on without its points.",
            path=folder,
        ) from error
    if remove_folder(folder):
        metadata.forget_journal(journal)


def _pages(folder: Path, known: int) -> Iterator[tuple[int, bytes]]:
    """Give what is not in the store yet, page by page, each with the position of its end."""
    first, place = page_and_place(known) if known >= 0 else (0, 0)
    for path in sorted(folder.glob(f"*{POINTS}")):
        page = int(path.name.removesuffix(POINTS))
        if page >= first:
            data = path.read_bytes()
            yield position_of(page, len(data)), data[place if page == first else 0 :]
