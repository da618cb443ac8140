"""Formats of times in texts: the strftime codes that fit, and parsing by them."""

from functools import partial
from typing import TYPE_CHECKING

from penstock.tables.reading._texts import Texts

if TYPE_CHECKING:
    import polars as pl

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
    "%m/%d/%Y %I:%M %p",
    "%d/%m/%Y %I:%M %p",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
    "%d %B %Y",
    "%B %d, %Y",
    "%Y%m%dT%H%M%S",
    "%a, %d %b %Y %H:%M:%S %z",
)


def guess_time_format(texts: "pl.Series") -> str | None:
    """Infer the strftime codes of texts; None if no format, or several, fit.

    >>> import polars as pl
    >>> guess_time_format(pl.Series(["31.12.2015", "01.01.2016"]))
    '%d.%m.%Y'
    >>> guess_time_format(pl.Series(["01/02/2015"])) is None
    True
    """
    fits = fitting_formats(texts)
    return fits[0] if len(fits) == 1 else None


def fitting_formats(texts: "pl.Series | Texts") -> list[str]:
    """List the strftime codes by which all texts can be read; several where 01/02 may be both.

    >>> import polars as pl
    >>> fitting_formats(pl.Series(["01/02/2015", "03/04/2015"]))
    ['%m/%d/%Y', '%d/%m/%Y']
    """
    import polars as pl

    if isinstance(texts, pl.Series) and texts.dtype != pl.String:
        return []
    present = Texts.of(texts).map(lambda block: block.drop_nulls())
    first = present.head(1)
    if not len(first):
        return []
    # The first text rules out most formats at little cost.
    likely = [form for form in _GUESSES if _fits(first, form)]
    fits = [form for form in likely if present.every(partial(_fits, form=form))]
    # Dates of May alone have the same name in short and in full.
    return [form for form in fits if "%B" not in form or form.replace("%B", "%b") not in fits]


def usual_formats(texts: "pl.Series | Texts") -> tuple[list[str], list[str]]:
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
    present = Texts.of(texts).map(lambda block: block.drop_nulls()).distinct(_SAMPLE)
    rest, forms = present, list[str]()
    while len(rest) > _FEW * len(present):
        parsed = ((form, parse_format(rest, form)) for form in (_ISO_FORM, *_GUESSES))
        read = {form: times for form, times in parsed if times is not None}
        best = min(read, key=lambda form: read[form].null_count())
        if len(rest) - read[best].null_count() <= _FEW * len(present):
            break
        forms.append(best)
        rest = rest.filter(read[best].is_null())
    is_told = len(present) >= _ENOUGH and len(rest) <= _FEW * len(present)
    return (forms, rest.to_list()) if is_told else ([], [])


def parse_format(texts: "pl.Series", form: str) -> "pl.Series | None":
    """Parse texts by strftime codes; null where a text does not fit, None if the codes are wrong."""
    import polars as pl

    clock = any(code in form for code in ("%H", "%I", "%M", "%S", "%T", "%R", "%s"))
    if "%Y" in form:  # "24" would be read as the year 24
        texts = keep_where(texts.str.contains(r"\d{4}"), texts)
    try:
        if not clock:
            return texts.str.to_date(form, strict=False)
        times = texts.str.to_datetime(form, time_unit="us", strict=False)
        return times.cast(pl.Datetime("us", "UTC")) if "%z" in form else times
    except pl.exceptions.PolarsError:
        return None


def keep_where(mask: "pl.Series", texts: "pl.Series") -> "pl.Series":
    """Return the texts where a mask is true, null elsewhere."""
    import polars as pl

    return pl.select(pl.when(mask).then(texts)).to_series().rename(texts.name)


def _fits(texts: "pl.Series", form: str) -> bool:
    times = parse_format(texts, form)
    return times is not None and times.null_count() == texts.null_count()
