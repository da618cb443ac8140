"""ImportMarks: what was imported whole, so that a repeated import reads only what is new or has changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import DocumentRecord, digest_bytes, now
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._fields import encode

MARK = "mlflow.import"


class ImportMarks:
    """The marks that an import leaves in the store; written after all else of what they are about.

    Args:
        desk: The desk.
        source: The place that is read, for people.
    """

    def __init__(self, desk: Desk, source: str) -> None:
        self._desk, self._source = desk, source

    def find(self, key: str) -> Mapping[str, Any]:
        """Return the mark of a run, logged model, experiment or version; empty if there is none."""
        found = self._desk.find(MARK, key)
        return {} if found is None else found.body

    def save(self, key: str, fingerprint: str, lost: Sequence[str] = (), **facts: Any) -> None:
        """Mark a thing as imported.

        Args:
            key: Its id, with its kind where ids are not unique.
            fingerprint: Digest of what the source says of it.
            lost: What of it could not come along: said again by an import that finds it unchanged.
            **facts: What the source said, to tell its later changes from those made here.
        """
        body = {"fingerprint": fingerprint, "source": self._source, "lost": list(lost), **facts}
        if not self._desk.metadata.documents.add([DocumentRecord(MARK, key, key, now(), body)])[0]:
            self._desk.change(MARK, key, lambda _: body)


def fingerprint_of(*facts: Any) -> str:
    """Return the digest of what a source says."""
    return digest_bytes(encode(facts))
