"""Check of a user's query: one statement that reads, and can stand in another as a table."""

import re

from penstock.core import ParameterError

# Texts, quoted names and comments, in which no sign of SQL has a meaning.
_QUIET = re.compile(
    r"'(?:[^']|'')*'"
    r'|"(?:[^"]|"")*"'
    r"|`(?:[^`]|``)*`"
    r"|(\$[A-Za-z_]*\$).*?\1"
    r"|--[^\n]*"
    r"|/\*.*?\*/",
    re.DOTALL,
)
_FIRST = re.compile(r"[\s(]*([A-Za-z]+)")
_READS = {"select", "with", "values", "table", "from"}
_PARAMETER = re.compile(r"(?<![:\w]):[A-Za-z_]\w*|%\(\w+\)s|%s\b|\$\d+")


def require_query(query: str, scheme: str) -> str:
    """Return a query that can stand in brackets, without its last semicolon.

    >>> require_query("SELECT 1 AS a;  -- all", "sqlite")
    'SELECT 1 AS a  -- all'

    Args:
        query: The user's text.
        scheme: Kind of database.

    Raises:
        ParameterError: If the text is not one statement that reads, or has parameters.
    """
    # Of equal length, so that places in the one are places in the other.
    code = _QUIET.sub(lambda found: " " * len(found[0]), query)
    end = code.find(";")
    if end >= 0:
        if code[end + 1 :].strip():
            raise ParameterError(
                what=f"query= holds more than one statement: the first ends before {query[end + 1 :].strip()[:40]!r}.",
                why="A source is the rows of one statement.",
                fix="Leave one SELECT.",
            )
        query, code = query[:end] + query[end + 1 :], code[:end] + code[end + 1 :]
    first = _FIRST.match(code)
    if first is None or first[1].lower() not in _READS:
        shown = f"with {first[1]}" if first else "with no word"
        raise ParameterError(
            what=f"query= begins {shown}.",
            why="A source only reads, in a transaction that cannot write.",
            fix="Write one SELECT, or WITH … SELECT.",
        )
    _require_no_parameter(code, scheme)
    if not _is_balanced(code):
        raise ParameterError(
            what="query= has a bracket without its other half.",
            why="The window is applied around the query: SELECT … FROM (query) WHERE ….",
            fix="Close every bracket that is opened.",
        )
    return query


def _require_no_parameter(code: str, scheme: str) -> None:
    found = _PARAMETER.search(code)
    # In PostgreSQL a question mark is an operator on JSON.
    mark = found[0] if found else "?" if "?" in code and scheme != "postgresql" else ""
    if mark:
        raise ParameterError(
            what=f"query= has the parameter {mark}.",
            why="No value is known for it; since and cutoff are added around the query.",
            fix="Write the value into the query, and leave the time window to time= and cutoff.",
        )


def _is_balanced(code: str) -> bool:
    depth = 0
    for sign in re.findall(r"[()]", code):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            return False
    return depth == 0
