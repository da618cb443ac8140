"""Reading of texts by a rule: whole columns, and single values of a request by the same code."""

from typing import TYPE_CHECKING, Any

from penstock.tables.reading._numbers import read_numbers, read_plain_numbers
from penstock.tables.reading._rule import EXTRA_MARKS, ReadingRule
from penstock.tables.reading._times import read_times_by

if TYPE_CHECKING:
    import polars as pl

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def missing_in(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    """Return for each trimmed text whether the text means "no value"; null counts as true."""
    marks = {"", *rule.missing} | (EXTRA_MARKS if rule.type != "text" else set())
    return texts.is_in(sorted(marks)).fill_null(value=True)


def is_missing_text(text: str, rule: ReadingRule) -> bool:
    """Check whether a trimmed text means "no value".

    >>> is_missing_text("NA", ReadingRule("text", missing=("NA",)))
    True
    """
    if text == "" or text in rule.missing:
        return True
    return rule.type != "text" and text in EXTRA_MARKS


def read_values(
    texts: "pl.Series", rule: ReadingRule, *, accounting: bool | None = None
) -> "pl.Series":
    """Read a column of texts by a rule; null where a value is missing or cannot be read.

    >>> import polars as pl
    >>> read_values(pl.Series([" 12 %", "-", "n.n."]), ReadingRule("integer", suffix="%")).to_list()
    [12, None, None]

    Args:
        texts: Texts as written.
        rule: The reading rule.
        accounting: Of a block of a column: whether any of its numbers is written like (12.50).
    """
    import polars as pl

    trimmed = texts.cast(pl.String).str.strip_chars()
    # Where another block has (12.50), the column is not of plain numbers: inf is none then.
    if rule.is_number and rule.is_plain and not accounting:
        quick = read_plain_numbers(trimmed, rule)
        if quick is not None:
            return quick
    missing = missing_in(trimmed, rule)
    present = pl.select(pl.when(~missing).then(trimmed)).to_series().rename(texts.name)
    if rule.type == "text":
        return present
    if rule.type == "boolean":
        words = present.str.to_lowercase()
        truth = pl.when(words.is_in(TRUE)).then(statement=True).when(words.is_in(FALSE))
        return pl.select(truth.then(statement=False)).to_series().rename(texts.name)
    if rule.is_number:
        return read_numbers(present, rule, accounting=accounting)
    return read_times_by(present, rule)


def read_value(text: str, rule: ReadingRule) -> Any:
    """Read a single text; None if unreadable.

    >>> read_value("1,234", ReadingRule("integer", thousands=","))
    1234
    """
    import polars as pl

    return read_values(pl.Series([text]), rule)[0]
