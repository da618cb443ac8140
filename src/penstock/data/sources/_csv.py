"""CSV as people write it: names, separators, blanks, marks for "missing", and lines that are torn.

Every field is first read as text and typed afterwards from all rows that are kept, so that no type
hangs on the first hundred lines or on rows after the cutoff.
"""

import csv
import gzip
import inspect
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data._finding import Finding
from penstock.data._times import read_iso

if TYPE_CHECKING:
    import polars as pl

_SEPARATORS = ",;\t|"
_SAMPLE = 1_000
_NEARLY = 0.9
_LEADING_ZERO = r"^[+-]?0\d"
_HUGE = r"^[+-]?\d{19,}$"


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a CSV file is written."""

    separator: str | None
    has_header: bool
    columns: tuple[str, ...] | None
    missing: tuple[str, ...]


def read_bytes(path: Path) -> bytes:
    """Read a file whole, unpacked if it is gzip.

    Raises:
        DataError: If it cannot be read.
    """
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (OSError, EOFError) as error:
        raise DataError(what=f"{path} cannot be read: {error}.", fix="Check the file.") from error


def read_csv(path: Path, form: CsvForm) -> "tuple[pl.DataFrame, list[Finding]]":
    """Read a CSV file with every field as trimmed text, missing marks as null.

    Raises:
        DataError: If it is empty, not UTF-8, or a line has too many or too few fields.
    """
    content = read_bytes(path)
    separator = form.separator or _guess_separator(content)
    try:
        first = next((row for row in _records(content, separator) if any(row)), None)
        if first is None:
            raise DataError(what=f"{path.name} is empty.", fix="Give a file with rows.", path=path)
        names, has_header, findings = _column_names(first, form, path)
        table = _parse(content, separator, names, has_header, path)
    except UnicodeDecodeError as error:
        raise _not_utf8(content, path) from error
    except csv.Error as error:
        raise DataError(
            what=f"{path.name} is no CSV: {error}.",
            why="A quote may be open, or the file may not be text at all.",
            fix="Mend the file, or give format= if its ending misleads.",
            path=path,
        ) from error
    return _clean(table, form.missing), findings


def type_columns(table: "pl.DataFrame") -> "tuple[pl.DataFrame, list[Finding]]":
    """Give each text column the narrowest type that all its values have.

    Tried in order: integer, number, boolean (true/false), ISO date, ISO datetime. Codes with
    leading zeros and integers too long for 64 bits stay text, so that nothing is lost.
    """
    findings: list[Finding] = []
    columns = []
    for series in table.iter_columns():
        typed = _type_column(series)
        columns.append(typed)
        findings += _note_numbers(typed)
    return table.with_columns(columns), findings


def _type_column(series: "pl.Series") -> "pl.Series":
    import polars as pl

    if series.dtype != pl.String or series.null_count() == len(series):
        return series
    sample = series.drop_nulls().head(_SAMPLE)
    if _casts(sample, pl.Float64()) is not None:
        numbers = _casts(series, pl.Int64())
        if numbers is not None:
            return series if _any(series, _LEADING_ZERO) else numbers
        numbers = _casts(series, pl.Float64())
        if numbers is not None:
            return series if _any(series, _HUGE) else numbers
        return series
    if bool(sample.str.to_lowercase().is_in(["true", "false"]).all()):
        lower = series.str.to_lowercase()
        if bool(lower.drop_nulls().is_in(["true", "false"]).all()):
            return (lower == "true").alias(series.name)
    times = read_iso(series)
    return series if times is None else times


def _note_numbers(series: "pl.Series") -> Iterator[Finding]:
    """Notice a column that would be numbers but for a few values."""
    import polars as pl

    if series.dtype != pl.String:
        return
    given = series.drop_nulls()
    sample = given.head(_SAMPLE)
    for note, texts in (("", sample), (" with a decimal comma", sample.str.replace(",", "."))):
        read = texts.cast(pl.Float64, strict=False)
        if _NEARLY * len(sample) <= len(sample) - read.null_count() and not _any(
            given, _LEADING_ZERO
        ):
            odd = given.filter(given.cast(pl.Float64, strict=False).is_null())
            examples = ", ".join(
                repr(text[:20]) for text in odd.unique(maintain_order=True).head(3)
            )
            message = (
                f"Column '{series.name}' is text but looks like numbers{note}: {len(odd):,} of "
                f"{len(given):,} values are not numbers ({examples})."
            )
            if len(odd):
                yield Finding("warn", "number_text", series.name, message)
            return


def _casts(series: "pl.Series", dtype: "pl.DataType") -> "pl.Series | None":
    read = series.cast(dtype, strict=False)
    return read if read.null_count() == series.null_count() else None


def _any(series: "pl.Series", pattern: str) -> bool:
    return bool(series.str.contains(pattern).any())


def _not_utf8(content: bytes, path: Path) -> DataError:
    # Line by line: a decoder that reads in blocks counts from its block.
    for line, text in enumerate(content.split(b"\n"), 1):
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            return DataError(
                what=f"{path.name} is not UTF-8: byte 0x{text[error.start]:02x} on line {line}.",
                why="Letters would be read wrongly.",
                fix=f"Convert it, for example: iconv -f cp1252 -t utf-8 {path.name} > utf8.csv",
                path=path,
                line=line,
            )
    return DataError(what=f"{path.name} is not UTF-8.", fix="Convert it.", path=path)


def _guess_separator(content: bytes) -> str:
    line = (
        content[:65_536].lstrip(b"\xef\xbb\xbf\r\n").split(b"\n", 1)[0].decode("utf-8", "replace")
    )
    plain = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=plain.count)


def _records(content: bytes, separator: str) -> Any:
    """Read with the standard library: slow, but it knows lines, and blanks before quotes."""
    stream = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")
    return csv.reader(stream, delimiter=separator, skipinitialspace=True)


def _column_names(
    first: Sequence[str], form: CsvForm, path: Path
) -> tuple[list[str], bool, list[Finding]]:
    """Give the names, whether the first line held them, and what was odd about them."""
    written = [name.strip() for name in first]
    if form.columns is not None:
        if len(form.columns) != len(first):
            raise DataError(
                what=f"{path.name} has {len(first)} columns, but columns= names {len(form.columns)}.",
                why=f"Its first line begins with {', '.join(map(repr, written[:3]))}.",
                fix="Name every column once, in the order of the file.",
                path=path,
            )
        return list(form.columns), written == list(form.columns), []
    if not form.has_header:
        return [f"column_{position}" for position in range(1, len(first) + 1)], False, []
    names, findings = _unique_names(written)
    return names, True, findings


def _unique_names(header: Sequence[str]) -> tuple[list[str], list[Finding]]:
    names: list[str] = []
    findings: list[Finding] = []
    for position, written in enumerate(header, 1):
        name = written or f"column_{position}"
        numbers = itertools.count(2)
        while name in names or (name != written and name in header):
            name = f"{written or 'column'}_{next(numbers)}"
        if name != written:
            what = f"named '{written}' like an earlier one" if written else "without a name"
            message = f"Column {position} was {what}; it is called '{name}' now."
            findings.append(Finding("warn", "renamed", name, message))
        names.append(name)
    if sum(_is_number(name) for name in header) * 2 > len(header):
        message = (
            f"The header looks like a row of data ({', '.join(header[:3])}, …): has_header=False?"
        )
        findings.append(Finding("warn", "header", "", message))
    return names, findings


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parse(
    content: bytes, separator: str, names: list[str], has_header: bool, path: Path
) -> "pl.DataFrame":
    import polars as pl

    # Blanks before a quote: polars would take the quote as a letter.
    if re.search(rb"[%b] +\"" % re.escape(separator.encode()), content):
        return _parse_slowly(content, separator, names, has_header, path)
    try:
        table = pl.read_csv(
            io.BytesIO(content.lstrip(b"\r\n")),
            separator=separator,
            has_header=has_header,
            new_columns=names,
            infer_schema=False,
            **_keep_empty(),
        )
    except pl.exceptions.PolarsError:
        # It says no line; the slow reader does, or reads what polars could not.
        return _parse_slowly(content, separator, names, has_header, path)
    if _may_be_torn(content, separator, table):
        return _parse_slowly(content, separator, names, has_header, path)
    return table


def _parse_slowly(
    content: bytes, separator: str, names: list[str], has_header: bool, path: Path
) -> "pl.DataFrame":
    import polars as pl

    rows = _records(content, separator)
    kept = []
    for row in rows:
        if len(row) == len(names):
            kept.append(row)
        elif any(field.strip() for field in row):
            raise DataError(
                what=f"{path.name}, line {rows.line_num}: {len(row)} fields instead of {len(names)}.",
                why="The values would land in the wrong columns.",
                fix=f"Mend the line, or give separator= if it is not {separator!r}.",
                path=path,
                line=rows.line_num,
            )
    return pl.DataFrame(
        kept[1 if has_header else 0 :], schema=dict.fromkeys(names, pl.String), orient="row"
    )


def _may_be_torn(content: bytes, separator: str, table: "pl.DataFrame") -> bool:
    """Say whether a line may have too few fields, which polars fills up silently."""
    if table.width == 1:
        return False
    last = table.to_series(table.width - 1)
    if not bool(((last == "") | last.is_null()).any()):
        return False
    if b'"' in content:
        return True
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return content.count(separator.encode()) != lines * (table.width - 1)


def _keep_empty() -> dict[str, Any]:
    """Ask polars to tell an empty field from none; the option was renamed in polars 2."""
    import polars as pl

    if "empty_string_is_null" in inspect.signature(pl.read_csv).parameters:
        return {"empty_string_is_null": False}
    return {"missing_utf8_is_empty_string": True}


def _clean(table: "pl.DataFrame", missing: Sequence[str]) -> "pl.DataFrame":
    import polars as pl

    text = pl.all().str.strip_chars()
    marks = list(dict.fromkeys(["", *missing]))
    table = table.select(text)
    table = table.select(pl.when(pl.all().is_in(marks)).then(None).otherwise(pl.all()).name.keep())
    if table.width == 1:
        return table
    return table.filter(~pl.all_horizontal(pl.all().is_null()))
