"""Output of the demo: chapters with timings, and facts below them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape


@dataclass
class Chapter:
    """A chapter in progress; ``done`` sets the text at the end."""

    title: str
    ending: str = ""

    def done(self, ending: str) -> None:
        """Set the text of the chapter's end."""
        self.ending = ending


class Narrator:
    """A printer of chapters and facts, with the time of each chapter."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._started = time.perf_counter()
        self._count = 0

    @contextmanager
    def chapter(self, title: str) -> Iterator[Chapter]:
        """Print a chapter: the title before, the timing and ending after."""
        self._count += 1
        self._console.print(f"\n[bold cyan]{self._count}[/] [bold]{escape(title)}[/]")
        chapter, started = Chapter(title), time.perf_counter()
        if self._console.is_terminal:
            with self._console.status("working …", spinner="dots"):
                yield chapter
        else:
            yield chapter
        took = time.perf_counter() - started
        ending = f": {escape(chapter.ending)}" if chapter.ending else ""
        self._console.print(f"  [green]✓[/] {took:.1f} s{ending}")

    def fact(self, text: str) -> None:
        """Print a fact."""
        self._console.print(f"  [dim]│[/] {escape(text)}")

    def line(self, text: str) -> None:
        """Print a line unchanged."""
        self._console.print(escape(text))

    def summary(self) -> None:
        """Print how long the whole story took."""
        took = time.perf_counter() - self._started
        self._console.print(f"\n[bold]The whole loop took {took:.0f} s.[/]")
