"""Inference of a column's reading rule: by the majority, with the unreadable values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.tables.reading._notation import Written, guess_numbers, known_affixes
from penstock.tables.reading._numbers import HUGE, LEADING_ZERO
from penstock.tables.reading._read import missing_in
from penstock.tables.reading._rule import ReadingRule
from penstock.tables.reading._survey import plain_type, survey
from penstock.tables.reading._texts import Texts
from penstock.tables.reading._times import iso_rule

if TYPE_CHECKING:
    import polars as pl

MOST_ODD = 0.05
"""Largest share of values that do not fit the type of the rest, and are then missing."""

_FEW = 10
_SAMPLE = 1_000
_HALF = 0.5
_DIGITS = 16  # as many as a float holds


@dataclass(frozen=True, slots=True)
class Guess:
    """The reading rule of a column, and the reasons against alternatives.

    Attributes:
        rule: The rule.
        instead: The type of most values where the column stays text all the same.
        odd: Number of values that do not fit.
        ambiguous: Whether the mark in 1,234 may be a decimal as well as a thousands mark.
        codes: Values with leading zeros, for which numbers stay text.
        units: Several currencies or units, for which numbers stay text.
        plain: Whether every value is a plain number, and none a missing mark.
    """

    rule: ReadingRule
    instead: ReadingRule | None = None
    odd: int = 0
    ambiguous: bool = False
    codes: int = 0
    units: tuple[str, ...] = ()
    plain: bool = False


def guess_rule(
    texts: "pl.Series | Texts", missing: Sequence[str] = (), *, decimal: str | None = None
) -> Guess:
    """Infer how a column is read.

    Tried in order: integer, number, boolean (true/false), ISO date, ISO time. A type is accepted if
    at most 5 % of the values do not fit (or a single value, of ten or more). Codes with leading
    zeros and integers too long for 64 bits stay text, so that nothing is lost.

    >>> import polars as pl
    >>> guess_rule(pl.Series(["$1,234.50", "$5", "-"])).rule.words
    'numbers such as $1,234.5'

    Args:
        texts: Trimmed texts, null for missing texts.
        missing: Texts that mean "no value".
        decimal: Decimal mark, if known.
    """
    column, marks = Texts.of(texts), tuple(missing)
    text = ReadingRule("text", missing=marks)
    if decimal != "," and column.any(lambda block: block.is_not_null()):
        kind = plain_type(column, marks)
        if kind is not None:
            return Guess(ReadingRule(kind, missing=marks), plain=True)
    number = replace(text, type="number")
    present = column.where(lambda block: ~missing_in(block, number))
    if not len(present):
        return Guess(text)
    # Sampled from the whole column: the first rows say little about the last rows.
    sample = present.sample(_SAMPLE)
    few = Texts.of(sample)
    if float(sample.str.contains(r"\d").mean() or 0) >= _HALF:  # type: ignore[arg-type] # a share
        # The sample rules out most columns before the whole column is read.
        found = _guess_number(few, decimal) and _guess_number(present, decimal)
        found = found or (_guess_time(few) and _guess_time(present))
        if found is not None:
            return _with_marks(found, marks)
    booleans = sample.str.to_lowercase().is_in(["true", "false"])
    if float(booleans.mean() or 0) >= _HALF:  # type: ignore[arg-type] # a share
        return _with_marks(_judge(present, ReadingRule("boolean")), marks)
    return Guess(text)


def is_few(odd: int, values: int) -> bool:
    """Check whether so many unreadable values may be missing without a change of type."""
    return odd <= MOST_ODD * values or (odd == 1 and values >= _FEW)


def _guess_number(present: Texts, decimal: str | None) -> Guess | None:
    plain = ReadingRule("integer")
    if decimal != ",":
        whole = survey(present, plain)
        if not whole.unread:
            return Guess(ReadingRule("number") if whole.is_float else plain)
    codes = present.total(lambda block: block.str.contains(LEADING_ZERO).sum())
    digits = present.total(lambda block: block.str.contains(r"^[+-]?\d+([.]\d+)?$").sum())
    if codes and digits > _HALF * len(present):
        return Guess(ReadingRule("text"), codes=codes)
    huge = present.total(lambda block: block.str.contains(HUGE).sum())
    # Long numbers are identifiers, of which no digit may be lost; a single long number among short
    # ones is odd.
    if huge and not (is_few(huge, len(present)) and _others_are_short(present)):
        return None
    written = guess_numbers(present, decimal) or Written(plain, 0)
    guess = _judge(present, written.rule)
    if guess.instead is not None:
        units = tuple(known_affixes(present))
        if len(units) > 1:
            return replace(guess, units=units)
        if written.readable < _HALF * len(present):
            return None
    return replace(guess, ambiguous=written.ambiguous)


def _others_are_short(present: Texts) -> bool:
    others = present.where(lambda block: ~block.str.contains(HUGE))
    return others.all(lambda block: block.str.len_chars() < _DIGITS)


def _guess_time(present: Texts) -> Guess | None:
    rule = iso_rule(present)
    return None if rule is None else _judge(present, rule)


def _judge(present: Texts, rule: ReadingRule) -> Guess:
    read = survey(present, rule)
    if rule.is_number and read.is_float:
        rule = replace(rule, type="number")
    if is_few(read.unread, len(present)):
        return Guess(rule, odd=read.unread)
    return Guess(ReadingRule("text"), instead=rule, odd=read.unread)


def _with_marks(guess: Guess, marks: tuple[str, ...]) -> Guess:
    return replace(guess, rule=replace(guess.rule, missing=marks))
