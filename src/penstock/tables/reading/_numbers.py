"""Numbers in human notation: money, percent, units, grouped digits, a decimal comma."""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from penstock.tables.reading._rule import ReadingRule

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
LEADING_ZERO = r"^[+-]?0\d"
HUGE = r"^[+-]?\d{19,}$"
GROUPS_ONLY = r"^[1-9]\d{0,2}(?:[.,]\d{3})+$"

_ACCOUNTING = r"^\(.*\)$|\d-$"  # (12.50) and 12.50- are negative
_MANY = 20
_BEYOND = 1e18
_MINUS = "\u2212"
_SIGN = r"[+\-\u2212]?\s*"
_BLANKS = " \u00a0\u202f\u2009"
_GROUP = {"": "", " ": f"[{_BLANKS}]", "'": "['\u2019]", ",": ",", ".": r"\."}
_BEFORE = r"[^\d\s.,()'\u2019+\-\u2212]{1,4}\.?"
_BEHIND = r"\+|[^\d\s.,()'\u2019+\-\u2212][^\d\s()]{0,11}"
_BODY = rf"\d[\d.,'\u2019{_BLANKS}]*(?:[eE][+\-]?\d+)?|[.,]\d+"
_WRITTEN = (
    rf"^\(?{_SIGN}(?P<prefix>{_BEFORE})?\s*{_SIGN}(?P<body>{_BODY})\s*(?P<suffix>{_BEHIND})?\)?-?$"
)
_CODES = frozenset(
    [
        "usd",
        "eur",
        "gbp",
        "chf",
        "jpy",
        "cny",
        "inr",
        "rs",
        "rs.",
        "kr",
        "kr.",
        "sek",
        "nok",
        "dkk",
        "pln",
        "zł",
        "kč",
        "czk",
        "huf",
        "ft",
        "aud",
        "cad",
        "nzd",
        "brl",
        "mxn",
        "zar",
        "rub",
        "try",
        "krw",
        "sgd",
        "hkd",
        "us$",
        "r$",
        "a$",
        "c$",
    ]
)
_UNITS = frozenset(
    [
        "kg",
        "g",
        "mg",
        "t",
        "lb",
        "lbs",
        "oz",
        "km",
        "m",
        "cm",
        "mm",
        "mi",
        "ft",
        "in",
        "inch",
        "inches",
        '"',
        "″",
        "l",
        "ml",
        "cl",
        "h",
        "hr",
        "hrs",
        "hour",
        "hours",
        "min",
        "mins",
        "minutes",
        "s",
        "sec",
        "secs",
        "seconds",
        "ms",
        "d",
        "day",
        "days",
        "week",
        "weeks",
        "month",
        "months",
        "year",
        "years",
        "yr",
        "yrs",
        "gb",
        "mb",
        "tb",
        "kb",
        "gib",
        "mib",
        "ghz",
        "mhz",
        "khz",
        "hz",
        "w",
        "kw",
        "mw",
        "kwh",
        "mwh",
        "v",
        "mv",
        "a",
        "ma",
        "mah",
        "°c",
        "°f",
        "°",
        "℃",
        "℉",
        "c",
        "f",
        "k",
        "%",
        "‰",
        "pct",
        "percent",
        "pp",
        "bp",
        "bps",
        "+",
        "px",
        "dpi",
        "mpx",
        "mp",
        "db",
        "bar",
        "hpa",
        "pa",
        "kpa",
        "psi",
        "m²",
        "m2",
        "km²",
        "sqm",
        "sqft",
        "ha",
        "rpm",
        "mph",
        "km/h",
        "kmh",
        "m/s",
        "kcal",
        "cal",
        "kj",
        "j",
        "nm",
        "µm",
        "μm",
        "µg",
        "μg",
        "mol",
        "ppm",
        "ppb",
    ]
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


def read_plain_numbers(texts: "pl.Series", rule: ReadingRule) -> "pl.Series | None":
    """Read texts that are all plain numbers or null, the fast common case; None otherwise."""
    import polars as pl

    nulls = texts.null_count()
    codes = texts.str.starts_with("0") | texts.str.starts_with("-0") | texts.str.starts_with("+0")
    if codes.any() and texts.filter(codes).str.contains(LEADING_ZERO).any():
        return None
    if rule.type == "integer":
        whole = texts.cast(pl.Int64, strict=False)
        if whole.null_count() == nulls:
            return whole
    floats = texts.cast(pl.Float64, strict=False)
    if floats.null_count() > nulls or floats.is_nan().any():
        return None
    return None if texts.filter(floats.abs() >= _BEYOND).str.contains(HUGE).any() else floats


def read_numbers(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    """Read texts as numbers; null where a text cannot be read.

    Codes with leading zeros and integers too long for 64 bits are no numbers: digits would be lost.

    >>> import polars as pl
    >>> rule = ReadingRule("number", decimal=",", thousands=".", suffix="€")
    >>> read_numbers(pl.Series(["1.234,50 €", "-3", "soon"]), rule).to_list()
    [1234.5, -3.0, None]
    """
    import polars as pl

    if not rule.is_plain or texts.str.contains(_ACCOUNTING).any():
        texts = _plain(texts, rule)
    elif texts.str.contains(_MINUS, literal=True).any():
        texts = texts.str.replace(_MINUS, "-", literal=True)
    codes = texts.str.contains(LEADING_ZERO)
    texts = pl.select(pl.when(~codes).then(texts)).to_series().rename(texts.name)
    whole = texts.cast(pl.Int64, strict=False)
    if rule.type == "integer" and whole.null_count() == texts.null_count():
        return whole
    floats = texts.cast(pl.Float64, strict=False)
    # A float would silently round integers that are too long for 64 bits.
    lost = whole.is_null() & texts.str.contains(HUGE)
    floats = pl.select(pl.when(~lost).then(floats)).to_series().rename(texts.name)
    if rule.type == "integer" and floats.null_count() == whole.null_count():
        return whole
    return floats


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
    prefix = prefix if not prefix or _is_currency(prefix) else ""
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
    for column, is_known in (("prefix", _is_currency), ("suffix", _is_known_suffix)):
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
        fits = parts["body"].str.contains(f"^(?:{_body(mark, thousands)})$")
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


def _body(decimal: str, thousands: str) -> str:
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
    body = rf"(?P<body>{_body(rule.decimal, rule.thousands)})"
    parts = texts.str.extract_groups(
        rf"^(?P<open>\(?)\s*(?P<sign>{_SIGN}){before}\s*(?P<second>{_SIGN}){body}\s*{behind}"
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


def _commonest(parts: "pl.DataFrame", column: str) -> str:
    import polars as pl

    found = parts.filter(pl.col(column).is_not_null()).group_by(column).agg(pl.col("rows").sum())
    found = found.sort(["rows", column], descending=[True, False])
    return str(found[column][0]) if found.height else ""


def _is_currency(text: str) -> bool:
    return text.lower() in _CODES or any(unicodedata.category(c) == "Sc" for c in text)


def _is_known_suffix(text: str) -> bool:
    return _is_currency(text) or text.lower() in _UNITS


def _is_unit(text: str, parts: "pl.DataFrame") -> bool:
    """Check for a unit, as opposed to a code's letter: known, or used by every value."""
    import polars as pl

    if _is_known_suffix(text):
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
