"""Columns of times: detection of dates and times in texts and numbers, and parsing."""

from typing import TYPE_CHECKING, Literal

from penstock.core import DataError
from penstock.tables.reading._rule import ReadingRule
from penstock.tables.reading._texts import Texts
from penstock.tables.reading._time_formats import guess_time_format, keep_where, parse_format

if TYPE_CHECKING:
    import polars as pl

# Numbers below this (March 1973) are counters or small codes, not seconds since 1970.
FIRST_SECOND = 1e8
EPOCHS = (("s", 1e11, 1_000_000), ("ms", 1e14, 1_000), ("us", 1e17, 1), ("ns", 1e20, 0.001))
ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
ISO_TIME = (
    r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$"
)
OFFSET = r"(Z|UTC|[+-]\d{2}:?\d{2})$"
_SAMPLE = 1_000


def read_iso(texts: "pl.Series") -> "pl.Series | None":
    """Read texts as ISO dates or datetimes; None if any text is neither.

    With an offset or Z the result is in UTC; without, naive.

    >>> import polars as pl
    >>> read_iso(pl.Series(["2013-01-01T06:00Z", None])).to_list()[0].isoformat()
    '2013-01-01T06:00:00+00:00'
    """
    present = texts.drop_nulls()
    # The first value rules out nearly every text column, at no cost.
    if not len(present) or not _all_match(present.head(1), f"{ISO_DATE}|{ISO_TIME}"):
        return None
    if _all_match(present, ISO_DATE):
        return _whole(texts, texts.str.to_date("%Y-%m-%d", strict=False))
    if not _all_match(present, f"{ISO_DATE}|{ISO_TIME}"):
        return None
    offsets = present.str.contains(OFFSET)
    if offsets.any() and not offsets.all():
        return None
    return _whole(texts, _parse_iso(texts, offsets=bool(offsets.all())))


def _parse_iso(texts: "pl.Series", *, offsets: bool) -> "pl.Series":
    import polars as pl

    if not offsets:  # as most programs write them: nothing is to be replaced
        quick = texts.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False)
        if quick.null_count() == texts.null_count():
            return quick.cast(pl.Datetime("us"))
    plain = (
        texts.str.replace(" ", "T", literal=True)
        .str.replace(r"\s*(Z|UTC)$", "+0000")
        .str.replace(r"([+-]\d{2}):(\d{2})$", "$1$2")
        .str.replace(",", ".", literal=True)
        .str.replace(r"^([\d-]+)($|[+-]\d{4}$)", "${1}T00:00:00${2}")
        .str.replace(r"(T\d{1,2}:\d{2})($|[+-]\d{4}$)", "${1}:00${2}")
    )
    form = "%Y-%m-%dT%H:%M:%S%.f" + ("%z" if offsets else "")
    times = plain.str.to_datetime(form, time_unit="us", strict=False)
    return times.cast(pl.Datetime("us", "UTC" if offsets else None))


def read_times(series: "pl.Series", time_format: str | None = None) -> "pl.Series":
    """Read a column as dates or datetimes.

    Accepted: dates and datetimes unchanged; ISO texts; numbers (also as text) that count seconds,
    milliseconds, microseconds or nanoseconds since 1970, or have the form YYYYMMDD; any further
    text with a format.

    >>> import polars as pl
    >>> read_times(pl.Series("t", [1400269500])).to_list()[0].isoformat()
    '2014-05-16T19:45:00+00:00'

    Args:
        series: The column; a missing value stays missing.
        time_format: Format of the texts, in strftime codes.

    Raises:
        DataError: If a value cannot be read.
    """
    import polars as pl

    if series.dtype in (pl.Date, pl.Datetime):
        return series
    if series.dtype == pl.Null:
        return series.cast(pl.Datetime("us"))
    if series.dtype.is_numeric() and time_format is None:
        return _read_epoch(series)
    texts = series.cast(pl.String)
    if time_format is not None:
        return _read_format(texts, time_format)
    times = read_iso(texts)
    if times is not None:
        return times
    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        whole = texts.cast(pl.Int64, strict=False)
        exact = whole.null_count() == texts.null_count()
        return _read_epoch(whole if exact else numbers)
    raise not_a_time(texts)


def time_rule(series: "pl.Series", times: "pl.Series", time_format: str | None) -> ReadingRule:
    """Return the rule of a column that ``read_times`` has read.

    >>> import polars as pl
    >>> days = pl.Series([20160630])
    >>> time_rule(days, read_times(days), None).times
    'compact'
    """
    import polars as pl

    day = times.dtype == pl.Date
    zone = "UTC" if getattr(times.dtype, "time_zone", None) else ""
    kind: Literal["date", "datetime"] = "date" if day else "datetime"
    if series.dtype in (pl.Date, pl.Datetime, pl.Null):
        return ReadingRule(kind, times="iso", zone=zone)
    if time_format is not None:
        return ReadingRule(kind, times=time_format, zone=zone)
    numbers = series.cast(pl.Float64, strict=False).drop_nulls()
    if len(numbers) < len(series) - series.null_count() or not len(numbers):
        return ReadingRule(kind, times="iso", zone=zone)
    if day:
        return ReadingRule(kind, times="compact")
    size = float(numbers.abs().median() or 0)  # type: ignore[arg-type] # of floats it is one
    unit = next(unit for unit, limit, _ in EPOCHS if size < limit)
    return ReadingRule(kind, times=f"epoch_{unit}", zone=zone)


def read_times_by(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    """Read texts as times by a rule; null where a text does not follow the rule.

    >>> import polars as pl
    >>> read_times_by(pl.Series(["20240205", "5"]), ReadingRule("date", times="compact")).to_list()
    [datetime.date(2024, 2, 5), None]
    """
    import polars as pl

    moment = pl.Datetime("us", rule.zone or None)
    if rule.times == "iso":
        return _read_iso_by(texts, rule)
    if rule.times == "compact":
        days = texts.str.contains(r"^\d{8}$")
        return keep_where(days, texts).str.to_date("%Y%m%d", strict=False)
    if rule.times.startswith("epoch_"):
        factor = {unit: factor for unit, _, factor in EPOCHS}[rule.times.removeprefix("epoch_")]
        whole = texts.cast(pl.Int64, strict=False)
        micro = whole * int(factor) if factor >= 1 else whole // 1000
        # Fractions of a unit need floats.
        if whole.null_count() > texts.null_count():
            micro = (texts.cast(pl.Float64, strict=False) * factor).cast(pl.Int64, strict=False)
        return micro.cast(moment)
    times = parse_format(texts, rule.times)
    return pl.Series(texts.name, [None] * len(texts), moment) if times is None else times


def _read_iso_by(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    import polars as pl

    if rule.type == "date":
        return keep_where(texts.str.contains(ISO_DATE), texts).str.to_date("%Y-%m-%d", strict=False)
    fits = texts.str.contains(f"{ISO_DATE}|{ISO_TIME}")
    offset = texts.str.contains(OFFSET)
    fits &= offset if rule.zone else ~offset
    return _parse_iso(keep_where(fits, texts), offsets=bool(rule.zone)).cast(
        pl.Datetime("us", rule.zone or None)
    )


def iso_rule(texts: Texts) -> ReadingRule | None:
    """Return the rule of most ISO dates or times among texts; None if most texts are neither."""
    if not _most(Texts.of(texts.head(_SAMPLE)), f"{ISO_DATE}|{ISO_TIME}"):
        return None
    if _most(texts, ISO_DATE):
        return ReadingRule("date", times="iso")
    zone = "UTC" if _most(texts, OFFSET) else ""
    return ReadingRule("datetime", times="iso", zone=zone)


def _most(texts: Texts, pattern: str) -> bool:
    return 2 * texts.total(lambda block: block.str.contains(pattern).sum()) > len(texts)


def _read_epoch(series: "pl.Series") -> "pl.Series":
    import polars as pl

    present = series.drop_nulls()
    if not len(present):
        return series.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    days = compact_dates(series)
    if days is not None:
        return days
    middle = present.abs().median()
    size = float(middle) if isinstance(middle, int | float) else 0.0
    for _, limit, factor in EPOCHS:
        if FIRST_SECOND <= size < limit:
            return count_to_times(series, factor)
    raise no_counts(present)


def count_to_times(numbers: "pl.Series", factor: float) -> "pl.Series":
    """Return the times that numbers count from 1970 on, in units of so many microseconds."""
    import polars as pl

    micro = numbers * factor if factor >= 1 else numbers // 1000
    return micro.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))


def no_counts(present: "pl.Series") -> DataError:
    """Return the error of numbers that are no times."""
    return DataError(
        what=f"Column {present.name!r} holds numbers like {present[0]} and {present[-1]}.",
        why="They are neither seconds nor milliseconds since 1970, nor dates like 20160630.",
        fix="Name another time column, or say how it is written with time_format=.",
        column=present.name,
    )


def compact_dates(series: "pl.Series") -> "pl.Series | None":
    """Read whole numbers like 20160630 as dates; None if any is not written like one."""
    import polars as pl

    if (
        not series.dtype.is_integer()
        or not series.drop_nulls().is_between(19_000_101, 21_001_231).all()
    ):
        return None
    return _whole(series, series.cast(pl.String).str.to_date("%Y%m%d", strict=False))


def _read_format(texts: "pl.Series", form: str) -> "pl.Series":
    times = parse_format(texts, form)
    if times is None or times.null_count() > texts.null_count():
        bad = texts if times is None else texts.filter(times.is_null() & texts.is_not_null())
        raise DataError(
            what=f"Column {texts.name!r} holds {_examples(bad)}, not written as {form!r}.",
            why="A row whose time is unknown cannot be placed before or after the cutoff.",
            fix=_format_hint(texts),
            column=texts.name,
        )
    return times


def not_a_time(texts: "pl.Series") -> DataError:
    """Return the error of texts that are no times."""
    odd = texts.filter(~texts.str.contains(f"{ISO_DATE}|{ISO_TIME}") & texts.is_not_null())
    raise DataError(
        what=f"Column {texts.name!r} holds {_examples(odd if len(odd) else texts)}, which is no time.",
        why="Times are ISO (2016-06-30, 2016-06-30T12:00:00Z) or seconds since 1970.",
        fix=_format_hint(texts),
        column=texts.name,
    )


def _format_hint(texts: "pl.Series") -> str:
    guess = guess_time_format(texts)
    return (
        f"Give time_format={guess!r}."
        if guess
        else 'Say how it is written, for example time_format="%d/%m/%Y %H:%M".'
    )


def _examples(texts: "pl.Series") -> str:
    return " or ".join(repr(text[:40]) for text in texts.drop_nulls().head(2).to_list())


def _whole(source: "pl.Series", read: "pl.Series") -> "pl.Series | None":
    return read if read.null_count() == source.null_count() else None


def _all_match(texts: "pl.Series", pattern: str) -> bool:
    return bool(texts.str.contains(pattern).all())
