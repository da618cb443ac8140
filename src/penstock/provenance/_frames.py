"""Calls that look names up in the frame of their caller: `df.query("x > @limit")`, `pl.sql`."""

import re
from collections.abc import Mapping
from types import CodeType
from typing import Any

from penstock.provenance._bytecode import find_uses, inner_codes

READS_FRAMES = frozenset(
    {"SQLContext", "eval", "evaluate", "execute", "f_locals", "query", "sql", "sqldf"}
)
_WORD = re.compile(r"[A-Za-z_]\w*")


def words_in(text: str) -> list[str]:
    """List the names in a text.

    >>> words_in("list[Model] | None")
    ['list', 'Model', 'None']
    """
    return _WORD.findall(text)


def words_of(code: CodeType, scope: Mapping[str, Any]) -> frozenset[str]:
    """Return the words of every text that a code object holds or reads as a global."""
    texts = [text for inner in inner_codes(code) for text in inner.co_consts]
    texts += [scope.get(name) for name in find_uses(code).globals]
    return frozenset(word for text in texts if isinstance(text, str) for word in words_in(text))
