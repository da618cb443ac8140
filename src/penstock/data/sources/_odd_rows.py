"""Rows of a CSV file that are not data: headers, units, sums, footers; headers that are data."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from penstock.data._finding import Finding
from penstock.data.sources._text_rows import TextRows
from penstock.tables.reading import Texts

if TYPE_CHECKING:
    import polars as pl

_NUMBER = r"^[^\w\s]?[+-]?\d[\d.,]*\s*%?$"
_MOSTLY = 0.9
_FEW_ROWS = 3
_MAX_UNIT = 12
_TAIL = 3
_HEAD = 1_000
_HALF = 0.5
_CLOSE = 1e-6
_SUMMARY = re.compile(
    r"^(?:grand\s+|sub-?)?(?:total|totals|sum|sums|summe|gesamt|insgesamt|average|avg|mean|median|"
    r"count|rows?)\b",
    re.IGNORECASE,
)
_UNIT = re.compile(r"^[\[(].*[\])]$|^[^\d]{1,12}(?:/[^\d]{1,6})?[²³23]?$")
_YEARS = (1_800, 2_200)


def drop_odd_rows(table: TextRows, names: Sequence[str] | None) -> tuple[TextRows, list[Finding]]:
    """Drop rows that plainly contain no data, each kind with a finding.

    Args:
        table: Trimmed texts.
        names: Names in the header; None if there is no header.
    """
    findings: list[Finding] = []
    if names is not None:
        table, found = _drop_headers(table, names)
        findings += found
        table, found = _drop_units(table)
        findings += found
    table, found = _drop_tail(table)
    return table, [*findings, *found]


def check_header(header: Sequence[str], table: TextRows) -> list[Finding]:
    """Return a finding for a header that looks like data: numbers over numbers, column values."""
    given = [(name.strip(), place) for place, name in enumerate(header) if name.strip()]
    if [name for name, _ in given] == [str(place) for place in range(len(given))]:
        return []  # names counted by a program
    alike = sum(_is_value(name, table.column(table.names[place])) for name, place in given)
    if not alike or 2 * alike < len(given):
        return []
    message = (
        f"The header looks like a row of data ({', '.join(name for name, _ in given[:3])}, …): "
        "has_header=False, or columns=[…]?"
    )
    return [Finding("warn", "header", "", message)]


def _is_value(name: str, column: Texts) -> bool:
    if re.match(_NUMBER, name):
        year = name.isdigit() and _YEARS[0] <= int(name) <= _YEARS[1]
        return not year and _is_numeric(column)
    return column.any(lambda block: block == name)


def _is_numeric(column: Texts) -> bool:
    """Return whether a column has values, mostly numbers."""
    given = column.total(lambda block: block.len() - block.null_count())
    numbers = column.total(lambda block: block.str.contains(_NUMBER).sum())
    return given > 0 and numbers / given >= _MOSTLY


def _numeric_share(given: "pl.Series") -> float:
    return int(given.str.contains(_NUMBER).sum()) / max(1, len(given))


def _drop_headers(table: TextRows, names: Sequence[str]) -> tuple[TextRows, list[Finding]]:
    import polars as pl

    # The first column rules it out for nearly every file.
    if not table.column(table.names[0]).any(lambda block: block == names[0]):
        return table, []
    same = pl.all_horizontal(pl.col(column) == column for column in names).fill_null(value=False)
    masks = [block.select(same).to_series() for block in table.blocks()]
    count = sum(int(mask.sum()) for mask in masks)
    if not count:
        return table, []
    rest = table.having(~mask for mask in masks)
    # Without a column of numbers, below non-names, the first line may be data itself.
    if not any(
        not re.match(_NUMBER, name) and _is_numeric(rest.column(column))
        for name, column in zip(names, table.names, strict=True)
    ):
        text = f"{count:,} rows equal the header: is it there again, or is there none? They stay."
        return table, [Finding("warn", "repeated_header", "", text)]
    text = f"The header is there again {count:,} times, first as row {_first(masks)}; left out."
    return rest, [Finding("warn", "repeated_header", "", text)]


def _first(masks: Sequence["pl.Series"]) -> int:
    """Return the first row for which a mask is true."""
    before = 0
    for mask in masks:
        if mask.any():
            return before + int(mask.arg_max() or 0)
        before += len(mask)
    return before


def _drop_units(table: TextRows) -> tuple[TextRows, list[Finding]]:
    """Drop a first row of units: no number where all later rows have numbers."""
    if table.height < _FEW_ROWS:
        return table, []
    head = table.head(_HEAD + 1)
    first = head.row(0)
    if not any(text is not None and _is_unit(text) for text in first):
        return table, []
    shares = [
        _numeric_share(series.drop_nulls()) if series.null_count() < len(series) else 0.0
        for series in head[1:].iter_columns()
    ]
    numbers = [place for place, share in enumerate(shares) if share == 1]
    others = [place for place, share in enumerate(shares) if share < 1]
    units = [first[place] for place in numbers if first[place] is not None]
    if not units or any(re.match(_NUMBER, text) or not _is_unit(text) for text in units):
        return table, []
    marked = all(
        first[place] is None or len(first[place]) == 1 or first[place][0] in "[("
        for place in others
    )
    if len(units) < 2 and not marked and not _in_brackets(units):  # noqa: PLR2004 - 1 may be a slip
        return table, []
    shown = ", ".join(text for text in first if text is not None)[:60]
    text = f"The first row holds units or the like ({shown}), not values; it was left out."
    return table.without_first(), [Finding("warn", "unit_row", "", text)]


def _is_unit(text: str) -> bool:
    return len(text) <= _MAX_UNIT and _UNIT.match(text) is not None


def _in_brackets(units: Sequence[str]) -> bool:
    return all(text[0] in "[(" for text in units)


def _drop_tail(table: TextRows) -> tuple[TextRows, list[Finding]]:
    """Drop sums and footers at the end; for a row that may be data there is only a finding."""
    findings: list[Finding] = []
    for _ in range(_TAIL):
        if table.height <= _FEW_ROWS or len(table.names) < 2:  # noqa: PLR2004 - a single column is plain
            break
        last, rest = table.tail(1).row(0), table.without_last()
        shown = ", ".join(text for text in last if text is not None)[:60]
        given = [place for place, text in enumerate(last) if text is not None]
        keyword = bool(given) and _SUMMARY.match(last[given[0]]) is not None
        if keyword and _is_known(rest, given[0], last):
            break
        if keyword and (_sums_up(rest, last) or len(given) <= _HALF * len(table.names)):
            text = f"The last row is a sum or the like ({shown}); it was left out."
            findings.append(Finding("warn", "summary_row", "", text))
        elif keyword:
            text = f"The last row looks like a sum ({shown}); it was kept."
            findings.append(Finding("warn", "summary_row", "", text))
            break
        elif _is_bare_sum(rest, last):
            text = f"The last row looks like a sum without a word for it ({shown}); it was kept."
            findings.append(Finding("warn", "summary_row", "", text))
            break
        elif _is_footer(rest, last, given):
            text = f"The last row is a footer ({shown}); it was left out."
            findings.append(Finding("warn", "footer", "", text))
        else:
            break
        table = rest
    return table, findings


def _is_known(rest: TextRows, place: int, last: Sequence[str | None]) -> bool:
    return rest.column(rest.names[place]).any(lambda block: block == last[place])


def _is_footer(rest: TextRows, last: Sequence[str | None], given: Sequence[int]) -> bool:
    if len(given) != 1 or len(rest.names) < _FEW_ROWS:
        return False
    text, filled = last[given[0]] or "", rest.tail(20)
    if any(sum(value is not None for value in row) <= 1 for row in filled.iter_rows()):
        return False
    if re.match(_NUMBER, text):
        return False
    return " " in text or _is_numeric(rest.column(rest.names[given[0]]))


def _is_bare_sum(rest: TextRows, last: Sequence[str | None]) -> bool:
    """Return whether a row is the sum of all above it, and empty where each of those has a value."""
    names = [name for name, text in zip(rest.names, last, strict=True) if text is None]
    texts = [text for text in last if text is not None and re.match(_NUMBER, text)]
    if not names or not texts or not all(_is_full(rest.column(name)) for name in names):
        return False
    return all(
        _is_sum(rest.column(name), text, total_only=True)
        for name, text in zip(rest.names, last, strict=True)
        if text is not None
    )


def _is_full(column: Texts) -> bool:
    return not column.any(lambda block: block.is_null())


def _sums_up(rest: TextRows, last: Sequence[str | None]) -> bool:
    return any(
        _is_sum(rest.column(name), text)
        for name, text in zip(rest.names, last, strict=True)
        if text
    )


def _is_sum(column: Texts, text: str, *, total_only: bool = False) -> bool:
    import polars as pl

    try:
        value = float(re.sub(r"[,\s$€£%]", "", text))
    except ValueError:
        return False
    # The numbers of all blocks: a sum and a median are of the whole column, to the last bit.
    numbers = pl.concat([_numbers(block) for block in column.blocks()], rechunk=True)
    if len(numbers) < _FEW_ROWS:
        return False
    some = list(_summaries(numbers))[: 1 if total_only else None]
    return any(abs(value - found) <= max(_CLOSE * abs(found), 0.01) for found in some)


def _numbers(texts: "pl.Series") -> "pl.Series":
    import polars as pl

    bare = texts.str.replace_all(r"[,\s$€£%]", "")
    return bare.cast(pl.Float64, strict=False).drop_nulls()


def _summaries(numbers: "pl.Series") -> Iterator[float]:
    yield float(numbers.sum())
    for found in (numbers.mean(), numbers.median()):
        if isinstance(found, int | float):
            yield float(found)
