"""The filter language of runs: text such as ``metrics.auc > 0.9 and tags.team = 'risk'`` to SQL.

Grammar::

    or      := and ("or" and)*
    and     := not ("and" not)*
    not     := "not" not | "(" or ")" | test
    test    := field operator value | field ["not"] "in" "(" value ("," value)* ")"
             | field ["not"] "like" text | field "is" ["not"] "null"
    field   := "params." name | "tags." name | "metrics." name ["." ("last"|"min"|"max"|"first")]
             | attribute
    operator:= "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="

A name with other characters than letters, digits, ``_``, ``-``, ``/`` stands in backticks or double
quotes: ``params."learning rate"``. A run without the field meets no test on it but ``is null``.
"""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, NoReturn

from penstock.core import ParameterError, RunState, did_you_mean
from penstock.stores.metadata._codec import to_micros

_TEXT_ATTRIBUTES = (
    "run_id", "name", "experiment", "state", "pipeline", "entry", "user", "host",
    "parent_run_id", "note", "error",
)  # fmt: skip
_TIME_ATTRIBUTES = ("created_at", "started_at", "ended_at")
_NUMBER_ATTRIBUTES = ("attempt", "seed")
_ATTRIBUTES = (*_TEXT_ATTRIBUTES, *_TIME_ATTRIBUTES, *_NUMBER_ATTRIBUTES)
_STATISTICS = ("last", "min", "max", "first")
_GROUPS = ("params", "metrics", "tags")
_OPERATORS = {
    "=": "=",
    "==": "=",
    "!=": "<>",
    "<>": "<>",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
}
_WORDS = frozenset({"and", "or", "not", "like", "in", "is", "null"})
_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_][\w/-]*(?:\.(?:[\w/-]+|`[^`]+`|"[^"]+"))*)
    | (?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_PART = re.compile(r'`([^`]+)`|"([^"]+)"|([^.`"]+)')
Sql = tuple[str, list[Any]]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class _Field:
    group: str
    name: str
    statistic: str = "last"


def compile_filter(text: str) -> Sql:
    """Turn a filter into a condition on the table runs, and the values to bind.

    >>> compile_filter("name = 'base'")
    ('runs."name" = ?', ['base'])

    Raises:
        ParameterError: If it cannot be read; the message points at the place.
    """
    sql, values = _compile(text)
    return sql, list(values)


def compile_order(text: str) -> Sql:
    """Turn ``"metrics.auc desc, created_at"`` into the inside of ORDER BY; missing values last.

    Raises:
        ParameterError: If it names no field or no direction.
    """
    parts, values = [], []
    for start, term in _terms(text):
        words = term.split()
        direction = words[1].lower() if words[1:] else "asc"
        if not words or len(words) > 2 or direction not in {"asc", "desc"}:  # noqa: PLR2004 - field, direction
            _fail(text, start, "Expected a field, then asc or desc, as in 'metrics.auc desc'.")
        sql, bound = _column(_field(text, _Token("name", words[0], start)), "number")
        parts.append(f"{sql} IS NULL, {sql} {direction.upper()}")
        values += bound + bound
    # The id settles what is equal, so that pages never overlap.
    last = "DESC" if text.lower().rstrip().endswith("desc") else "ASC"
    return ", ".join([*parts, f"runs.id {last}"]), values


def _terms(text: str) -> list[tuple[int, str]]:
    found, position = [], 0
    for term in text.split(","):
        found.append((position + len(term) - len(term.lstrip()), term.strip()))
        position += len(term) + 1
    return found


@lru_cache(maxsize=128)
def _compile(text: str) -> tuple[str, tuple[Any, ...]]:
    if not text.strip():
        return "1 = 1", ()
    sql, values = _Parser(text, _tokens(text)).parse()
    return sql, tuple(values)


def _tokens(text: str) -> list[_Token]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            quote = text[start] in "'\""
            _fail(text, start, "This quote is never closed." if quote else "Unexpected character.")
        kind = str(match.lastgroup)
        tokens.append(_Token(kind, match[kind], match.start(kind)))
        position = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text, self._tokens, self._next, self._depth = text, tokens, 0, 0

    def parse(self) -> Sql:
        result = self._either()
        if self._peek().kind != "end":
            self._fail("Expected 'and', 'or' or the end.")
        return result

    def _either(self) -> Sql:
        return self._chain("or", self._both)

    def _both(self) -> Sql:
        return self._chain("and", self._inverse)

    def _chain(self, word: str, part: Callable[[], Sql]) -> Sql:
        parts = [part()]
        while self._accept(word):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        joined = f" {word.upper()} ".join(sql for sql, _ in parts)
        return f"({joined})", [value for _, values in parts for value in values]

    def _inverse(self) -> Sql:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail("Nested too deeply.")
        try:
            if self._accept("not"):
                sql, values = self._inverse()
                return f"NOT COALESCE({sql}, 0 = 1)", values
            if self._accept("("):
                result = self._either()
                self._expect(")")
                return result
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Sql:
        token = self._peek()
        if token.kind != "name" or token.text.lower() in _WORDS:
            self._fail("Expected a field such as metrics.auc, params.lr, tags.team or state.")
        field = _field(self._text, self._take())
        if self._accept("is"):
            inverse = self._accept("not")
            self._expect("null")
            sql, values = _column(field, "text")
            return f"{sql} IS {'NOT ' if inverse else ''}NULL", values
        inverse = self._accept("not")
        if self._accept("in"):
            return self._membership(field, inverse)
        if self._accept("like"):
            return self._like(field, inverse)
        sign = self._peek()
        if inverse or sign.text not in _OPERATORS:
            self._fail("Expected =, !=, <, <=, >, >=, like, in or is.")
        self._take()
        value, kind = self._value(field)
        sql, values = _column(field, kind)
        return f"{sql} {_OPERATORS[sign.text]} ?", [*values, value]

    def _membership(self, field: _Field, inverse: bool) -> Sql:
        self._expect("(")
        found = [self._value(field)]
        while self._accept(","):
            found.append(self._value(field))
        self._expect(")")
        kind = "number" if all(kind == "number" for _, kind in found) else "text"
        wanted = [value if kind == "number" else _as_text(value) for value, _ in found]
        if field.group == "time":
            wanted = [value for value, _ in found]
        sql, values = _column(field, kind)
        marks = ", ".join("?" * len(wanted))
        return f"{sql} {'NOT ' if inverse else ''}IN ({marks})", [*values, *wanted]

    def _like(self, field: _Field, inverse: bool) -> Sql:
        token = self._peek()
        if token.kind != "text":
            self._fail("Expected a pattern in quotes, such as 'base%'.")
        if field.group in {"metrics", "time", "number"}:
            self._fail("like compares text; this field is a number or a time.")
        self._take()
        sql, values = _column(field, "text")
        test = f"LOWER({sql}) {'NOT ' if inverse else ''}LIKE ?"
        return test, [*values, _unquote(token.text).lower()]

    def _value(self, field: _Field) -> tuple[Any, str]:
        token = self._peek()
        if token.kind not in {"text", "number"}:
            word = f" Write '{token.text}' in quotes." if token.kind == "name" else ""
            self._fail(f"Expected a number or a text in quotes.{word}")
        value = float(token.text) if token.kind == "number" else _unquote(token.text)
        if field.group == "time":
            value, kind = self._moment(value), "number"
        elif field.group in {"metrics", "number"}:
            value, kind = self._number(value), "number"
        elif field.group == "params" and token.kind == "number":
            kind = "number"
        else:
            value, kind = token.text if token.kind == "number" else value, "text"
            self._check_state(field, str(value))
        self._take()
        return value, kind

    def _moment(self, value: str | float) -> int:
        try:
            return to_micros(_read_moment(value))
        except (ValueError, OverflowError, OSError):
            self._fail("Expected a time such as '2026-01-31' or '2026-01-31T08:00' (UTC).")

    def _number(self, value: str | float) -> float:
        try:
            return float(value)
        except ValueError:
            self._fail("Expected a number.")

    def _check_state(self, field: _Field, value: str) -> None:
        if field == _Field("text", "state") and value not in set(RunState):
            self._fail(f"No run is ever {value!r}. {did_you_mean(value, list(RunState))}")

    def _peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _accept(self, word: str) -> bool:
        token = self._peek()
        if token.kind not in {"name", "sign"} or token.text.lower() != word:
            return False
        self._next += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            self._fail(f"Expected {word!r}.")

    def _fail(self, why: str) -> NoReturn:
        _fail(self._text, self._peek().start, why)


def _read_moment(value: str | float) -> datetime:
    if isinstance(value, float):
        return datetime.fromtimestamp(value, UTC)
    if len(value) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unquote(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _field(text: str, token: _Token) -> _Field:
    parts = ["".join(groups) for groups in _PART.findall(token.text)]
    group, names = parts[0], parts[1:]
    if group in {"run", "runs", "attributes", "attribute"} and names:
        group, names = names[0], names[1:]
    if group in _GROUPS and names:
        return _grouped(group, names)
    if not names and group in _ATTRIBUTES:
        kind = "time" if group in _TIME_ATTRIBUTES else "text"
        return _Field("number" if group in _NUMBER_ATTRIBUTES else kind, group)
    close = did_you_mean(group, _GROUPS if names else _ATTRIBUTES)
    return _fail(text, token.start, f"There is no field {token.text!r}. {close}")


def _grouped(group: str, names: list[str]) -> _Field:
    if group == "metrics" and len(names) > 1 and names[-1] in _STATISTICS:
        return _Field(group, ".".join(names[:-1]), names[-1])
    return _Field(group, ".".join(names))


def _column(field: _Field, kind: str) -> Sql:
    """Give the SQL expression of a field's value in one run, NULL if the run has none."""
    if field.group == "metrics":
        return _lookup("metric_summaries", f'"{field.statistic}"', field.name)
    if field.group == "tags":
        return _lookup("run_tags", "value", field.name)
    if field.group == "params":
        return _lookup("run_params", "number" if kind == "number" else "text", field.name)
    if field.name == "seed":
        return 'CAST(runs."seed" AS DOUBLE PRECISION)', []
    return f'runs."{field.name}"', []


def _lookup(table: str, column: str, key: str) -> Sql:
    # A look-up by primary key: 1 to 2 µs a run in SQLite.
    return (
        f'(SELECT f.{column} FROM {table} f WHERE f.run_id = runs.run_id AND f."key" = ?)',
        [key],
    )


def _fail(text: str, position: int, why: str) -> NoReturn:
    line = text.replace("\n", " ")
    raise ParameterError(
        what=f"The filter cannot be read at character {position + 1}:\n  {line}\n  {' ' * position}^\n"
        + why,
        fix="Example: metrics.auc > 0.9 and params.lr = '0.1' and tags.team like 'ri%'",
        position=position,
    )
