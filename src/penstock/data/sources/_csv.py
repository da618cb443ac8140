"""CSV files as found in practice: names, separators, blanks, titles, units, sums, and torn lines.

Every field is first read as text and typed afterwards from all remaining rows, so that no type
depends on the first hundred lines or on rows after the cutoff.
"""

import csv
import inspect
import io
import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.data._finding import Finding
from penstock.data.sources._blocks import NotInBlocksError, TextBlocks
from penstock.data.sources._odd_letters import INVISIBLE, remark_unseen
from penstock.data.sources._odd_rows import check_header, drop_odd_rows
from penstock.data.sources._records import (
    TYPED_ROWS,
    CsvText,
    count_records,
    first_records,
    read_rows,
)
from penstock.data.sources._text import (
    declared_separator,
    guess_separator,
    read_bytes,
    to_utf8,
)
from penstock.data.sources._text_rows import TextRows
from penstock.data.sources._typing import QUOTED
from penstock.tables.reading import MARKS

if TYPE_CHECKING:
    import polars as pl

_LOG = logging.getLogger(__name__)
_HEAD_RECORDS = 60
_BLANKS = (b"\n", b"\r", b" ", b"\t", b"\x0b", b"\x0c")
_TITLE_SHARE = 3


@dataclass(frozen=True, slots=True)
class CsvForm:
    """The form of a CSV file."""

    separator: str | None
    has_header: bool
    columns: tuple[str, ...] | None
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV file with every field as trimmed text.

    Attributes:
        rows: The rows.
        separator: The separator between fields.
        findings: Oddities of the file.
    """

    rows: TextRows
    separator: str
    findings: tuple[Finding, ...]

    @property
    def table(self) -> "pl.DataFrame":
        """All rows in memory."""
        return self.rows.read()


def read_csv(path: Path, form: CsvForm, spill: Path | None = None) -> CsvTable:
    """Read a CSV file with every field as trimmed text, empty fields as null.

    Args:
        path: The file.
        form: Its form.
        spill: Folder to which the rows of a file too large for memory are written, block by block.

    Raises:
        DataError: If the file is empty, not UTF-8, a line has too many or too few fields, or a
            quote would swallow rows.
    """
    if spill is not None:
        blocks = TextBlocks(path, quoted=True)
        try:
            return _read_blocks(iter(blocks), path, form, blocks.findings, spill)
        except NotInBlocksError:
            _LOG.warning("%s is read whole: its quotes or line ends need all of it.", path)
    content, findings = to_utf8(read_bytes(path), path)
    return _read_blocks(iter([content]), path, form, findings, None)


def _read_blocks(
    blocks: Iterator[bytes],
    path: Path,
    form: CsvForm,
    encoding: list[Finding],
    spill: Path | None,
) -> CsvTable:
    content, declared = declared_separator(next(blocks, b""))
    separator = form.separator or declared or guess_separator(content)
    text = CsvText(content, separator, path, skipped=1 if declared else 0)
    try:
        if spill is not None and b"\n" not in content:
            raise NotInBlocksError
        text, titles = _skip_titles(text, form)
        first = next((row for row in text.records() if any(row)), None)
        if first is None:
            raise DataError(what=f"{path.name} is empty.", fix="Give a file with rows.", path=path)
        names, has_header, notes = _column_names(first, form, path)
    except UnicodeDecodeError as error:
        raise _not_utf8(text) from error
    except csv.Error as error:
        raise _no_csv(path, error) from error
    parser = _Parser(names, form, has_header=has_header, in_blocks=spill is not None)
    frames = map(_trim, parser.parse(text, blocks))
    rows = TextRows.of(next(frames)) if spill is None else TextRows.stored(frames, spill)
    rows, dropped = drop_odd_rows(rows, names if has_header else None)
    findings = [*encoding, *titles, *notes, *parser.findings, *dropped]
    if has_header and form.columns is None:
        findings += check_header(first, rows)
    return CsvTable(rows, separator, tuple(findings))


def _skip_titles(text: CsvText, form: CsvForm) -> tuple[CsvText, list[Finding]]:
    """Remove lines above the header that contain a title, not names."""
    reader = text.records()
    head: list[tuple[int, list[str]]] = []
    try:
        head += (
            (reader.line_num, row)
            for row in itertools.islice(reader, _HEAD_RECORDS)
            if any(field.strip() for field in row)
        )
    except csv.Error:
        return text, []  # counting the records reports the error, with the line
    widths = [len(row) for _, row in head]
    if len(head) < 3 or form.columns is not None or not form.has_header:  # noqa: PLR2004 - title, header, row
        return text, []
    width = max(set(widths), key=lambda each: (widths.count(each), each))
    titles = list(itertools.takewhile(lambda item: _is_title(item[1], width), head))
    if width < 2 or not titles or len(titles) == len(head):  # noqa: PLR2004 - 1 column: no title
        return text, []
    header = head[len(titles)][1]
    if len(header) != width or any(_is_number(field) for field in header):
        return text, []
    lines = titles[-1][0]
    rest = text.content.split(b"\n", lines)[lines]
    shown = "; ".join(" ".join(field for field in row if field)[:40] for _, row in titles[:3])
    note = f"{text.path.name}: {lines} lines above the header were left out ({shown})."
    return (
        replace(text, content=rest, skipped=text.skipped + lines),
        [Finding("warn", "title", "", note)],
    )


def _is_title(row: Sequence[str], width: int) -> bool:
    given = sum(bool(field.strip()) for field in row)
    return given <= max(1, width // _TITLE_SHARE) and (len(row) != width or given < width)


def _no_csv(path: Path, error: Exception) -> DataError:
    return DataError(
        what=f"{path.name} is no CSV: {error}.",
        why="A quote may be open, or the file may not be text at all.",
        fix="Fix the file, or give format= if its ending misleads.",
        path=path,
    )


def _not_utf8(text: CsvText) -> DataError:
    # Line by line: a decoder that reads in blocks counts from the block's start.
    path = text.path
    for line, content in enumerate(text.content.split(b"\n"), text.skipped + 1):
        try:
            content.decode("utf-8")
        except UnicodeDecodeError as error:
            return DataError(
                what=f"{path.name} is not UTF-8: byte 0x{content[error.start]:02x} on line {line}.",
                why="Letters would be read wrongly.",
                fix=f"Convert it, for example: iconv -f cp1252 -t utf-8 {path.name} > utf8.csv",
                path=path,
                line=line,
            )
    return DataError(what=f"{path.name} is not UTF-8.", fix="Convert it.", path=path)


def _column_names(
    first: Sequence[str], form: CsvForm, path: Path
) -> tuple[list[str], bool, list[Finding]]:
    """Return the names, whether the first line contained them, and findings about them."""
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
    for position, name_there in enumerate(header, 1):
        written = name_there.strip(INVISIBLE).strip()
        if written != name_there:
            note = (
                f"Column {position} had letters in its name that cannot be seen; it is '{written}'."
            )
            findings.append(Finding("warn", "renamed", written, note))
        name = written or f"column_{position}"
        numbers = itertools.count(2)
        # An invented name must not take the name of a later column.
        while name in names or (name != written and name in header):
            name = f"{written or 'column'}_{next(numbers)}"
        if name != written:
            what = f"named '{written}' like an earlier one" if written else "without a name"
            message = f"Column {position} was {what}; it is called '{name}' now."
            findings.append(Finding("warn", "renamed", name, message))
        names.append(name)
    return names, findings


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


class _Parser:
    """Parses the blocks of a file, of which a small file has one."""

    def __init__(
        self, names: Sequence[str], form: CsvForm, *, has_header: bool, in_blocks: bool
    ) -> None:
        self._names, self._form = list(names), form
        self._has_header, self._in_blocks = has_header, in_blocks
        self._typed: list[list[str]] = []
        self._quotes: tuple[Finding, ...] = ()
        self._unseen: dict[str, Finding] = {}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The oddities of all blocks so far."""
        return (*self._quotes, *self._unseen.values())

    def parse(self, text: CsvText, later: Iterator[bytes]) -> "Iterator[pl.DataFrame]":
        """Parse the first block and those after it.

        Raises:
            DataError: If a block is no CSV, with the line.
            NotInBlocksError: If it depends on other blocks how one is read.
        """
        is_first = True
        while True:
            try:
                yield self._block(text, is_first=is_first)
            except UnicodeDecodeError as error:
                raise _not_utf8(text) from error
            except csv.Error as error:
                if self._in_blocks:  # polars may read what the slow reader does not: a long field
                    raise NotInBlocksError from error
                raise _no_csv(text.path, error) from error
            except DataError as error:
                # With quotes, another dialect of the whole file may fit.
                if self._in_blocks and re.search(rb'["\\]', text.content):
                    raise NotInBlocksError from error
                raise
            content, is_first = next(later, b""), False
            if not content:
                return
            lines = text.skipped + text.content.count(b"\n")
            text = CsvText(content, text.separator, text.path, lines)

    def _block(self, text: CsvText, *, is_first: bool) -> "pl.DataFrame":
        content, names, has_header = text.content, self._names, self._has_header and is_first
        self._unseen = remark_unseen(text, has_header=has_header) | self._unseen
        if b'"' not in content:
            if self._in_blocks and len(self._typed) < TYPED_ROWS:
                self._typed += first_records(text, len(names), is_first=is_first)
            expected = _count_lines(content)
            return _read_block(text, names, expected, has_header=has_header)
        records = count_records(text, len(names), self._typed, is_first=is_first)
        if self._in_blocks and not records.is_strict:
            raise NotInBlocksError
        self._quotes = records.findings
        # Blanks before a quote: polars would read the quote as a letter.
        blanks = re.search(rb"[%b] +\"" % re.escape(text.separator.encode()), content)
        text = _mark_quoted(text, self._form, has_header)
        if records.dialect is not None or blanks:
            return _frame(read_rows(text, len(names), records.dialect), names, has_header)
        return _read_block(text, names, records.rows, has_header=has_header)


def _count_lines(content: bytes) -> int:
    r"""Return the number of lines with more than blanks.

    >>> _count_lines(b"a,b\n1,2\n \t\r\n\n3,4"), _count_lines(b"\n1"), _count_lines(b"1\n")
    (3, 1, 1)
    """
    # Line by line takes a quarter of the whole reading; a file without such a pair has no blank line.
    if not content[:1].isspace() and not any(b"\n" + blank in content for blank in _BLANKS):
        return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    return sum(bool(line.strip()) for line in io.BytesIO(content))


def _read_block(
    text: CsvText, names: list[str], expected: int, *, has_header: bool
) -> "pl.DataFrame":
    """Read with polars; with the slow reader, which knows lines, where they may disagree.

    Args:
        text: The block.
        names: The columns.
        expected: Number of records, the header included.
        has_header: Whether the first record is the header.
    """
    import polars as pl

    try:
        table = pl.read_csv(
            io.BytesIO(text.content.lstrip(b"\r\n")),
            separator=text.separator,
            has_header=has_header,
            new_columns=names,
            infer_schema=False,
            **_keep_empty(),
        )
    except pl.exceptions.PolarsError:
        # The error has no line; the slow reader reports the line, or reads the block after all.
        return _frame(read_rows(text, len(names), None), names, has_header)
    if (
        table.width != len(names)
        or _counts_differ(table, expected - has_header)
        or _may_be_torn(text, table)
    ):
        return _frame(read_rows(text, len(names), None), names, has_header)
    return table


def _frame(rows: list[list[str]], names: list[str], has_header: bool) -> "pl.DataFrame":
    import polars as pl

    schema = dict.fromkeys(names, pl.String)
    return pl.DataFrame(rows[1 if has_header else 0 :], schema=schema, orient="row")


def _counts_differ(table: "pl.DataFrame", expected: int) -> bool:
    """Return whether polars read a different number of rows than there are lines or records."""
    import polars as pl

    if table.width == 1:
        return False  # an empty line is a row without a value there
    blank = pl.all_horizontal(pl.all().fill_null("") == "")
    return int(table.select((~blank).sum()).item()) > expected or table.height < expected


def _mark_quoted(text: CsvText, form: CsvForm, has_header: bool) -> CsvText:
    """Mark missing marks that are in quotes, as parsers do not distinguish quoted fields.

    Marks that the user has declared count with and without quotes.
    """
    if form.missing != MARKS or not any(f'"{m}"'.encode() in text.content for m in MARKS if m):
        return text
    marks = b"|".join(re.escape(mark.encode()) for mark in MARKS if mark)
    cut = re.escape(text.separator.encode())
    quoted = re.compile(rb'(^|[\n%b] *)"(%b)"(?= *(?:%b|\r?\n|\r?$))' % (cut, marks, cut))
    head, line, rest = text.content.partition(b"\n") if has_header else (b"", b"", text.content)
    # Twice: two fields in a row share the separator between them.
    for _ in range(2):
        rest = quoted.sub(rb'\g<1>"' + QUOTED.encode() + rb'\g<2>"', rest)
    return replace(text, content=head + line + rest)


def _may_be_torn(text: CsvText, table: "pl.DataFrame") -> bool:
    """Return whether a line may have too few fields, which polars fills up silently."""
    if table.width == 1:
        return False
    last = table.to_series(table.width - 1)
    if not bool(((last == "") | last.is_null()).any()):
        return False
    content = text.content
    if b'"' in content:
        return True
    lines = content.count(b"\n") + (not content.endswith(b"\n"))
    return content.count(text.separator.encode()) != lines * (table.width - 1)


def _keep_empty() -> dict[str, Any]:
    """Return polars' option to distinguish an empty field from none, which polars 2 renamed."""
    import polars as pl

    if "empty_string_is_null" in inspect.signature(pl.read_csv).parameters:
        return {"empty_string_is_null": False}
    return {"missing_utf8_is_empty_string": True}


def _trim(table: "pl.DataFrame") -> "pl.DataFrame":
    """Trim every field, set empty fields to missing, and drop rows without any value."""
    import polars as pl

    text = pl.all().str.strip_chars()
    table = table.select(text)
    table = table.select(pl.when(pl.all() != "").then(pl.all()).name.keep())
    if table.width == 1:
        return table
    return table.filter(~pl.all_horizontal(pl.all().is_null()))
