"""Output of commands: tables for people, a JSON document for programs, errors as sentences."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
import msgspec

from penstock import stores
from penstock.core import (
    ConflictError,
    GateError,
    PenstockError,
    StepError,
    now,
    redact,
    to_json,
)

if TYPE_CHECKING:
    from rich.console import Console

    from penstock.stores import Store

Command = TypeVar("Command", bound=Callable[..., Any])

# Completed with a negative answer: 1. A failed step: 3. All other deliberate errors are wrong use:
# 2.
_EXIT_CODES: tuple[tuple[type[PenstockError], int], ...] = (
    (StepError, 3),
    (GateError, 1),
    (ConflictError, 1),
)


# In click's meta, which all contexts of a call share.
_WANTS_JSON = "penstock.json"
_DOCUMENT = "penstock.document"


def json_option(command: Command) -> Command:
    """Add ``--json`` to a command."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_note_json,
        is_eager=True,  # known before any further option can be found wrong
        help="Print one JSON document only.",
    )(command)


def note_json(ctx: click.Context, as_json: bool) -> None:
    """Record whether a JSON document is wanted, also of an error."""
    ctx.meta[_WANTS_JSON] = as_json


def _note_json(ctx: click.Context, _: click.Parameter, as_json: bool) -> bool:
    note_json(ctx, as_json)
    if as_json and not ctx.resilient_parsing:
        stdout = _Stdout()
        ctx.meta[_DOCUMENT] = stdout
        ctx.find_root().call_on_close(stdout.restore)
    return as_json


class _Stdout:
    """Standard output reserved for the JSON document; everything else goes to standard error.

    Output of child processes too: their file descriptor 1 is that of standard error.
    """

    def __init__(self) -> None:
        self._stream = sys.stdout
        self._number: int | None = None
        sys.stdout.flush()
        if _has_number(sys.stdout, 1) and _has_number(sys.stderr, 2):
            self._number = os.dup(1)
            os.dup2(2, 1)
        sys.stdout = sys.stderr

    def write(self, text: str) -> None:
        """Write to the original standard output."""
        if self._number is None:
            click.echo(text, file=self._stream)
            return
        with os.fdopen(os.dup(self._number), "w", encoding="utf-8") as stream:
            stream.write(text + "\n")

    def restore(self) -> None:
        """Restore the original standard output."""
        sys.stdout = self._stream
        if self._number is not None:
            self._stream.flush()
            os.dup2(self._number, 1)
            os.close(self._number)
            self._number = None


def _has_number(stream: Any, number: int) -> bool:
    try:
        return bool(stream.fileno() == number)
    except (OSError, ValueError, AttributeError):  # a stream in memory, as in tests
        return False


def current_store(
    ctx: click.Context, *, project: Path | None = None, create: bool = False
) -> "Store":
    """Open the store that the user chose, or the project's; closed when the command ends.

    Args:
        ctx: The command's context.
        project: The project's folder; by default the project of the current folder.
        create: Whether to create a missing store: for commands that write the first record.

    Raises:
        StoreError: If the store does not exist and is not created.
    """
    store = stores.open_store(ctx.find_root().obj, project=project, create=create)
    ctx.find_root().call_on_close(store.close)
    return store


def emit(document: Any) -> None:
    """Print a JSON document on standard output; records have the form of ``to_json``."""
    text = msgspec.json.format(msgspec.json.encode(to_json(document)), indent=2)
    ctx = click.get_current_context(silent=True)
    stdout = None if ctx is None else ctx.meta.get(_DOCUMENT)
    if stdout is None:
        click.echo(text.decode())
    else:
        stdout.write(text.decode())


def say(text: str = "", *, stderr: bool = False) -> None:
    """Print a line for people; a user's text must be escaped with ``plain`` first."""
    console(stderr=stderr).print(text, highlight=False)


def plain(text: Any) -> str:
    r"""Escape text to be printed unchanged, with square brackets.

    >>> plain("[bold] is no style here")
    '\\[bold] is no style here'
    """
    from rich.markup import escape

    return escape(str(text))


def fail(ctx: click.Context, error: PenstockError) -> NoReturn:
    """Print an error with reason and fix, and exit with the error's code."""
    code = next((code for kind, code in _EXIT_CODES if isinstance(error, kind)), 2)
    if ctx.meta.get(_WANTS_JSON):
        emit({"error": {**error.to_json(), "what": redact(error.what)}})
    else:
        say(f"[bold red]✗[/] {plain(redact(error.what))}", stderr=True)
        for part in (error.why, error.fix):
            if part:
                say(f"  {plain(part.strip())}", stderr=True)
    sys.exit(code)


@lru_cache(maxsize=2)
def console(*, stderr: bool = False) -> "Console":
    """Return the terminal; plain text without a terminal."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 140
    return Console(stderr=stderr, soft_wrap=not sys.stdout.isatty(), width=width)


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, title: str | None = None
) -> None:
    """Print a table; numbers are right-aligned."""
    from rich import box
    from rich.table import Table

    body = [[_cell(value) for value in row] for row in rows]
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for index, name in enumerate(columns):
        numeric = bool(body) and all(_is_number(row[index]) for row in body)
        table.add_column(
            name,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=index == 0,  # ids are copied by users
        )
    for row in body:
        table.add_row(*row)
    console().print(table, highlight=False)


def ago(moment: datetime | None) -> str:
    """Format how long ago a moment was.

    >>> ago(None)
    ''
    """
    if moment is None:
        return ""
    seconds = int((now() - moment.astimezone(UTC)).total_seconds())
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"


def duration(seconds: float | None) -> str:
    """Format a duration in the fitting unit.

    >>> duration(0.0123), duration(75), duration(None)
    ('12 ms', '1 min 15 s', '')
    """
    if seconds is None or seconds < 0:  # a client of MLflow may set an end before the beginning
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return plain(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text
    return True
