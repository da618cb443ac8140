"""How the demo tells its story: chapters with timings, facts below them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape


@dataclass
class Chapter:
    """A chapter being told; ``done`` sets the words at its end."""

    title: str
    ending: str = ""

    def done(self, ending: str) -> None:
        """Say how it ended."""
        self.ending = ending


class Narrator:
    """Prints chapters and facts, and remembers how long each chapter took."""

    def __init__(self) -> None:
        self._console = Console(highlight=False, soft_wrap=True)
        self._started = time.perf_counter()
        self._count = 0

    @contextmanager
    def chapter(self, title: str) -> Iterator[Chapter]:
        """Tell a chapter: its title before, its timing and ending after."""
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
        """Tell one fact."""
        self._console.print(f"  [dim]│[/] {escape(text)}")

    def line(self, text: str) -> None:
        """Print a line as it is."""
        self._console.print(escape(text))

    def summary(self) -> None:
        """Say how long the whole story took."""
        took = time.perf_counter() - self._started
        self._console.print(f"\n[bold]The whole loop took {took:.0f} s.[/]")
