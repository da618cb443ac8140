"""Records of a CSV file, counted independently of the parser: open quotes swallow no rows.

The standard library reads strictly and knows lines; polars is fast. A table is accepted only where
both find the same records, or where the slow reader alone is certain.
"""

import csv
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import DataError
from penstock.data._finding import Finding
from penstock.data.sources._text import SEPARATORS

TYPED_ROWS = 49  # that show which columns are numbers
_MOSTLY = 0.9
_HALF = 0.5
_NUMBER = re.compile(r'^[\s"]*[^\w\s]?[+-]?\d[\d.,:\-/ ]*[%]?[\s"]*$')
_STRICT: dict[str, Any] = {"doublequote": True, "strict": True}
_ESCAPED: dict[str, Any] = {"doublequote": False, "escapechar": "\\", "strict": True}
_LENIENT: dict[str, Any] = {"doublequote": True, "strict": False}

FIELD_LIMIT = 1 << 26
"""Letters of a field at most: a document fits, a quote that is open over a whole file is named."""


@dataclass(frozen=True, slots=True)
class CsvText:
    """The content of a CSV file from the header on.

    Attributes:
        content: UTF-8.
        separator: The separator between fields.
        path: For messages.
        skipped: Lines before the content.
    """

    content: bytes
    separator: str
    path: Path
    skipped: int = 0

    def records(self, **dialect: Any) -> Any:
        """Read with the standard library: slow, but aware of lines, and of blanks before quotes."""
        stream = io.TextIOWrapper(io.BytesIO(self.content), encoding="utf-8", newline="")
        options = {"delimiter": self.separator, "skipinitialspace": True, **dialect}
        # The limit is the whole process's, so it is never lowered again: other threads may read.
        if csv.field_size_limit() < FIELD_LIMIT:
            csv.field_size_limit(FIELD_LIMIT)
        return csv.reader(stream, **options)

    def lines(self) -> list[str]:
        """Return the physical lines."""
        return self.content.decode().split("\n")


@dataclass(frozen=True, slots=True)
class DialectScan:
    """The result of a dialect of quotes.

    Attributes:
        rows: Records with a value, the header included.
        has_quotes: Whether a value contains a quote, which polars may read differently.
        problem: Reason why the dialect is wrong; None if right.
    """

    rows: int
    has_quotes: bool = False
    problem: DataError | None = None


@dataclass(frozen=True, slots=True)
class Records:
    """The way to read a file's records.

    Attributes:
        rows: Number of records, the header included.
        dialect: Dialect of quotes; None where all readers agree.
        findings: Oddities of the file.
    """

    rows: int
    dialect: dict[str, Any] | None
    findings: tuple[Finding, ...] = ()

    @property
    def is_strict(self) -> bool:
        """Whether quotes are as in the standard."""
        return self.dialect is None or self.dialect is _STRICT


def count_records(
    text: CsvText,
    width: int,
    typed: list[list[str]] | None = None,
    *,
    is_first: bool = True,
) -> Records:
    """Count the records and select the dialect of quotes in which all have the same width.

    Args:
        text: The file, or a block of it.
        width: Number of columns.
        typed: Receives the first records below the header, and has them for later blocks.
        is_first: Whether the first record is the file's, which may be the header.

    Raises:
        DataError: If no dialect fits; the line is named.
    """
    strict = _scan(text, width, _STRICT, typed, skipped=int(is_first))
    if strict.problem is None:
        return Records(strict.rows, _STRICT if strict.has_quotes else None)
    if b'\\"' in text.content:
        escaped = _scan(text, width, _ESCAPED)
        if escaped.problem is None:
            line = _line_of(text, '\\"')
            note = f"{text.path.name}: quotes are escaped by a backslash (first on line {line})."
            return Records(escaped.rows, _ESCAPED, (Finding("info", "escaped_quotes", "", note),))
    lenient = _scan(text, width, _LENIENT)
    lines = sum(bool(line.strip()) for line in text.lines())
    if lenient.problem is None and lenient.rows == lines:
        line = strict.problem.values.get("line", 0)
        note = (
            f"{text.path.name}, line {line}: letters follow a closing quote; the quotes were taken "
            "away and every line is a row."
        )
        return Records(lenient.rows, _LENIENT, (Finding("warn", "stray_quotes", "", note),))
    raise strict.problem


def first_records(text: CsvText, width: int, *, is_first: bool) -> list[list[str]]:
    """Return the first records below the header, which show which columns are numbers."""
    rows = (row for row in text.records(**_STRICT) if len(row) == width)
    return list(itertools.islice(rows, int(is_first), TYPED_ROWS + is_first))


def read_rows(text: CsvText, width: int, dialect: dict[str, Any] | None) -> list[list[str]]:
    """Read all records with the standard library.

    Raises:
        DataError: If a record has too many or too few fields; the line is named.
    """
    rows: list[list[str]] = []
    reader = text.records(**(dialect or _STRICT))
    for row in _guarded(text, reader):
        if len(row) == width:
            rows.append(row)
        elif not row and width == 1 and rows:
            rows.append(
                [""]
            )  # as polars reads it: which of the two reads depends on quotes elsewhere
        elif any(field.strip() for field in row):
            raise _torn(text, reader.line_num, row, width)
    return rows


def _scan(
    text: CsvText,
    width: int,
    dialect: dict[str, Any],
    typed: list[list[str]] | None = None,
    *,
    skipped: int = 1,
) -> DialectScan:
    rows, before, has_quotes = 0, 0, False
    typed = [] if typed is None else typed
    lines: list[str] = []
    reader = text.records(**dialect)
    try:
        for row in _guarded(text, reader):
            last, before = before, reader.line_num
            if len(row) != width:
                if any(field.strip() for field in row):
                    return DialectScan(rows, problem=_torn(text, before, row, width))
                continue
            rows += 1
            has_quotes = has_quotes or '"' in "".join(row)
            # A record over several lines may be an open quote that swallowed rows.
            if before - last > 1 and rows > skipped:
                lines = lines or text.lines()
                if _swallows(text, lines[last:before], width, typed):
                    return DialectScan(rows, problem=_swallowed(text, last + 1, before))
            # The first rows below the header show which columns are numbers.
            if rows > skipped and len(typed) < TYPED_ROWS:
                typed.append(row)
    except DataError as error:
        return DialectScan(rows, problem=error)
    return DialectScan(rows, has_quotes)


def _guarded(text: CsvText, reader: Any) -> Iterator[list[str]]:
    """Read records; an error of the reader names the line where the record began."""
    begin = 1
    try:
        for row in reader:
            begin = reader.line_num + 1
            yield row
    except csv.Error as error:
        line = begin + text.skipped
        until = f" to {reader.line_num + text.skipped}" if reader.line_num > begin else ""
        what = (
            f"has a field of more than {FIELD_LIMIT:,} letters"
            if "field limit" in str(error)
            else f"is no CSV: {error}"
        )
        raise DataError(
            what=f"{text.path.name} {what} (line {line}{until}).",
            why="A quote may be open, or the file may not be text at all.",
            fix="Fix the quotes on that line (a quote in a quoted field is doubled), or give format= "
            "if its ending misleads.",
            path=text.path,
            line=line,
        ) from error


def _swallows(
    text: CsvText, lines: Sequence[str], width: int, typed: Sequence[Sequence[str]]
) -> bool:
    """Return whether the lines of a record look like separate records."""
    numbers = [
        place
        for place in range(width)
        if typed and sum(bool(_NUMBER.match(row[place])) for row in typed) >= _MOSTLY * len(typed)
    ]
    alike = sum(_is_record(line, text.separator, width, numbers) for line in lines[1:])
    if numbers:
        return alike >= _HALF * (len(lines) - 1)
    whole = all(line.count(text.separator) == width - 1 for line in lines)
    return whole and width > 2  # noqa: PLR2004 - prose has a comma now and then


def _is_record(line: str, separator: str, width: int, numbers: Sequence[int]) -> bool:
    fields = line.rstrip("\r").split(separator)
    return len(fields) == width and all(
        not fields[place].strip() or _NUMBER.match(fields[place]) for place in numbers
    )


def _swallowed(text: CsvText, first: int, last: int) -> DataError:
    first, last = first + text.skipped, last + text.skipped
    return DataError(
        what=f"{text.path.name}, line {first}: a quote is open until line {last}, over lines that "
        "look like rows of their own.",
        why=f"{last - first:,} rows would be swallowed as the text of one field.",
        fix="Close or remove the quote; a quote in a quoted field is doubled.",
        path=text.path,
        line=first,
    )


def _torn(text: CsvText, line: int, row: Sequence[str], width: int) -> DataError:
    line += text.skipped
    whole = text.separator.join(row)
    other = next(
        (mark for mark in SEPARATORS if mark != text.separator and whole.count(mark) == width - 1),
        None,
    )
    hint = f" It seems to be cut by {other!r}." if other and width > 1 else ""
    return DataError(
        what=f"{text.path.name}, line {line}: {len(row)} fields instead of {width}.{hint}",
        why="The values would land in the wrong columns.",
        fix=f"Fix the line, or give separator= if it is not {text.separator!r}.",
        path=text.path,
        line=line,
    )


def _line_of(text: CsvText, part: str) -> int:
    place = text.content.find(part.encode())
    return text.content.count(b"\n", 0, place) + 1 + text.skipped
