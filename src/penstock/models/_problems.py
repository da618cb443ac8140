"""Problems of request rows: values that cannot be used, and the error that names the first five."""

from dataclasses import dataclass
from types import NoneType
from typing import Any

from penstock.core import DataError, with_article

MAX_FOUND = 100  # the search for further problems ends here
MAX_SHOWN = 5  # problems named in a message
_MAX_TEXT = 60  # fits a line


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that cannot be used."""

    row: int
    field: str
    message: str
    fix: str


def raise_if_any(problems: list[Problem], rows: int) -> None:
    """Raise an error that names the first problems, by row.

    Args:
        problems: The problems found so far.
        rows: Number of rows of the request.

    Raises:
        DataError: If there is a problem. Attributes: ``field``, ``row``, ``problems``.
    """
    if not problems:
        return
    problems.sort(key=lambda problem: problem.row)
    shown = problems[:MAX_SHOWN]
    sentences = [_sentence(problem, rows) for problem in shown]
    more = len(problems) - len(shown)
    if more:
        sentences.append(f"And {more}{' or' if len(problems) >= MAX_FOUND else ''} more.")
    raise DataError(
        what=" ".join(sentences),
        field=shown[0].field,
        row=shown[0].row,
        problems=[
            {"row": p.row, "field": p.field, "message": p.message, "fix": p.fix} for p in shown
        ],
    )


def show_value(value: Any) -> str:
    """Format a value for a message, shortened to a line."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the repr of an unknown type may raise anything; the error message must not
        text = with_article(type(value).__name__)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "…"


def show_type(value: Any) -> str:
    """Format the JSON type of a value with an article."""
    names = {dict: "an object", list: "a list", str: "a text", NoneType: "null", bool: "true/false"}
    return names.get(type(value), f"of type {type(value).__name__}")


def _sentence(problem: Problem, rows: int) -> str:
    where = f"Row {problem.row}, field" if rows > 1 else "Field"
    if problem.message.endswith("input of this model"):
        return f"{where} {problem.message}. {problem.fix}".rstrip()
    return f"{where} {show_value(problem.field)} {problem.message}. {problem.fix}"
