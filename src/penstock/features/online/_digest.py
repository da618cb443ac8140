"""Digests of rows and of online entries: equal for equal entries in any store and order."""

import hashlib
from collections.abc import Iterable

from penstock.features.online._protocol import Entry, OnlineStore

_SIZE = 1 << 256


def digest_online(store: OnlineStore, view: str) -> str:
    """Return a digest of all entries of a view.

    >>> from penstock.features.online import MemoryOnlineStore
    >>> store = MemoryOnlineStore()
    >>> digest_online(store, "spend") == digest_online(store, "other")
    True
    """
    return digest_entries(store.scan(view))


def digest_entries(entries: Iterable[tuple[bytes, Entry]]) -> str:
    """Return a digest of entries that differ, in any order: the sum of their digests."""
    total = count = 0
    for key, (order, gone, value) in entries:
        text = b"%d:" % len(key) + key + order + bytes([gone]) + value
        total = (total + int.from_bytes(hashlib.sha256(text).digest(), "big")) % _SIZE
        count += 1
    return "sha256:" + hashlib.sha256(b"%d %d" % (count, total)).hexdigest()
