"""Columns of times: detection of dates and times in texts and numbers, and parsing."""

from typing import TYPE_CHECKING, Literal

from penstock.core import DataError
from penstock.tables.reading._rule import ReadingRule

if TYPE_CHECKING:
    import polars as pl

# Numbers below this (March 1973) are counters or small codes, not seconds since 1970.
_FIRST_SECOND = 1e8
_SAMPLE = 100
_EPOCHS = (("s", 1e11, 1_000_000), ("ms", 1e14, 1_000), ("us", 1e17, 1), ("ns", 1e20, 0.001))
_ISO_DATE = r"^\d{4}-\d{1,2}-\d{1,2}$"
_ISO_TIME = (
    r"^\d{4}-\d{1,2}-\d{1,2}[T ]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?$"
)
_OFFSET = r"(Z|UTC|[+-]\d{2}:?\d{2})$"
_ISO_FORM = "%Y-%m-%d"
_SAMPLE, _ENOUGH = 1_000, 10  # different texts
_FEW = 0.1  # share of them that may be no times
_GUESSES = (
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d.%m.%y %H:%M",
    "%m/%d/%y",
    "%d/%m/%y",
    "%m/%d/%y %H:%M",
    "%d/%m/%y %H:%M",
    "%d-%m-%y",
    "%m-%d-%y",
    "%d %b %Y",
    "%b %d, %Y",
    "%Y%m%dT%H%M%S",
)


def read_iso(texts: "pl.Series") -> "pl.Series | None":
    """Read texts as ISO dates or datetimes; None if any text is neither.

    With an offset or Z the result is in UTC; without, it is naive.

    >>> import polars as pl
    >>> read_iso(pl.Series(["2013-01-01T06:00Z", None])).to_list()[0].isoformat()
    '2013-01-01T06:00:00+00:00'
    """
    given = texts.drop_nulls()
    # The first value rules out nearly every text column, at no cost.
    if not len(given) or not _all_match(given.head(1), f"{_ISO_DATE}|{_ISO_TIME}"):
        return None
    if _all_match(given, _ISO_DATE):
        return _whole(texts, texts.str.to_date("%Y-%m-%d", strict=False))
    if not _all_match(given, f"{_ISO_DATE}|{_ISO_TIME}"):
        return None
    offsets = given.str.contains(_OFFSET)
    if offsets.any() and not offsets.all():
        return None
    return _whole(texts, _parse_iso(texts, offsets=bool(offsets.all())))


def _parse_iso(texts: "pl.Series", *, offsets: bool) -> "pl.Series":
    import polars as pl

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
    raise _not_a_time(texts)


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
    unit = next(unit for unit, limit, _ in _EPOCHS if size < limit)
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
        return _where(days, texts).str.to_date("%Y%m%d", strict=False)
    if rule.times.startswith("epoch_"):
        factor = {unit: factor for unit, _, factor in _EPOCHS}[rule.times.removeprefix("epoch_")]
        whole = texts.cast(pl.Int64, strict=False)
        micro = whole * int(factor) if factor >= 1 else whole // 1000
        # Fractions of a unit need floats.
        if whole.null_count() > texts.null_count():
            micro = (texts.cast(pl.Float64, strict=False) * factor).cast(pl.Int64, strict=False)
        return micro.cast(moment)
    times = _parse(texts, rule.times)
    return pl.Series(texts.name, [None] * len(texts), moment) if times is None else times


def _read_iso_by(texts: "pl.Series", rule: ReadingRule) -> "pl.Series":
    import polars as pl

    if rule.type == "date":
        return _where(texts.str.contains(_ISO_DATE), texts).str.to_date("%Y-%m-%d", strict=False)
    fits = texts.str.contains(f"{_ISO_DATE}|{_ISO_TIME}")
    offset = texts.str.contains(_OFFSET)
    fits &= offset if rule.zone else ~offset
    return _parse_iso(_where(fits, texts), offsets=bool(rule.zone)).cast(
        pl.Datetime("us", rule.zone or None)
    )


def _where(mask: "pl.Series", texts: "pl.Series") -> "pl.Series":
    import polars as pl

    return pl.select(pl.when(mask).then(texts)).to_series().rename(texts.name)


def iso_rule(texts: "pl.Series") -> ReadingRule | None:
    """Return the rule of most ISO dates or times among texts; None if most texts are neither."""
    sample = texts.head(_SAMPLE)
    if not _most(sample.str.contains(f"{_ISO_DATE}|{_ISO_TIME}")):
        return None
    if _most(texts.str.contains(_ISO_DATE)):
        return ReadingRule("date", times="iso")
    zone = "UTC" if _most(texts.str.contains(_OFFSET)) else ""
    return ReadingRule("datetime", times="iso", zone=zone)


def _most(mask: "pl.Series") -> bool:
    return 2 * int(mask.sum()) > len(mask)


def guess_time_format(texts: "pl.Series") -> str | None:
    """Infer the strftime codes of texts; None if no format, or more than one, fits.

    >>> import polars as pl
    >>> guess_time_format(pl.Series(["31.12.2015", "01.01.2016"]))
    '%d.%m.%Y'
    >>> guess_time_format(pl.Series(["01/02/2015"])) is None
    True
    """
    fits = fitting_formats(texts)
    return fits[0] if len(fits) == 1 else None


def fitting_formats(texts: "pl.Series") -> list[str]:
    """List the strftime codes by which all texts can be read; several where 01/02 may be both.

    >>> import polars as pl
    >>> fitting_formats(pl.Series(["01/02/2015", "03/04/2015"]))
    ['%m/%d/%Y', '%d/%m/%Y']
    """
    import polars as pl

    given = texts.drop_nulls()
    if given.dtype != pl.String or not len(given):
        return []
    # The first text rules out most formats at little cost.
    return [form for form in _GUESSES if _fits(given.head(1), form) and _fits(given, form)]


def usual_formats(texts: "pl.Series") -> tuple[list[str], list[str]]:
    """List the strftime codes by which nearly all texts can be read, each for a part of them.

    >>> import polars as pl
    >>> usual_formats(
    ...     pl.Series(["01.02.2015"] * 3 + [f"{day}.02.2015" for day in range(10, 28)] + ["soon"])
    ... )
    (['%d.%m.%Y'], ['soon'])

    Returns:
        The codes, in the order of the number of texts, and the unreadable texts; no code if these
        are more than a few, or there are too few texts to decide.
    """
    given = texts.drop_nulls().unique(maintain_order=True).head(_SAMPLE)
    rest, forms = given, list[str]()
    while len(rest) > _FEW * len(given):
        found = ((form, _parse(rest, form)) for form in (_ISO_FORM, *_GUESSES))
        read = {form: times for form, times in found if times is not None}
        best = min(read, key=lambda form: read[form].null_count())
        if len(rest) - read[best].null_count() <= _FEW * len(given):
            break
        forms.append(best)
        rest = rest.filter(read[best].is_null())
    is_told = len(given) >= _ENOUGH and len(rest) <= _FEW * len(given)
    return (forms, rest.to_list()) if is_told else ([], [])


def _read_epoch(series: "pl.Series") -> "pl.Series":
    import polars as pl

    given = series.drop_nulls()
    if not len(given):
        return series.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    days = _read_compact_dates(series)
    if days is not None:
        return days
    middle = given.abs().median()
    size = float(middle) if isinstance(middle, int | float) else 0.0
    for _, limit, factor in _EPOCHS:
        if _FIRST_SECOND <= size < limit:
            micro = series * factor if factor >= 1 else series // 1000
            return micro.cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    raise DataError(
        what=f"Column {series.name!r} holds numbers like {given[0]} and {given[-1]}.",
        why="They are neither seconds nor milliseconds since 1970, nor dates like 20160630.",
        fix="Name another time column, or say how it is written with time_format=.",
        column=series.name,
    )


def _read_compact_dates(series: "pl.Series") -> "pl.Series | None":
    import polars as pl

    if (
        not series.dtype.is_integer()
        or not series.drop_nulls().is_between(19_000_101, 21_001_231).all()
    ):
        return None
    return _whole(series, series.cast(pl.String).str.to_date("%Y%m%d", strict=False))


def _read_format(texts: "pl.Series", form: str) -> "pl.Series":
    times = _parse(texts, form)
    if times is None or times.null_count() > texts.null_count():
        bad = texts if times is None else texts.filter(times.is_null() & texts.is_not_null())
        raise DataError(
            what=f"Column {texts.name!r} holds {_examples(bad)}, not written as {form!r}.",
            why="A row whose time is unknown cannot be placed before or after the cutoff.",
            fix=_format_hint(texts),
            column=texts.name,
        )
    return times


def _parse(texts: "pl.Series", form: str) -> "pl.Series | None":
    import polars as pl

    clock = any(code in form for code in ("%H", "%I", "%M", "%S", "%T", "%R", "%s"))
    if "%Y" in form:  # "24" would be read as the year 24
        texts = _where(texts.str.contains(r"\d{4}"), texts)
    try:
        if not clock:
            return texts.str.to_date(form, strict=False)
        times = texts.str.to_datetime(form, time_unit="us", strict=False)
        return times.cast(pl.Datetime("us", "UTC")) if "%z" in form else times
    except pl.exceptions.PolarsError:
        return None


def _fits(texts: "pl.Series", form: str) -> bool:
    times = _parse(texts, form)
    return times is not None and times.null_count() == texts.null_count()


def _not_a_time(texts: "pl.Series") -> DataError:
    odd = texts.filter(~texts.str.contains(f"{_ISO_DATE}|{_ISO_TIME}") & texts.is_not_null())
    return DataError(
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
