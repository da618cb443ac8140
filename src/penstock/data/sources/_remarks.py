"""Findings about the reading of a column's texts; separate from the reading itself."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from penstock.data._finding import Finding
from penstock.tables.reading import (
    Guess,
    ReadingRule,
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
_FACTORS = {"%", "‰", "pct", "percent", "bp", "bps", "k", "K", "M", "B", "mn", "bn", "Mio", "Mrd"}


def remark_guess(texts: "pl.Series", guess: Guess) -> Iterator[Finding]:
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


def remark_bare(texts: "pl.Series", rule: ReadingRule) -> Iterator[Finding]:
    """Yield a warning for values without the common unit, if that is a factor: 0.05 among 5 %."""
    if not (rule.is_number and rule.suffix in _FACTORS):
        return
    values = read_values(texts, rule)
    bare = ~texts.str.contains(rule.suffix, literal=True) & (values != 0)
    bare = texts.filter(bare.fill_null(value=False))
    if not len(bare):
        return
    examples = ", ".join(repr(text[:20]) for text in bare.unique(maintain_order=True).head(_SHOWN))
    text = (
        f"Column '{texts.name}': {len(bare):,} of {len(values) - values.null_count():,} values stand "
        f"without '{rule.suffix}' ({examples}) and are read as if it stood there: is that meant?"
    )
    yield Finding("warn", "without_unit", texts.name, text)


def remark_marks(
    texts: "pl.Series", rule: ReadingRule, quoted: "pl.Series | None"
) -> Iterator[Finding]:
    """Yield counts of words that were read as missing, and of words that quotes made values."""
    name, given = texts.name, texts.drop_nulls()
    marks = given.filter(missing_in(given, rule) & (given != ""))
    shown = _counts(marks)
    if rule.type == "text" and len(marks):
        words = bool(marks.str.contains(r"[A-Za-z]").any()) and len(marks) >= _MANY * len(texts)
        text = (
            f"Column '{name}': {shown} read as missing. If it is a value, put it in quotes in the "
            "file or leave it out of missing=."
        )
        yield Finding("warn" if words else "info", "missing_text", name, text)
    elif rule.type != "text" and not bool(marks.is_in(list(rule.missing)).all()):
        yield Finding("info", "marks", name, f"Column '{name}': {shown} read as missing.")
    if quoted is not None and len(quoted):
        values = quoted.str.slice(1)
        text = f"Column '{name}': {_counts(values)} in quotes kept as a value."
        yield Finding("info", "quoted_mark", name, text)


def remark_times(texts: "pl.Series") -> Iterator[Finding]:
    """Yield findings on texts that are dates in an unusual form."""
    sample = texts.drop_nulls().head(_LOOKED_AT)
    like = sample.str.contains(r"^\d{1,4}\D\S")
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


def _remark_usual_times(texts: "pl.Series") -> Iterator[Finding]:
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


def _ambiguous(texts: "pl.Series", rule: ReadingRule) -> Finding:
    example = texts.filter(texts.str.contains(r"\d[.,]\d{3}").fill_null(value=False))[0]
    value = read_values(texts.filter(texts == example).head(1), rule)[0]
    other = "," if rule.decimal == "." else "."
    text = (
        f"Column '{texts.name}' can be read in two ways: {example} is read as {value}; "
        f"decimal={other!r} reads it the other way."
    )
    return Finding("warn", "ambiguous_number", texts.name, text)


def _odd(texts: "pl.Series", guess: Guess, likely: ReadingRule) -> Finding:
    given = texts.filter(~missing_in(texts, likely))
    odd = given.filter(read_values(given, likely).is_null())
    examples = ", ".join(repr(text[:20]) for text in odd.unique(maintain_order=True).head(_SHOWN))
    noun = "numbers" if likely.is_number else f"{likely.type}s"
    count = f"{guess.odd:,} of {len(given):,} values are not {noun} ({examples})"
    if guess.instead is None:
        text = f"Column '{texts.name}': {count}; they are missing now."
        return Finding("warn", "unreadable", texts.name, text)
    comma = " with a decimal comma" if likely.decimal == "," else ""
    text = f"Column '{texts.name}' is text but looks like {noun}{comma}: {count}."
    return Finding("warn", "number_text", texts.name, text)


def _counts(texts: "pl.Series") -> str:
    counts = texts.value_counts(name="rows").sort(
        ["rows", texts.name], descending=[True, False]
    )  # a fixed order, as findings are part of a digest
    counts = counts.head(_SHOWN)
    return ", ".join(f"{rows:,} times '{text}'" for text, rows in counts.iter_rows())
