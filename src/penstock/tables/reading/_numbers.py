"""Reading of numbers by a rule: money, percent, units, grouped digits, a decimal comma."""

import re
from typing import TYPE_CHECKING

from penstock.tables.reading._rule import ReadingRule

if TYPE_CHECKING:
    import polars as pl

LEADING_ZERO = r"^[+-]?0\d"
HUGE = r"^[+-]?\d{19,}$"

_ACCOUNTING = r"^\(.*\)$|\d-$"  # (12.50) and 12.50- are negative
_EXACT = 2.0**53  # up to here a float has each integer
_MINUS = "\u2212"
SIGN = r"[+\-\u2212]?\s*"
BLANKS = " \u00a0\u202f\u2009"
_GROUP = {"": "", " ": f"[{BLANKS}]", "'": "['\u2019]", ",": ",", ".": r"\."}


def read_plain_numbers(texts: "pl.Series", rule: ReadingRule) -> "pl.Series | None":
    """Read texts that are all plain numbers or null, the fast common case; None otherwise."""
    import polars as pl

    # A missing mark such as -999 is no number.
    if any(map(_is_numeric, rule.missing)) and texts.is_in(list(rule.missing)).any():
        return None
    nulls = texts.null_count()
    codes = texts.str.starts_with("0") | texts.str.starts_with("-0") | texts.str.starts_with("+0")
    if codes.any() and texts.filter(codes).str.contains(LEADING_ZERO).any():
        return None
    if rule.type == "integer":
        whole = texts.cast(pl.Int64, strict=False)
        if whole.null_count() == nulls:
            return whole
    floats = texts.cast(pl.Float64, strict=False)
    if floats.null_count() > nulls or floats.is_nan().any() or _too_large(texts, floats).any():
        return None
    return None if _loses_digits(texts, floats).any() else floats


def has_accounting(texts: "pl.Series") -> bool:
    """Return whether any negative number stands in brackets or before its sign."""
    return bool(texts.str.contains(_ACCOUNTING).any())


def read_numbers(
    texts: "pl.Series", rule: ReadingRule, *, accounting: bool | None = None
) -> "pl.Series":
    """Read texts as numbers; null where a text cannot be read.

    Codes with leading zeros and integers that a float rounds are no numbers: digits would be lost.
    Nor is 1e400, which a float has as infinity; ``inf`` written out is one.

    >>> import polars as pl
    >>> rule = ReadingRule("number", decimal=",", thousands=".", suffix="€")
    >>> read_numbers(pl.Series(["1.234,50 €", "-3", "soon"]), rule).to_list()
    [1234.5, -3.0, None]

    Args:
        texts: Texts, null where missing.
        rule: The notation.
        accounting: What ``has_accounting`` says of the column that the texts are a block of; by
            default they are the whole column.
    """
    import polars as pl

    accounting = has_accounting(texts) if accounting is None else accounting
    if not rule.is_plain or accounting:
        texts = _plain(texts, rule)
    elif texts.str.contains(_MINUS, literal=True).any():
        texts = texts.str.replace(_MINUS, "-", literal=True)
    codes = texts.str.contains(LEADING_ZERO)
    texts = pl.select(pl.when(~codes).then(texts)).to_series().rename(texts.name)
    whole = texts.cast(pl.Int64, strict=False)
    if rule.type == "integer" and whole.null_count() == texts.null_count():
        return whole
    floats = texts.cast(pl.Float64, strict=False)
    # A float would silently round long integers.
    lost = _loses_digits(texts, floats) | _too_large(texts, floats)
    floats = pl.select(pl.when(~lost).then(floats)).to_series().rename(texts.name)
    if rule.type == "integer" and floats.null_count() == whole.null_count():
        return whole
    return floats


def _loses_digits(texts: "pl.Series", floats: "pl.Series") -> "pl.Series":
    """Return which texts are integers that a float rounds: 9007199254740993, and all of 20 digits."""
    import polars as pl

    long = (floats.abs() >= _EXACT).fill_null(value=False)
    if not long.any():
        return long
    whole = pl.select(pl.when(long).then(texts)).to_series().cast(pl.Int64, strict=False)
    again = whole.cast(pl.Float64).cast(pl.Int64, strict=False)
    return long & pl.select(
        pl.when(whole.is_not_null())
        .then(~whole.eq_missing(again))
        .otherwise(texts.str.contains(HUGE))
    ).to_series().fill_null(value=False)


def _too_large(texts: "pl.Series", floats: "pl.Series") -> "pl.Series":
    """Return which numbers are beyond a float, as 1e400: written with digits, read as infinite."""
    beyond = floats.is_infinite().fill_null(value=False)
    return beyond & texts.str.contains(r"\d") if beyond.any() else beyond


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def body_pattern(decimal: str, thousands: str) -> str:
    """Return the pattern of a number with these marks, without sign and unit."""
    mark, group = re.escape(decimal), _GROUP[thousands]
    plain = rf"(?:\d+(?:{mark}\d*)?|{mark}\d+)(?:[eE][+\-]?\d+)?"
    if not group:
        return plain
    # With commas, India groups by two: 12,34,567.
    pairs = rf"(?:{group}\d{{2,3}})*" if thousands == "," else rf"(?:{group}\d{{3}})*"
    return rf"[1-9]\d{{0,2}}{pairs}{group}\d{{3}}(?:{mark}\d*)?|{plain}"


def _plain(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    """Convert numbers to Python's notation; null where a text does not follow the rule."""
    import polars as pl

    before = f"(?:{re.escape(rule.prefix)})?" if rule.prefix else ""
    behind = f"(?:{re.escape(rule.suffix)})?" if rule.suffix else ""
    body = rf"(?P<body>{body_pattern(rule.decimal, rule.thousands)})"
    parts = texts.str.extract_groups(
        rf"^(?P<open>\(?)\s*(?P<sign>{SIGN}){before}\s*(?P<second>{SIGN}){body}\s*{behind}"
        r"\s*(?P<close>\)?)(?P<last>-?)$"
    ).struct.unnest()
    signs = pl.concat_str("sign", "second", "last").str.replace_all(r"\s", "")
    minus = (signs.str.count_matches(r"[-\u2212]") == 1) | (pl.col("open") == "(")
    fits = (pl.col("open") == "(") == (pl.col("close") == ")")
    # A number has at most one sign, or brackets in place of the minus.
    fits &= signs.str.len_chars() + (pl.col("open") == "(").cast(pl.UInt32) <= 1
    group = _GROUP[rule.thousands]
    number = pl.col("body").str.replace_all(group, "") if group else pl.col("body")
    number = number.str.replace(rule.decimal, ".", literal=True)
    read = pl.when(fits).then(pl.when(minus).then(pl.lit("-")).otherwise(pl.lit("")) + number)
    return parts.select(read.alias(texts.name)).to_series()
