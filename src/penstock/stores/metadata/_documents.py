"""Documents of foreign protocols, with named files."""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from penstock.core import ArtifactRecord, ConflictError, DocumentRecord, NotFoundError, now
from penstock.stores.metadata._artifacts import ADD_ARTIFACT, ARTIFACTS
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database, Transaction

DOCUMENTS = RecordTable("documents", DocumentRecord, times=("updated_at",), structures=("body",))
_MANY = 500
_KEY = 'WHERE kind = ? AND "key" = ?'
_ADD = f'{DOCUMENTS.insert} ON CONFLICT (kind, "key") DO NOTHING'
_ADD_FILE = (
    'INSERT INTO document_files (kind, "key", path, digest, content_digest, at)'
    ' VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, "key", path) DO UPDATE'
    " SET digest = excluded.digest, content_digest = excluded.content_digest, at = excluded.at"
)


class SQLDocumentStore:
    """DocumentStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, documents: Sequence[DocumentRecord]) -> list[bool]:
        """See DocumentStore."""
        # In a fixed order, so that two writers never wait for each other.
        order = sorted(range(len(documents)), key=lambda i: (documents[i].kind, documents[i].key))
        added = [False] * len(documents)
        with self._database.write() as transaction:
            for place in order:
                row = DOCUMENTS.row(documents[place])
                added[place] = transaction.execute(_ADD, row).rowcount > 0
        return added

    def get(self, kind: str, key: str) -> DocumentRecord:
        """See DocumentStore."""
        with self._database.read() as transaction:
            return _get(transaction, kind, key)

    def save(self, document: DocumentRecord, *, expected_revision: int) -> DocumentRecord:
        """See DocumentStore."""
        changed = replace(document, revision=expected_revision + 1, updated_at=now())
        columns = ", ".join(f'"{name}" = ?' for name in DOCUMENTS.fields)
        with self._database.write() as transaction:
            done = transaction.execute(
                f"UPDATE documents SET {columns} {_KEY} AND revision = ?",
                (*DOCUMENTS.row(changed), document.kind, document.key, expected_revision),
            ).rowcount
            if not done:
                present = _get(transaction, document.kind, document.key)
                raise ConflictError(
                    what=f"The {document.kind} {document.key!r} is at revision {present.revision},"
                    f" not {expected_revision}.",
                    why="Someone else changed it after you looked.",
                    fix="Look again, and repeat what you did if it is still right.",
                    revision=present.revision,
                )
        return changed

    def delete(self, kind: str, keys: Collection[str]) -> None:
        """See DocumentStore."""
        rows = [(kind, key) for key in sorted(keys)]
        with self._database.write() as transaction:
            for table in ("document_files", "documents"):
                transaction.executemany(f"DELETE FROM {table} {_KEY}", rows)

    def add_files(self, kind: str, key: str, files: Mapping[str, ArtifactRecord]) -> None:
        """See DocumentStore."""
        records = sorted(map(ARTIFACTS.row, files.values()), key=lambda row: row[:2])
        moment = to_micros(now())
        with self._database.write() as transaction:
            transaction.executemany(ADD_ARTIFACT, records)
            transaction.executemany(
                _ADD_FILE,
                [
                    (kind, key, path, record.digest, record.content_digest, moment)
                    for path, record in sorted(files.items())
                ],
            )

    def list_files(self, kind: str, key: str, *, under: str = "") -> dict[str, ArtifactRecord]:
        """See DocumentStore."""
        columns = ", ".join(f'a."{name}"' for name in ARTIFACTS.fields)
        with self._database.read() as transaction:
            rows = transaction.execute(
                f"SELECT f.path, {columns} FROM document_files f JOIN artifacts a"
                " ON a.digest = f.digest AND a.content_digest = f.content_digest"
                ' WHERE f.kind = ? AND f."key" = ? AND f.path >= ? AND f.path < ? ORDER BY f.path',
                (kind, key, under, under + "\U0010ffff"),
            ).fetchall()
        return {path: ARTIFACTS.read(row) for path, *row in rows}

    def drop_files(self, kind: str, key: str, paths: Collection[str]) -> None:
        """See DocumentStore."""
        with self._database.write() as transaction:
            transaction.executemany(
                f"DELETE FROM document_files {_KEY} AND path = ?",
                [(kind, key, path) for path in sorted(paths)],
            )

    def list(
        self,
        kind: str,
        *,
        owners: Collection[str] | None = None,
        keys: Collection[str] | None = None,
    ) -> list[DocumentRecord]:
        """See DocumentStore."""
        with self._database.read() as transaction:
            rows = [
                row
                for condition, values in _parts(owners, keys)
                for row in transaction.execute(
                    f'{DOCUMENTS.select} WHERE kind = ?{condition} ORDER BY "key"', (kind, *values)
                ).fetchall()
            ]
        documents = [DOCUMENTS.read(row) for row in rows]
        wanted = None if keys is None else set(keys)
        kept = [each for each in documents if wanted is None or each.key in wanted]
        return sorted(kept, key=lambda each: each.key.encode())


def _parts(
    owners: Collection[str] | None, keys: Collection[str] | None
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield conditions; databases limit the number of values in a statement."""
    if owners is None and keys is None:
        yield "", ()
        return
    column, names = ("owner", owners) if owners is not None else ('"key"', keys)
    wanted = sorted(set(names or ()))
    for part in (wanted[start : start + _MANY] for start in range(0, len(wanted), _MANY)):
        yield f" AND {column} IN ({', '.join('?' * len(part))})", part


def _get(transaction: Transaction, kind: str, key: str) -> DocumentRecord:
    row = transaction.execute(f"{DOCUMENTS.select} {_KEY}", (kind, key)).fetchone()
    if row is None:
        raise NotFoundError(
            what=f"There is no {kind} {key!r}.",
            fix="Check the name, or list what there is.",
            key=key,
        )
    return DOCUMENTS.read(row)
