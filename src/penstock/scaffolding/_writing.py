"""Formatting of values, comments and templates as text; shared by every written file."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.scaffolding._layout import Bracketed, BracketElement
from penstock.scaffolding._notes import Label

_TEMPLATES = Path(__file__).parent / "templates"


def quote(value: Label) -> str:
    """Format a value as ``ruff format`` does.

    >>> print(quote("it's"), quote('say "x"'), quote(3))
    "it's" 'say "x"' 3
    """
    if not isinstance(value, str):
        return repr(value)
    # With both kinds of quotes appended, repr uses single quotes and escapes only those.
    inner = repr(value + "'\"")[1:-4].replace("\\'", "'")
    if value.count('"') > value.count("'"):
        return "'" + inner.replace("'", "\\'") + "'"
    return '"' + inner.replace('"', '\\"') + '"'


def write_list(values: Sequence[Label]) -> Bracketed:
    """Format a list of values."""
    return Bracketed("[", [BracketElement(quote(value)) for value in values], "]")


def write_tuple(values: Sequence[Label]) -> Bracketed:
    """Format a tuple of values."""
    return Bracketed("(", [BracketElement(quote(value)) for value in values], ")")


def wrap(text: str, width: int) -> list[str]:
    """Break a sentence into comment lines."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def plain(text: str) -> str:
    """Convert text to a safe comment or docstring: a single line, without closing quotes."""
    line = " ".join(text.split())
    return (
        "".join(c if c.isprintable() else "?" for c in line)
        .replace('"""', "'''")
        .replace("\\", "/")
    )


def fill(template: str, **values: Any) -> str:
    """Fill a template."""
    import jinja2

    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(  # noqa: S701 - Python and Markdown, not HTML
        loader=loader,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(template).render(**values)
