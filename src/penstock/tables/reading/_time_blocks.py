"""Reading a column of times in blocks as ``read_times`` reads it whole."""

import math
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from penstock.tables.reading._rule import ReadingRule
from penstock.tables.reading._texts import Texts
from penstock.tables.reading._times import (
    EPOCHS,
    FIRST_SECOND,
    ISO_DATE,
    ISO_TIME,
    OFFSET,
    compact_dates,
    count_to_times,
    no_counts,
    not_a_time,
    read_times,
    read_times_by,
    time_rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

Reader: TypeAlias = "Callable[[pl.Series], pl.Series]"


def times_reader(column: Texts, time_format: str | None = None) -> tuple[Reader, ReadingRule]:
    """Return how to read each block of a column of times, and the rule of the column.

    >>> import polars as pl
    >>> days = pl.Series("t", ["2024-01-01"]), pl.Series("t", ["2024-01-02 12:00"])
    >>> read, rule = times_reader(Texts("t", lambda: iter(days)))
    >>> [str(read(block)[0]) for block in days]
    ['2024-01-01 00:00:00', '2024-01-02 12:00:00']

    Args:
        column: Texts or numbers, in blocks.
        time_format: Format of the texts, in strftime codes.

    Raises:
        DataError: If the values are no times. The reader raises it for a block with a text that
            looks like a time and is none, such as 30 February.
    """
    import polars as pl

    first = next(column.blocks())
    if first.dtype.is_temporal() or first.dtype == pl.Null:
        return read_times, time_rule(first, read_times(first), None)
    if first.dtype.is_numeric() and time_format is None:
        return _count_reader(column, exact=first.dtype.is_integer())
    texts = column.map(_as_texts)
    if time_format is not None:
        of_format = partial(read_times, time_format=time_format)
        return (lambda block: of_format(_as_texts(block))), time_rule(
            first, of_format(_as_texts(first)), time_format
        )
    return iso_reader(texts) or _number_reader(texts)


def iso_reader(texts: Texts) -> tuple[Reader, ReadingRule] | None:
    """Return how to read a column of ISO dates or times; None if any text is neither."""
    given = texts.map(lambda block: block.drop_nulls())
    # The first value rules out nearly every text column, at no cost.
    for some in (Texts.of(given.head(1)), given):
        if not len(some) or not _match(some, f"{ISO_DATE}|{ISO_TIME}"):
            return None
    if _match(given, ISO_DATE):
        rule = ReadingRule("date", times="iso")
    else:
        offsets = given.total(lambda block: block.str.contains(OFFSET).sum())
        if 0 < offsets < len(given):
            return None
        rule = ReadingRule("datetime", times="iso", zone="UTC" if offsets else "")
    return partial(_read_iso, rule=rule), rule


def _read_iso(block: "pl.Series", rule: ReadingRule) -> "pl.Series":
    times = read_times_by(block, rule)
    if times.null_count() > block.null_count():
        raise not_a_time(block.filter(times.is_null() & block.is_not_null()))
    return times


def _number_reader(texts: Texts) -> tuple[Reader, ReadingRule]:
    import polars as pl

    given = texts.map(lambda block: block.drop_nulls())
    if not given.every(lambda block: not block.cast(pl.Float64, strict=False).null_count()):
        odd = given.where(lambda block: ~block.str.contains(f"{ISO_DATE}|{ISO_TIME}"))
        raise not_a_time((odd if len(odd) else given).head(2))
    exact = given.every(lambda block: not block.cast(pl.Int64, strict=False).null_count())
    kind = pl.Int64() if exact else pl.Float64()
    read, rule = _count_reader(texts.map(lambda block: block.cast(kind)), exact=exact)
    return (lambda block: read(_as_texts(block).cast(kind))), rule


def _count_reader(numbers: Texts, *, exact: bool) -> tuple[Reader, ReadingRule]:
    """Return how to read numbers that count from 1970, or are dates like 20160630."""
    given = numbers.map(lambda block: block.drop_nulls())
    if not len(given):
        return read_times, ReadingRule("datetime", times="iso", zone="UTC")
    if exact and given.every(lambda block: compact_dates(block) is not None):
        return _compact, ReadingRule("date", times="compact")
    for unit, limit, factor in EPOCHS:
        if _middle_is_below(given, limit):
            if _middle_is_below(given, FIRST_SECOND):
                break
            rule = ReadingRule("datetime", times=f"epoch_{unit}", zone="UTC")
            return partial(count_to_times, factor=factor), rule
    last = given.head(1)
    for block in given.blocks():
        last = block.tail(1) if len(block) else last
    raise no_counts(given.head(1).append(last))


def _compact(block: "pl.Series") -> "pl.Series":
    import polars as pl

    return block.cast(pl.String).str.to_date("%Y%m%d", strict=False)


def _middle_is_below(numbers: Texts, limit: float) -> bool:
    """Return whether the median of absolute values is below a limit, without sorting them."""
    import polars as pl

    below = numbers.total(lambda block: (block.abs() < limit).sum())
    low, high = (len(numbers) - 1) // 2, len(numbers) // 2
    if (low < below) == (high < below):
        return low < below
    under, above = 0.0, math.inf  # the two values in the middle
    for block in numbers.blocks():
        sizes = block.abs().cast(pl.Float64)
        most, least = sizes.filter(sizes < limit).max(), sizes.filter(sizes >= limit).min()
        under = max(under, most) if isinstance(most, float) else under
        above = min(above, least) if isinstance(least, float) else above
    return (under + above) / 2 < limit


def _as_texts(block: "pl.Series") -> "pl.Series":
    import polars as pl

    return block.cast(pl.String)


def _match(texts: Texts, pattern: str) -> bool:
    return texts.all(lambda block: block.str.contains(pattern))
