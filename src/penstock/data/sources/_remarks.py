"""Findings about the reading of a column's texts; separate from the reading itself."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.data._finding import Finding
from penstock.tables.reading import (
    Guess,
    ReadingRule,
    Texts,
    block_reader,
    fitting_formats,
    missing_in,
    read_values,
    usual_formats,
)

if TYPE_CHECKING:
    import polars as pl

_SHOWN = 3
_LOOKED_AT = 20
_HALF = 0.5
_MANY = 0.01
_COMPACT = r"^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$"
_LIKE_TIME = r"^(?:\d{1,4}\D\S|\d{8}T\d|[A-Z][a-z]{2,8},? \d)"
_EXCEL_DAYS = r"^[2-7]\d{4}(?:\.\d+)?$"  # 1954 to 2119
_DATE_NAME = re.compile(r"date|datum|fecha|(?:^|[_ ])(?:day|time|at|on)$", re.IGNORECASE)
_FACTORS = {"%", "‰", "pct", "percent", "bp", "bps", "k", "K", "M", "B", "mn", "bn", "Mio", "Mrd"}


def remark_guess(texts: Texts, guess: Guess) -> Iterator[Finding]:
    """Yield findings on a column's recognition, its unread values, and why it stayed text."""
    name, rule = texts.name, guess.rule
    likely = guess.instead or rule
    if rule.is_number and not rule.is_plain:
        text = f"Column '{name}' is read as {rule.words}."
        yield Finding("info", "number_form", name, text)
    if guess.ambiguous and rule.is_number:
        yield _ambiguous(texts, rule)
    if guess.units:
        text = f"Column '{name}' is text: its numbers have several units ({', '.join(guess.units[:5])})."
        yield Finding("warn", "mixed_units", name, text)
    elif guess.odd:
        yield _odd(texts, guess, likely)
    if 0 < guess.codes < _HALF * len(texts):
        text = (
            f"Column '{name}' stays text: {guess.codes:,} of its numbers begin with zeros, which "
            "codes do and amounts do not."
        )
        yield Finding("info", "codes", name, text)


def remark_bare(texts: Texts, rule: ReadingRule) -> Iterator[Finding]:
    """Yield a warning for values without the common unit, if that is a factor: 0.05 among 5 %."""
    if not (rule.is_number and rule.suffix in _FACTORS):
        return
    read = block_reader(texts, rule)

    def is_bare(block: "pl.Series") -> "pl.Series":
        with_none = ~block.str.contains(rule.suffix, literal=True) & (read(block) != 0)
        return with_none.fill_null(value=False)

    bare = texts.where(is_bare)
    if not len(bare):
        return
    given = len(texts) - texts.total(lambda block: read(block).null_count())
    text = (
        f"Column '{texts.name}': {len(bare):,} of {given:,} values stand "
        f"without '{rule.suffix}' ({show_examples(bare)}) and are read as if it stood there: is that meant?"
    )
    yield Finding("warn", "without_unit", texts.name, text)


def remark_marks(texts: Texts, rule: ReadingRule, quoted: Texts | None) -> Iterator[Finding]:
    """Yield counts of words that were read as missing, and of words that quotes made values."""
    name = texts.name
    marks = _count(texts.where(lambda block: missing_in(block, rule) & _is_word(block)))
    shown = _show(marks)
    if rule.type == "text" and marks:
        words = any(re.search(r"[A-Za-z]", mark) for mark in marks)
        words = words and marks.total() >= _MANY * len(texts)
        text = (
            f"Column '{name}': {shown} read as missing. If it is a value, put it in quotes in the "
            "file or leave it out of missing=."
        )
        yield Finding("warn" if words else "info", "missing_text", name, text)
    elif rule.type != "text" and not marks.keys() <= set(rule.missing):
        yield Finding("info", "marks", name, f"Column '{name}': {shown} read as missing.")
    if quoted is not None and len(quoted):
        values = _count(quoted.map(lambda block: block.str.slice(1)))
        text = f"Column '{name}': {_show(values)} in quotes kept as a value."
        yield Finding("info", "quoted_mark", name, text)


def remark_date_numbers(texts: Texts, rule: ReadingRule) -> Iterator[Finding]:
    """Yield a warning for numbers that are dates: 20240205, or the days that Excel counts."""
    if not (rule.is_number and rule.is_plain):
        return
    sample = texts.where(lambda block: block.is_not_null()).head(_LOOKED_AT)
    if not len(sample):
        return
    name, example = texts.name, sample[0]

    def are_all(pattern: str) -> bool:
        def fits(block: "pl.Series") -> "pl.Series":
            return block.str.contains(pattern) | missing_in(block, rule)

        return bool(fits(sample).all()) and texts.all(fits)

    if are_all(_COMPACT):
        text = (
            f"Column '{name}' is read as numbers, though all of them look like dates ({example});"
            f" types={{{name!r}: 'date'}} reads them."
        )
        yield Finding("warn", "date_number", name, text)
    elif _DATE_NAME.search(name) and are_all(_EXCEL_DAYS):
        text = (
            f"Column '{name}' is read as numbers, which may be the days that Excel counts from"
            f" 1899-12-30 on ({example}); written as ISO dates they are read as such."
        )
        yield Finding("warn", "date_number", name, text)


def remark_times(texts: Texts) -> Iterator[Finding]:
    """Yield findings on texts that are dates in an unusual form."""
    sample = texts.where(lambda block: block.is_not_null()).head(_LOOKED_AT)
    like = sample.str.contains(_LIKE_TIME)
    if not len(sample) or like.sum() <= _HALF * len(sample):
        return
    forms = fitting_formats(texts)
    if not forms:
        yield from _remark_usual_times(texts)
        return
    ways = " or ".join(f"types={{{texts.name!r}: {form!r}}}" for form in forms)
    text = (
        f"Column '{texts.name}' is text, though it holds dates written {' or '.join(forms)}; "
        f"{ways} reads them."
    )
    yield Finding("warn", "date_text", texts.name, text)


def _remark_usual_times(texts: Texts) -> Iterator[Finding]:
    """Yield findings on dates that are text because of a few values, or of several forms."""
    forms, odd = usual_formats(texts)
    if not forms:
        return
    shown = ", ".join(repr(text[:20]) for text in odd[:_SHOWN])
    if len(forms) > 1:
        text = (
            f"Column '{texts.name}' is text: its dates are written in several ways "
            f"({', '.join(forms)}). Write them in one."
        )
    else:
        text = (
            f"Column '{texts.name}' is text, though nearly all of it are dates written {forms[0]}: "
            f"{shown} are none. types={{{texts.name!r}: {forms[0]!r}}} reads the dates once these are "
            "mended, or named in missing=."
        )
    yield Finding("warn", "date_text", texts.name, text)


def show_examples(texts: Texts) -> str:
    """Return the first different texts, for people."""
    return ", ".join(repr(text[:20]) for text in texts.distinct(_SHOWN))


def _ambiguous(texts: Texts, rule: ReadingRule) -> Finding:
    first = texts.where(lambda block: block.str.contains(r"\d[.,]\d{3}").fill_null(value=False))
    example = first.head(1)
    value = read_values(example, rule)[0]
    other = "," if rule.decimal == "." else "."
    text = (
        f"Column '{texts.name}' can be read in two ways: {example[0]} is read as {value}; "
        f"decimal={other!r} reads it the other way."
    )
    return Finding("warn", "ambiguous_number", texts.name, text)


def _odd(texts: Texts, guess: Guess, likely: ReadingRule) -> Finding:
    given = texts.where(lambda block: ~missing_in(block, likely))
    read = block_reader(given, likely)
    odd = given.where(lambda block: read(block).is_null())
    noun = "numbers" if likely.is_number else f"{likely.type}s"
    count = f"{guess.odd:,} of {len(given):,} values are not {noun} ({show_examples(odd)})"
    if guess.instead is None:
        text = f"Column '{texts.name}': {count}; they are missing now."
        return Finding("warn", "unreadable", texts.name, text)
    comma = " with a decimal comma" if likely.decimal == "," else ""
    text = f"Column '{texts.name}' is text but looks like {noun}{comma}: {count}."
    return Finding("warn", "number_text", texts.name, text)


def _is_word(block: "pl.Series") -> "pl.Series":
    return (block != "").fill_null(value=False)


def _count(texts: Texts) -> "Counter[str]":
    counts: Counter[str] = Counter()
    for block in texts.blocks():
        counts.update(dict(block.drop_nulls().rename("text").value_counts(name="rows").iter_rows()))
    return counts


def _show(counts: "Counter[str]") -> str:
    # A fixed order, as findings are part of a digest.
    first = sorted(counts, key=lambda text: (-counts[text], text))[:_SHOWN]
    return ", ".join(f"{counts[text]:,} times '{text}'" for text in first)
