"""Markdown tables and figures for the model card; cell values cannot break the table."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

NOT_RECORDED = "not recorded"


def cell(value: Any) -> str:
    r"""Format a value for a table cell, with Markdown and HTML escaped.

    >>> cell("a|b<c>"), cell(None), cell(0.123456), cell(12345)
    ('a\\|b&lt;c&gt;', 'not recorded', '0.1235', '12,345')
    """
    if value is None or value == "":
        return NOT_RECORDED
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value)
    text = " ".join(str(value).split())
    for mark, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|")):
        text = text.replace(mark, escaped)
    return text


def number(value: float | None) -> str:
    """Format a figure with four significant digits, a whole number with thousands.

    >>> number(1234567.0), number(0.25), number(float("nan"))
    ('1,234,567', '0.25', 'not recorded')
    """
    if value is None or not math.isfinite(value):
        return NOT_RECORDED
    if value == int(value):
        return f"{int(value):,}"
    if abs(value) >= 1000:  # noqa: PLR2004 - no decimals where they carry no information
        return f"{value:,.0f}"
    return f"{value:.4g}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """Format rows as a table with a head; without rows, as a line that nothing is recorded."""
    body = ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    if not body:
        return [NOT_RECORDED.capitalize() + "."]
    return ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head), *body]
