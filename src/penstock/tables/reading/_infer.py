"""Inference of a column's reading rule: by the majority, with the unreadable values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from penstock.tables.reading._notation import Written, guess_numbers, known_affixes
from penstock.tables.reading._numbers import HUGE, LEADING_ZERO, read_plain_numbers
from penstock.tables.reading._read import missing_in, read_values
from penstock.tables.reading._rule import ReadingRule, ValueType
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
    """

    rule: ReadingRule
    instead: ReadingRule | None = None
    odd: int = 0
    ambiguous: bool = False
    codes: int = 0
    units: tuple[str, ...] = ()


def guess_rule(
    texts: "pl.Series", missing: Sequence[str] = (), *, decimal: str | None = None
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
    marks = tuple(missing)
    text = ReadingRule("text", missing=marks)
    if decimal != "," and texts.null_count() < len(texts):
        quick = read_plain_numbers(texts, ReadingRule("integer"))
        if quick is not None:
            kind: ValueType = "integer" if quick.dtype.is_integer() else "number"
            return Guess(ReadingRule(kind, missing=marks))
    texts_with_value = texts.filter(~missing_in(texts, replace(text, type="number")))
    if not len(texts_with_value):
        return Guess(text)
    # Sampled from the whole column: the first rows say little about the last rows.
    sample = texts_with_value.gather_every(max(1, len(texts_with_value) // _SAMPLE))
    if float(sample.str.contains(r"\d").mean() or 0) >= _HALF:  # type: ignore[arg-type] # a share
        # The sample rules out most columns before the whole column is read.
        rule = _guess_number(sample, decimal) and _guess_number(texts_with_value, decimal)
        rule = rule or (_guess_time(sample) and _guess_time(texts_with_value))
        if rule is not None:
            return _with_marks(rule, marks)
    booleans = sample.str.to_lowercase().is_in(["true", "false"])
    if float(booleans.mean() or 0) >= _HALF:  # type: ignore[arg-type] # a share
        return _with_marks(_judge(texts_with_value, ReadingRule("boolean")), marks)
    return Guess(text)


def is_few(odd: int, values: int) -> bool:
    """Check whether so many unreadable values may be missing without a change of type."""
    return odd <= MOST_ODD * values or (odd == 1 and values >= _FEW)


def _guess_number(texts: "pl.Series", decimal: str | None) -> Guess | None:
    plain = ReadingRule("integer")
    whole = read_values(texts, plain)
    if not whole.null_count() and decimal != ",":
        return Guess(plain if whole.dtype.is_integer() else ReadingRule("number"))
    codes = int(texts.str.contains(LEADING_ZERO).sum())
    digits = int(texts.str.contains(r"^[+-]?\d+([.]\d+)?$").sum())
    if codes and digits > _HALF * len(texts):
        return Guess(ReadingRule("text"), codes=codes)
    huge = texts.str.contains(HUGE)
    others = texts.filter(~huge)
    # Long numbers are identifiers, of which no digit may be lost; a single long number among short
    # ones is odd.
    if huge.any() and not (is_few(int(huge.sum()), len(texts)) and _are_short(others)):
        return None
    written = guess_numbers(texts, decimal) or Written(plain, 0)
    guess = _judge(texts, written.rule)
    if guess.instead is not None:
        units = tuple(known_affixes(texts))
        if len(units) > 1:
            return replace(guess, units=units)
        if written.readable < _HALF * len(texts):
            return None
    return replace(guess, ambiguous=written.ambiguous)


def _are_short(numbers: "pl.Series") -> bool:
    return bool((numbers.str.len_chars() < _DIGITS).all())


def _guess_time(texts: "pl.Series") -> Guess | None:
    rule = iso_rule(texts)
    return None if rule is None else _judge(texts, rule)


def _judge(texts: "pl.Series", rule: ReadingRule) -> Guess:
    read = read_values(texts, rule)
    odd = read.null_count()
    if rule.is_number and read.dtype.is_float():
        rule = replace(rule, type="number")
    if is_few(odd, len(texts)):
        return Guess(rule, odd=odd)
    return Guess(ReadingRule("text"), instead=rule, odd=odd)


def _with_marks(guess: Guess, marks: tuple[str, ...]) -> Guess:
    return replace(guess, rule=replace(guess.rule, missing=marks))
