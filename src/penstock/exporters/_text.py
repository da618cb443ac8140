"""Text of Python files: literals, heads of files, templates."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.exporters._plan import ExportPlan

_TEMPLATES = Path(__file__).parent / "templates"


def fill(template: str, **values: Any) -> str:
    """Fill a template of this package."""
    import jinja2

    environment = jinja2.Environment(  # noqa: S701 - Python and shell, not HTML
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["literal"] = literal
    return environment.get_template(template).render(**values)


def literal(value: object) -> str:
    """Format a value as a Python literal with double quotes.

    >>> print(literal("it's"), literal(["a"]), literal(1.5))
    "it's" ["a"] 1.5
    """
    if isinstance(value, str):
        inner = repr(value + "'\"")[1:-4].replace("\\'", "'")
        return '"' + inner.replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    return repr(value)


def head_lines(plan: ExportPlan, engine: str, notes: Sequence[str]) -> list[str]:
    """Return the lines of a file's head: origin, how it works, and what is not carried over."""
    description = " ".join(plan.description.split()).rstrip(".")
    title = f"{plan.name}: {description}." if description else f"{plan.name}."
    about = (
        f"Exported by `penstock export {plan.entry}` for {engine}. The first task records a run, each"
        " further task executes a step of that run; results and digests are those of `penstock run`."
        " The store is that of PENSTOCK_STORE, PENSTOCK_ARTIFACTS and PENSTOCK_TOKEN, which are"
        " secrets and not in this file. Export again after the pipeline's steps have changed."
    )
    lines = [*wrap_text(title), "", *wrap_text(about)]
    return [*map(plain_text, lines), *note_lines(notes)]


def note_lines(notes: Sequence[str]) -> list[str]:
    """Return the end of a file's head: what is not carried over; nothing where all is."""
    lines = ["", "Not carried over:"] if notes else []
    for note in notes:
        first, *more = wrap_text(note)
        lines += [f"- {first}", *(f"  {line}" for line in more)]
    return [plain_text(line) for line in lines]


def comment(lines: Sequence[str]) -> str:
    """Return lines as a comment."""
    return "\n".join(f"# {line}".rstrip() for line in lines) + "\n"


def wrap_text(text: str) -> list[str]:
    """Return a text as lines that fit a file's head."""
    return textwrap.wrap(text, 92, break_long_words=False, break_on_hyphens=False)


def plain_text(text: str) -> str:
    """Return text that is safe within a docstring and a comment."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    return shown.replace('"""', "'''").replace("\\", "/")
