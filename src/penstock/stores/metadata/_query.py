"""The filter language: text such as ``metrics.auc > 0.9 and tags.team = 'risk'`` to SQL.

Grammar::

    or      := and ("or" and)*
    and     := not ("and" not)*
    not     := "not" not | "(" or ")" | test
    test    := field operator value | field ["not"] "in" "(" value ("," value)* ")"
             | field ["not"] "like" text | field "is" ["not"] "null"
             | field ["not"] "between" value "and" value
    field   := group "." name ["." statistic] | attribute
    operator:= "=" | "==" | "!=" | "<>" | "<" | "<=" | ">" | ">="

The groups and attributes depend on the kind of the searched objects, see _fields. A name with other
characters than letters, digits, ``_``, ``-``, ``/`` is quoted in backticks or double quotes:
``params."learning rate"``. An object without the field meets no test except ``is null``. For a
parameter that is a dict ``params.cfg.depth`` is the leaf. ``metrics.loss = nan`` finds runs that
diverged; ``true`` and ``True`` are equal.
"""
# ruff: noqa: S608 - statements are made of our own names; values are always bound

import math
import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any, Literal, NoReturn

from penstock.core import ParameterError, did_you_mean
from penstock.stores.metadata._codec import to_micros
from penstock.stores.metadata._fields import (
    INDEXED,
    NUMBER,
    TEXT,
    TIME,
    Field,
    Kind,
    Sql,
    find_field,
)

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
_WORDS = frozenset({"and", "or", "not", "like", "in", "is", "null", "between"})
_FLAGS = frozenset({"true", "false"})
_DEEPEST = 50
_EXACT = 2**53  # whole numbers beyond this are compared as written
# A backslash in a pattern is a backslash in every database.
_NO_ESCAPE = "\x01"
# The effect of LOWER in SQLite, and in PostgreSQL where text is ordered by bytes.
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<number>[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|(?i:inf|infinity|nan))(?![\w./-]))
    | (?P<flag>(?i:true|false)(?![\w./-]))
    | (?P<name>[A-Za-z_][\w/-]*(?:\.(?:[\w/-]+|`[^`]+`|"[^"]+"))*)
    | (?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
_PART = re.compile(r'`([^`]+)`|"([^"]+)"|([^.`"]+)')


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as SQL.

    Args:
        sql: A condition on the kind's table.
        values: The values to bind.
        narrow: Statements that an index answers, each with values; all results are among the keys
            of each statement.
        names: The attributes named in the filter.
    """

    sql: str = "1 = 1"
    values: tuple[Any, ...] = ()
    narrow: tuple[Sql, ...] = ()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """A field of an order."""

    field: Field
    sql: str
    values: tuple[Any, ...]
    descending: bool


@lru_cache(maxsize=128)
def compile_filter(text: str, kind: Kind) -> Filter:
    """Compile a filter into a condition on the kind's table.

    >>> from penstock.stores.metadata._fields import RUNS
    >>> compile_filter("name = 'base'", RUNS).values
    ('base',)

    Raises:
        ParameterError: If the filter cannot be read; the message marks the position.
    """
    if not text.strip():
        return Filter()
    parser = _Parser(text, kind)
    sql, values = parser.parse()
    return Filter(sql, tuple(values), tuple(parser.narrow), frozenset(parser.names))


@lru_cache(maxsize=128)
def compile_order(text: str, kind: Kind) -> tuple[OrderTerm, ...]:
    """Compile ``"metrics.auc desc, created_at"`` into the terms of an order.

    Raises:
        ParameterError: If the text names no field or no direction.
    """
    tokens = _Tokens(text, kind, of="order")
    terms = []
    while True:
        field = tokens.field("Expected a field, as in 'metrics.auc desc'.", ordering=True)
        descending = tokens.accept("desc")
        if not descending:
            tokens.accept("asc")
        # Numbers by size, then all other values as text.
        forms = (NUMBER, TEXT) if field.form == "any" else (field.form,)
        for form in forms:
            sql, values = field.sql(TEXT if form == TEXT else NUMBER)
            terms.append(OrderTerm(field, sql, tuple(values), descending))
        if field.has_nan:  # NaN is stored as NULL: after the numbers, before what is missing
            there, values = field.exists()
            presence = f"CASE WHEN {there} THEN 0 END"
            terms.append(OrderTerm(field, presence, tuple(values), descending))
        if tokens.at_end:
            return tuple(terms)
        if not tokens.accept(","):
            tokens.fail("Expected asc, desc, a comma or the end, as in 'metrics.auc desc'.")


def _tokens(text: str, fail: Callable[[int, str], NoReturn]) -> list[_Token]:
    tokens, position, end = [], 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            start = position + len(text[position:]) - len(text[position:].lstrip())
            quote = text[start] in "'\""
            why = "This quote is never closed." if quote else "Unexpected character."
            fail(start, why)
        form = str(match.lastgroup)
        tokens.append(_Token(form, match[form], match.start(form)))
        position = match.end()
    return [*tokens, _Token("end", "", len(text))]


class _Tokens:
    """The tokens of a filter or an order, read in sequence."""

    def __init__(self, text: str, kind: Kind, *, of: Literal["filter", "order"] = "filter") -> None:
        self.text, self.kind, self._of = text, kind, of
        self._tokens, self._next = _tokens(text, self._fail_at), 0
        self.names: set[str] = set()

    @property
    def at_end(self) -> bool:
        return self.peek().kind == "end"

    def peek(self) -> _Token:
        return self._tokens[self._next]

    def take(self) -> _Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def accept(self, word: str) -> bool:
        token = self.peek()
        if token.kind not in {"name", "sign"} or token.text.lower() != word:
            return False
        self._next += 1
        return True

    def expect(self, word: str) -> None:
        if not self.accept(word):
            self.fail(f"Expected {word!r}.")

    def field(self, expected: str, *, ordering: bool = False) -> Field:
        token = self.peek()
        if token.kind != "name" or token.text.lower() in _WORDS:
            self.fail(expected)
        parts = ["".join(groups) for groups in _PART.findall(token.text)]
        known_field = find_field(self.kind, parts, ordering=ordering)
        if isinstance(known_field, str):
            self.fail(f"There is no field {token.text!r}. {known_field}")
        self._next += 1
        if known_field.group is None:
            self.names.add(known_field.name)
        return known_field

    def fail(self, why: str) -> NoReturn:
        self._fail_at(self.peek().start, why)

    def _fail_at(self, position: int, why: str) -> NoReturn:
        line = self.text.replace("\n", " ")
        example = self.kind.example if self._of == "filter" else self.kind.order
        raise ParameterError(
            what=f"The {self._of} cannot be read at character {position + 1}:\n  {line}\n"
            f"  {' ' * position}^\n{why}",
            fix=f"Example: {example}",
            position=position,
        )


class _Parser(_Tokens):
    def __init__(self, text: str, kind: Kind) -> None:
        super().__init__(text, kind)
        self._depth = 0
        self.narrow: list[Sql] = []

    def parse(self) -> Sql:
        result = self._either()
        if not self.at_end:
            self.fail("Expected 'and', 'or' or the end.")
        return result

    def _either(self) -> Sql:
        before = len(self.narrow)
        parts = self._chain("or", self._both)
        if len(parts) > 1:
            del self.narrow[before:]  # results may come from an alternative
        return _joined("OR", parts)

    def _both(self) -> Sql:
        return _joined("AND", self._chain("and", self._inverse))

    def _chain(self, word: str, part: Callable[[], Sql]) -> list[Sql]:
        parts = [part()]
        while self.accept(word):
            parts.append(part())
        return parts

    def _inverse(self) -> Sql:
        # A deeply nested filter must not exhaust the stack.
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail("Nested too deeply.")
        try:
            if self.accept("not"):
                before = len(self.narrow)
                # Tests under a negation narrow nothing: their matches are left out.
                sql, values = self._inverse()
                del self.narrow[before:]
                # A test on a missing field is NULL, and the negation must hold for it.
                return f"NOT COALESCE({sql}, 0 = 1)", values
            if self.accept("("):
                result = self._either()
                self.expect(")")
                return result
            return self._test()
        finally:
            self._depth -= 1

    def _test(self) -> Sql:
        field = self.field("Expected a field such as created_at or tags.team.")
        if self.accept("is"):
            inverse = self.accept("not")
            self.expect("null")
            if field.group is not None:
                sql, values = field.exists()
                return sql if inverse else f"NOT {sql}", values
            sql, values = field.sql(TEXT)
            return f"{sql} IS {'NOT ' if inverse else ''}NULL", values
        inverse = self.accept("not")
        if self.accept("in"):
            return self._membership(field, inverse=inverse)
        if self.accept("like"):
            return self._like(field, inverse=inverse)
        if self.accept("between"):
            return self._between(field, inverse=inverse)
        if inverse or self.peek().text not in _OPERATORS:
            self.fail("Expected =, !=, <, <=, >, >=, like, in, between or is.")
        return self._compare(field, _OPERATORS[self.take().text])

    def _compare(self, field: Field, operator: str) -> Sql:
        value, form = self._equal(field) if operator in {"=", "<>"} else self._value(field)
        if form == NUMBER and field.group is not None and field.table.text is None:
            if math.isnan(value):
                return self._nan(field, operator)
            if operator == "<>":  # NaN differs from every number
                sql, values = field.sql(form)
                nan, names = field.is_nan()
                return f"({sql} <> ? OR {nan})", [*values, value, *names]
        # True, true and TRUE are the same flag, whichever language wrote it.
        if form == TEXT and operator in {"=", "<>"} and (same := _same_flag(value)):
            return self._among(field, same, inverse=operator == "<>")
        self._note(field, operator, value, form)
        sql, values = field.sql(form)
        return f"{sql} {operator} ?", [*values, value]

    def _nan(self, field: Field, operator: str) -> Sql:
        """Compare with NaN: equal for a metric that exists without a number."""
        sql, names = field.is_nan()
        if operator == "=":
            return sql, names
        if operator == "<>":
            there, key = field.exists()
            return f"({there} AND NOT {sql})", [*key, *names]
        return "0 = 1", []

    def _among(self, field: Field, texts: list[str], *, inverse: bool = False) -> Sql:
        sql, values = field.sql(TEXT)
        marks = ", ".join("?" * len(texts))
        return f"{sql} {'NOT ' if inverse else ''}IN ({marks})", [*values, *texts]

    def _note(self, field: Field, operator: str, value: Any, form: str) -> None:
        """Record a test that an index can answer."""
        if field.group is None or field.kind.key != "run_id" or operator == "<>":
            return
        column, table = field.column(form), field.table
        select = f'SELECT f.run_id FROM {table.table} f WHERE f."key" = ? AND'
        if form == NUMBER and (not table.statistics or field.statistic == "last"):
            self.narrow.append((f"{select} f.{column} {operator} ?", [field.name, value]))
        elif form == TEXT and operator == "=":
            # A few too many if texts are long.
            self.narrow.append((f"{select} f.start = ?", [field.name, value[:INDEXED]]))

    def _membership(self, field: Field, *, inverse: bool) -> Sql:
        self.expect("(")
        values = [self._equal(field)]
        while self.accept(","):
            values.append(self._equal(field))
        self.expect(")")
        # Each value is compared as written: numbers by size, texts as texts.
        numbers = [value for value, form in values if form == NUMBER]
        texts = [value for value, form in values if form != NUMBER]
        parts = [self._one_of(field, NUMBER, [n for n in numbers if not math.isnan(n)])]
        if field.group is not None and field.table.text is None:
            parts += [field.is_nan()] if any(map(math.isnan, numbers)) else []
        same = [other for text in texts for other in _same_flag(text) or [text]]
        parts.append(self._one_of(field, TEXT, same))
        found_parts = [part for part in parts if part is not None]
        either = _joined("OR", found_parts)
        if not inverse:
            return either
        if len(found_parts) == 1 and field.form == "any":
            return f"NOT {either[0]}", either[1]  # with numbers alone, a text value meets no test
        sql, bound = f"NOT COALESCE({either[0]}, 0 = 1)", either[1]
        if field.group is None:
            there, key = f"{field.attribute.sql} IS NOT NULL", list[Any]()
        else:
            there, key = field.exists()
        return f"({there} AND {sql})", [*key, *bound]

    def _one_of(self, field: Field, form: str, wanted: list[Any]) -> Sql | None:
        if not wanted:
            return None
        sql, bound = field.sql(form)
        return f"{sql} IN ({', '.join('?' * len(wanted))})", [*bound, *wanted]

    def _between(self, field: Field, *, inverse: bool) -> Sql:
        begin = self.peek().text
        low = self._value(field)
        self.expect("and")
        end = self.peek().text
        high = self._value(field)
        form, wanted = NUMBER, [low[0], high[0]]
        if {low[1], high[1]} != {NUMBER}:  # as texts if either bound is a text
            form, wanted = TEXT, [_written(begin, *low), _written(end, *high)]
        sql, bound = field.sql(form)
        test = f"{sql} {'NOT ' if inverse else ''}BETWEEN ? AND ?", [*bound, *wanted]
        # NaN lies in no interval.
        if inverse and field.group is not None and field.table.text is None:
            return _joined("OR", [test, field.is_nan()])
        return test

    def _like(self, field: Field, *, inverse: bool) -> Sql:
        token = self.peek()
        if token.kind != "text":
            self.fail("Expected a pattern in quotes, such as 'base%'.")
        if field.form in {NUMBER, TIME}:
            self.fail("like compares text; this field is a number or a time.")
        self.take()
        sql, values = field.sql(TEXT)
        # Lowered on both sides: LIKE ignores case in SQLite, and does not in PostgreSQL.
        test = f"LOWER({sql}) {'NOT ' if inverse else ''}LIKE ? ESCAPE '{_NO_ESCAPE}'"
        return test, [*values, _unquote(token.text).translate(_ASCII_LOWER)]

    def _equal(self, field: Field) -> tuple[Any, str]:
        """Read a value for an equality test; a value that is not exact as a number becomes text."""
        written = self.peek().text
        value, form = self._value(field)
        if field.form == "any" and form == NUMBER and not _is_exact(written, value):
            return (written.lstrip("+") if math.isfinite(value) else str(value)), TEXT
        return value, form

    def _value(self, field: Field) -> tuple[Any, str]:
        token = self.peek()
        if token.kind == "flag":
            if field.form in {NUMBER, TIME}:
                self.fail("This field is a number or a time.")
            self.take()
            return token.text, TEXT
        if token.kind not in {"text", "number"}:
            word = f" Write '{token.text}' in quotes." if token.kind == "name" else ""
            self.fail(f"Expected a number or a text in quotes.{word}")
        value = float(token.text) if token.kind == "number" else _unquote(token.text)
        form = field.form
        if form == TIME:
            value, form = self._moment(value), NUMBER
        elif form == NUMBER:
            value = self._number(value)
        elif form == "any" and token.kind == "number":
            form = NUMBER
        else:
            value, form = token.text if token.kind == "number" else value, TEXT
            self._check_choice(field, str(value))
        self.take()
        return value, form

    def _moment(self, value: str | float) -> int:
        try:
            return to_micros(_read_moment(value))
        except (ValueError, OverflowError, OSError):
            self.fail("Expected a time such as '2026-01-31' or '2026-01-31T08:00' (UTC).")

    def _number(self, value: str | float) -> float:
        try:
            return float(value)
        except ValueError:
            self.fail("Expected a number.")

    def _check_choice(self, field: Field, value: str) -> None:
        if field.group is None and (choices := field.attribute.choices) and value not in choices:
            self.fail(
                f"No {field.kind.name} is ever {value!r}. {did_you_mean(value, list(choices))}"
            )


def _joined(word: str, parts: list[Sql]) -> Sql:
    if len(parts) == 1:
        return parts[0]
    sql = f" {word} ".join(part for part, _ in parts)
    return f"({sql})", [value for _, values in parts for value in values]


def _is_exact(written: str, number: float) -> bool:
    """Return whether a number is stored exactly: NaN and infinity are not, long ids lose digits."""
    is_id = written.lstrip("+-").isdigit()
    return math.isfinite(number) and not (is_id and abs(number) > _EXACT)


def _same_flag(text: str) -> list[str]:
    """Return the spellings of true and false: in Python, in JSON and YAML, in shells."""
    return [text.lower(), text.capitalize(), text.upper()] if text.lower() in _FLAGS else []


def _read_moment(value: str | float) -> datetime:
    if isinstance(value, float):
        return datetime.fromtimestamp(value, UTC)
    if len(value) == len("2026-01-31"):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unquote(text: str) -> str:
    return text[1:-1].replace(text[0] * 2, text[0])


def _written(token: str, value: Any, form: str) -> str:
    return token if form == NUMBER else str(value)
