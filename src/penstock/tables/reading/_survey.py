"""Reading a column in blocks as if it were one: what has to be known of all of them first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.tables.reading._numbers import has_accounting, read_plain_numbers
from penstock.tables.reading._read import missing_in, read_values
from penstock.tables.reading._rule import ReadingRule, ValueType
from penstock.tables.reading._texts import Texts

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Survey:
    """The result of reading a column by a rule.

    Attributes:
        unread: Number of values that are missing or cannot be read.
        is_float: Whether numbers are floats.
    """

    unread: int
    is_float: bool


def plain_type(texts: Texts, missing: Sequence[str]) -> ValueType | None:
    """Return the type of a column of plain numbers and nulls; None if there is anything else."""
    whole, number = (
        ReadingRule("integer", missing=tuple(missing)),
        ReadingRule("number", missing=tuple(missing)),
    )
    if texts.held is not None:
        read = read_plain_numbers(texts.held, whole)
        return None if read is None else "integer" if read.dtype.is_integer() else "number"
    if texts.every(lambda block: _is_whole(read_plain_numbers(block, whole))):
        return "integer"
    if texts.every(lambda block: read_plain_numbers(block, number) is not None):
        return "number"
    return None


def survey(texts: Texts, rule: ReadingRule) -> Survey:
    """Read a column by a rule and count."""
    accounting = _accounting(texts, rule)
    unread, is_float = 0, False
    for block in texts.blocks():
        read = read_values(block, rule, accounting=accounting)
        unread += read.null_count()
        is_float |= read.dtype.is_float()
    return Survey(unread, is_float)


def block_reader(texts: Texts, rule: ReadingRule) -> "Callable[[pl.Series], pl.Series]":
    """Return how to read each block of a column, so that all have the type of the whole.

    >>> import polars as pl
    >>> texts = Texts("a", lambda: iter([pl.Series(["1"]), pl.Series(["2.5"])]))
    >>> read = block_reader(texts, ReadingRule("integer"))
    >>> [read(block).to_list() for block in texts.blocks()]
    [[1.0], [2.5]]
    """
    if texts.held is not None:
        return lambda block: read_values(block, rule)
    accounting, wider = _accounting(texts, rule), rule
    # Read again, not converted: -0 is no integer, but a float.
    if rule.type == "integer" and survey(texts, rule).is_float:
        wider = replace(rule, type="number")
    return lambda block: read_values(block, wider, accounting=accounting)


def _accounting(texts: Texts, rule: ReadingRule) -> bool | None:
    if texts.held is not None or not rule.is_number or not rule.is_plain:
        return None
    return not texts.every(lambda block: _is_usual(block, rule))


def _is_usual(block: "pl.Series", rule: ReadingRule) -> bool:
    trimmed = block.str.strip_chars()
    if read_plain_numbers(trimmed, rule) is not None:
        return True
    return not has_accounting(trimmed.filter(~missing_in(trimmed, rule)))


def _is_whole(read: "pl.Series | None") -> bool:
    return read is not None and read.dtype.is_integer()
