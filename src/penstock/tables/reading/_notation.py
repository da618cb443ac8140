"""The notation of a column of numbers: decimal mark, grouped digits, currency or unit."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.tables.reading._numbers import BLANKS, SIGN, body_pattern
from penstock.tables.reading._rule import ReadingRule
from penstock.tables.reading._units import is_currency, is_known_suffix

if TYPE_CHECKING:
    import polars as pl

# (decimal mark, thousands mark), the likelier first where several fit.
DIALECTS = (
    (".", ""),
    (".", ","),
    (",", ""),
    (",", "."),
    (".", " "),
    (",", " "),
    (".", "'"),
    (",", "'"),
)
GROUPS_ONLY = r"^[1-9]\d{0,2}(?:[.,]\d{3})+$"
_MANY = 20
_BEFORE = r"[^\d\s.,()'\u2019+\-\u2212]{1,4}\.?"
_BEHIND = r"\+|[^\d\s.,()'\u2019+\-\u2212][^\d\s()]{0,11}"
_BODY = rf"\d[\d.,'\u2019{BLANKS}]*(?:[eE][+\-]?\d+)?|[.,]\d+"
_WRITTEN = (
    rf"^\(?{SIGN}(?P<prefix>{_BEFORE})?\s*{SIGN}(?P<body>{_BODY})\s*(?P<suffix>{_BEHIND})?\)?-?$"
)


@dataclass(frozen=True, slots=True)
class Written:
    """The notation of most numbers of a column.

    Attributes:
        rule: The rule to read them.
        readable: Number of readable values.
        ambiguous: Whether the mark in 1,234 may be a decimal as well as a thousands mark.
    """

    rule: ReadingRule
    readable: int
    ambiguous: bool = False


def guess_numbers(texts: "pl.Series", decimal: str | None) -> Written | None:
    """Infer the notation of a column's numbers, despite any texts among them; None without numbers.

    Args:
        texts: Values, none missing.
        decimal: The decimal mark, if known.
    """
    import polars as pl

    # Each distinct text is parsed once.
    counts = texts.value_counts(name="rows")
    parts = counts.select(
        pl.col("rows"), pl.col(texts.name).str.extract_groups(_WRITTEN).alias("parts")
    ).unnest("parts")
    parts = parts.filter(pl.col("body").is_not_null())
    if not parts.height:
        return None
    prefix = _commonest(parts, "prefix")
    suffix = _commonest(parts, "suffix")
    # An affix of only a few values is no unit, but makes them odd: "12abc" among 100 numbers.
    prefix = prefix if not prefix or is_currency(prefix) else ""
    suffix = suffix if not suffix or _is_unit(suffix, parts) else ""
    parts = parts.filter(
        pl.col("prefix").is_null() | (pl.col("prefix") == prefix),
        pl.col("suffix").is_null() | (pl.col("suffix") == suffix),
    ).with_columns(pl.col("body").str.strip_chars())
    return _guess_dialect(parts, prefix, suffix, decimal)


def known_affixes(texts: "pl.Series") -> list[str]:
    """List the currencies and units of a column, the commonest first, if most values have any.

    >>> import polars as pl
    >>> known_affixes(pl.Series(["$5", "€6", "$7"]))
    ['$', '€']
    """
    import polars as pl

    parts = pl.select(texts.str.extract_groups(_WRITTEN).alias("parts")).unnest("parts")
    known: Counter[str] = Counter()
    for column, is_known in (("prefix", is_currency), ("suffix", is_known_suffix)):
        counts = parts[column].drop_nulls().value_counts(name="rows")
        known.update({text: rows for text, rows in counts.iter_rows() if is_known(text)})
    if 2 * known.total() <= len(texts):
        return []
    return sorted(known, key=lambda text: (-known[text], text))[:_MANY]


def _guess_dialect(
    parts: "pl.DataFrame", prefix: str, suffix: str, decimal: str | None
) -> Written | None:

    best: tuple[int, tuple[str, str]] | None = None
    for mark, thousands in DIALECTS:
        if decimal is not None and mark != decimal:
            continue
        fits = parts["body"].str.contains(f"^(?:{body_pattern(mark, thousands)})$")
        readable = int(parts["rows"].filter(fits).sum())
        if readable and (best is None or readable > best[0]):
            best = (readable, (mark, thousands))
    if best is None:
        return None
    readable, (mark, thousands) = best
    bodies = parts["body"]
    # Phone numbers and article numbers are grouped in the same way.
    if thousands in {" ", "."} and _are_codes(bodies):
        return None
    grouped = bodies.filter(bodies.str.contains(r"[.,]"))
    # With groups of three only, 1,234 may be a whole number or a decimal fraction.
    unsure = bool(len(grouped)) and bool(grouped.str.contains(GROUPS_ONLY).all())
    unsure = unsure and not bool(grouped.str.contains(r"[.,]\d+[.,]").any())
    fraction = bodies.str.contains(rf"{re.escape(mark)}\d|[eE]").any() and not (
        thousands == "" and unsure and mark == ","
    )
    rule = ReadingRule(
        "number" if fraction else "integer",
        decimal=mark,
        thousands=thousands,
        prefix=prefix,
        suffix=suffix,
    )
    return Written(rule, readable, ambiguous=unsure and decimal is None)


def _commonest(parts: "pl.DataFrame", column: str) -> str:
    import polars as pl

    counts = parts.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.col("rows").sum())
    counts = counts.sort(["rows", column], descending=[True, False])
    return str(counts[column][0]) if counts.height else ""


def _is_unit(text: str, parts: "pl.DataFrame") -> bool:
    """Check for a unit, as opposed to a code's letter: known, or used by every value."""
    import polars as pl

    if is_known_suffix(text):
        # "12a" among house numbers is no ampere: a letter is a unit where most values have it.
        having = int(parts["rows"].filter((parts["suffix"] == text).fill_null(value=False)).sum())
        return not re.fullmatch("[A-Za-z]", text) or 2 * having > int(parts["rows"].sum())
    everywhere = bool((parts["suffix"] == text).fill_null(value=False).all())
    letters = re.fullmatch(r"[^\W\d_]{2,10}", text) is not None
    return everywhere and letters and parts.select(pl.col("body").n_unique()).item() > 1


def _are_codes(bodies: "pl.Series") -> bool:
    """Check for phone numbers and the like, as opposed to amounts: long, and of equal length."""
    import polars as pl

    digits = bodies.str.replace_all(r"\D", "").str.len_chars()
    many = 7
    return (
        bool((digits.cast(pl.Int64) >= many).all()) and digits.n_unique() == 1 and len(bodies) > 1
    )
