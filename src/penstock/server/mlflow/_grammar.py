"""The filter and order language of MLflow's search calls, and whether a record meets a filter.

Comparisons joined by AND. An object without the field meets no comparison but IS NULL.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from penstock.server.mlflow._errors import invalid

_Row = TypeVar("_Row")

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text>'(?:[^'\\]|\\.|'')*')
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<name>(?:[A-Za-z_][\w]*)(?:\.(?:`[^`]+`|"[^"]+"|[\w./\-:]+))?)
    | (?P<quoted>"[^"]*"|`[^`]+`)
    | (?P<sign><=|>=|!=|<>|==|=|<|>|\(|\)|,)
    )""",
    re.VERBOSE,
)
TEXT_SIGNS = frozenset({"=", "!=", "LIKE", "ILIKE"})
NUMBER_SIGNS = frozenset({"=", "!=", "<", "<=", ">", ">="})
ORDERS = frozenset({"<", "<=", ">", ">="})
SETS = frozenset({"IN", "NOT IN"})
NULLS = frozenset({"IS NULL", "IS NOT NULL"})
SPANS, SPAN_ATTRIBUTES = "spans", "attributes."
"""Group of the fields of a trace's spans, and what the names of their attributes begin with."""
ASSESSMENTS = frozenset({"feedback", "expectation"})
"""Groups of what was said of a trace, by its name: an order compares numbers, all else texts."""
TEXT = "text"
"""Attribute of a trace: all that its spans say."""
_SPAN_FIELDS = frozenset({"name", "type", "status", "content"})


@dataclass(frozen=True, slots=True)
class FilterTest:
    """A comparison of a filter.

    Args:
        group: ``metrics``, ``params``, ``tags``, ``datasets`` or ``attributes``.
        name: The key, or the attribute's name.
        sign: An operator, in upper case.
        value: Text, number, tuple of texts, or None.
    """

    group: str
    name: str
    sign: str
    value: Any


@dataclass(frozen=True, slots=True)
class SortTerm:
    """A field of an order."""

    group: str
    name: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a kind of object can be searched by.

    Args:
        groups: Written prefixes, each with its group; an empty prefix is a bare name.
        texts: Attributes that are texts; each with the further operators that it allows.
        numbers: Attributes that are numbers.
        signs: Further operators of a group beside those of texts.
        renamed: Other names of attributes.
    """

    groups: Mapping[str, str]
    texts: Mapping[str, frozenset[str]]
    numbers: frozenset[str]
    signs: Mapping[str, frozenset[str]]
    renamed: Mapping[str, str]

    def read(self, text: str) -> list[FilterTest]:
        """Read a filter.

        Raises:
            MlflowError: If it cannot be read.
        """
        return _Reader(text, self).read() if text and text.strip() else []

    def order(self, written: Sequence[str]) -> list[SortTerm]:
        """Read the fields of an order.

        Raises:
            MlflowError: If a field or a direction is none.
        """
        return [self._term(text) for text in written]

    def _term(self, text: str) -> SortTerm:
        tokens = _tokens(text)
        direction = tokens[1][1].upper() if len(tokens) > 1 else "ASC"
        if not tokens or len(tokens) > 2 or direction not in {"ASC", "DESC"}:  # noqa: PLR2004
            raise invalid(f"Invalid order_by clause {text[:200]!r}.")
        kind, word = tokens[0]
        if kind not in {"name", "quoted"}:
            raise invalid(f"Invalid order_by clause {text[:200]!r}.")
        group, name = self.field(word, kind)
        return SortTerm(group, name, direction == "DESC")

    def field(self, word: str, kind: str = "name") -> tuple[str, str]:
        """Return the group and name of a written field."""
        prefix, dot, rest = word.partition(".") if kind == "name" else ("", "", word)
        if not dot:
            prefix, rest = "", word
        name = rest[1:-1] if rest[:1] in {"`", '"'} else rest
        group = self.groups.get(prefix)
        if group is None or not name:
            raise invalid(f"Invalid attribute or entity type in {word[:200]!r}.")
        if group == SPANS and name not in _SPAN_FIELDS and not name.startswith(SPAN_ATTRIBUTES):
            known = ", ".join(sorted(_SPAN_FIELDS))
            raise invalid(
                f"Invalid span attribute {name[:100]!r} specified. Valid: {known}, attributes.NAME."
            )
        if group == "attributes":
            name = self.renamed.get(name, name)
            if name not in self.texts and name not in self.numbers:
                known = ", ".join(sorted({*self.texts, *self.numbers}))
                raise invalid(f"Invalid attribute key {name[:100]!r} specified. Valid: {known}.")
        return group, name

    def is_number(self, group: str, name: str) -> bool:
        """Return whether a field is compared as a number."""
        return group == "metrics" or (group == "attributes" and name in self.numbers)

    def allowed(self, group: str, name: str) -> frozenset[str]:
        """Return the operators of a field."""
        if self.is_number(group, name):
            return NUMBER_SIGNS
        if group == "attributes":
            return TEXT_SIGNS | self.texts[name]
        if group in ASSESSMENTS:
            return TEXT_SIGNS | ORDERS | NULLS
        return TEXT_SIGNS | self.signs.get(group, frozenset())


class _Reader:
    def __init__(self, text: str, grammar: Grammar) -> None:
        self._text, self._grammar = text, grammar
        self._tokens = _tokens(text)
        self._next = 0

    def read(self) -> list[FilterTest]:
        found = [self._comparison()]
        while self._next < len(self._tokens):
            if not self._accept("AND"):
                raise self._fail("only comparisons joined by AND are supported")
            found.append(self._comparison())
        return found

    def _comparison(self) -> FilterTest:
        kind, word = self._take()
        if kind not in {"name", "quoted"}:
            raise self._fail("expected a field")
        sign = self._sign()
        group, name = self._grammar.field(word, kind)
        if sign not in self._grammar.allowed(group, name):
            raise self._fail(f"{sign} does not apply to {word}")
        if sign in NULLS:
            return FilterTest(group, name, sign, None)
        if sign in SETS:
            return FilterTest(group, name, sign, self._list())
        return FilterTest(group, name, sign, self._value(group, name, sign))

    def _sign(self) -> str:
        kind, word = self._take()
        if kind == "sign" and word in {"=", "==", "!=", "<>", "<", "<=", ">", ">="}:
            return {"==": "=", "<>": "!="}.get(word, word)
        word = word.upper()
        if word == "IS":
            inverse = self._accept("NOT")
            if not self._accept("NULL"):
                raise self._fail("expected NULL after IS")
            return "IS NOT NULL" if inverse else "IS NULL"
        if word == "NOT" and self._accept("IN"):
            return "NOT IN"
        if kind == "name" and word in {"LIKE", "ILIKE", "IN"}:
            return word
        raise self._fail("expected an operator")

    def _value(self, group: str, name: str, sign: str) -> Any:
        kind, word = self._take()
        if self._grammar.is_number(group, name) or (group in ASSESSMENTS and sign in ORDERS):
            if kind != "number":
                raise self._fail(f"expected a number for {name}")
            return float(word) if group == "metrics" or not _is_whole(word) else int(word)
        if kind not in {"text", "quoted"} or word[0] == "`":
            raise self._fail(f"expected a quoted text for {name}")
        return _unquote(word)

    def _list(self) -> tuple[str, ...]:
        if self._take() != ("sign", "("):
            raise self._fail("expected a list of quoted texts")
        found = []
        while True:
            kind, word = self._take()
            if kind not in {"text", "quoted"}:
                raise self._fail("expected a quoted text in the list")
            found.append(_unquote(word))
            end = self._take()
            if end == ("sign", ")"):
                return tuple(found)
            if end != ("sign", ","):
                raise self._fail("expected ',' or ')' in the list")
            if self._accept(")"):  # Python's form of one text, which clients build: ('a',)
                return tuple(found)

    def _take(self) -> tuple[str, str]:
        if self._next >= len(self._tokens):
            raise self._fail("it ends too early")
        self._next += 1
        return self._tokens[self._next - 1]

    def _accept(self, word: str) -> bool:
        if self._next < len(self._tokens) and self._tokens[self._next][1].upper() == word:
            self._next += 1
            return True
        return False

    def _fail(self, why: str) -> Exception:
        return invalid(f"Invalid filter string {self._text[:300]!r}: {why}.")


def matches(comparison: FilterTest, read: Callable[[str, str], Any]) -> bool:
    """Return whether a record meets a comparison.

    Args:
        comparison: The comparison.
        read: Returns the value of a group's name; None if there is none, a list for several.
    """
    value = read(comparison.group, comparison.name)
    if comparison.sign == "IS NULL":
        return value is None
    if comparison.sign == "IS NOT NULL":
        return value is not None
    values = value if isinstance(value, list) else [] if value is None else [value]
    return any(_test(each, comparison.sign, comparison.value) for each in values)


def _test(value: Any, sign: str, wanted: Any) -> bool:
    match sign:
        case "=":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "IN":
            return value in wanted
        case "NOT IN":
            return value not in wanted
        case "LIKE" | "ILIKE":
            return _like(wanted, ignore_case=sign == "ILIKE").fullmatch(value) is not None
    if math.isnan(value):
        return False
    return bool(_COMPARE[sign](value, wanted))


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _like(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    parts = [{"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern]
    return re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def sort(
    rows: list[_Row], terms: Sequence[SortTerm], reader: Callable[[_Row], Callable[[str, str], Any]]
) -> None:
    """Sort rows in place by fields, the first field first; missing values stand last.

    Args:
        rows: The rows; equal ones keep their order.
        terms: The fields.
        reader: Returns for a row the function that reads a field by group and name.
    """
    for term in reversed(terms):
        rows.sort(
            key=lambda row, term=term: sort_key(  # type: ignore[misc] # bound now
                reader(row)(term.group, term.name), descending=term.descending
            )
        )


def sort_key(value: Any, *, descending: bool) -> tuple[bool, Any]:
    """Return a key that puts missing values last in either direction."""
    gone = value is None or (isinstance(value, float) and math.isnan(value))
    if gone:
        return True, 0
    return False, _Backwards(value) if descending else value


class _Backwards:
    """A value that sorts the other way around."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: "_Backwards") -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Backwards) and bool(other.value == self.value)

    def __hash__(self) -> int:
        return hash(self.value)


def _tokens(text: str) -> list[tuple[str, str]]:
    found, position = [], 0
    while position < len(text):
        if not text[position:].strip():
            break
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise invalid(f"Invalid clause {text[:300]!r} at character {position + 1}.")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        position = match.end()
    return found


def _is_whole(word: str) -> bool:
    digits = word.lstrip("+-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19  # noqa: PLR2004 - 64 bits


def _unquote(word: str) -> str:
    return word[1:-1].replace("''", "'") if word[0] == "'" else word[1:-1]


_RUN_PREFIXES = {
    "": "attributes",
    **dict.fromkeys(("attribute", "attributes", "attr", "run"), "attributes"),
    **dict.fromkeys(("metric", "metrics"), "metrics"),
    **dict.fromkeys(("param", "params", "parameter", "parameters"), "params"),
    **dict.fromkeys(("tag", "tags"), "tags"),
    **dict.fromkeys(("dataset", "datasets"), "datasets"),
}
_NAMED_PREFIXES = {
    "": "attributes",
    **dict.fromkeys(("attribute", "attributes"), "attributes"),
    **dict.fromkeys(("tag", "tags"), "tags"),
}
_PLAIN: frozenset[str] = frozenset()
RUNS = Grammar(
    _RUN_PREFIXES,
    {
        "run_id": SETS,
        **dict.fromkeys(("run_name", "user_id", "status", "artifact_uri"), _PLAIN),
    },
    frozenset({"start_time", "end_time"}),
    {"params": NULLS, "tags": NULLS, "datasets": SETS},
    {
        "created": "start_time",
        "Created": "start_time",
        "run name": "run_name",
        "Run name": "run_name",
        "Run ID": "run_id",
    },
)
EXPERIMENTS = Grammar(
    _NAMED_PREFIXES,
    {"name": _PLAIN, "experiment_id": SETS},
    frozenset({"creation_time", "last_update_time"}),
    {"tags": NULLS},
    {},
)
MODELS = Grammar(
    _NAMED_PREFIXES,
    {"name": SETS},
    frozenset({"creation_timestamp", "last_updated_timestamp"}),
    {"tags": NULLS},
    {"creation_time": "creation_timestamp", "timestamp": "last_updated_timestamp",
     "last_updated_time": "last_updated_timestamp"},
)  # fmt: skip
VERSIONS = Grammar(
    _NAMED_PREFIXES,
    {"name": SETS, "run_id": SETS, "source_path": _PLAIN},
    frozenset({"version_number", "creation_timestamp", "last_updated_timestamp"}),
    {"tags": NULLS},
    {"creation_time": "creation_timestamp", "source": "source_path", "version": "version_number"},
)
EVALUATION_SETS = Grammar(
    _NAMED_PREFIXES,
    {"name": SETS, "created_by": _PLAIN, "last_updated_by": _PLAIN, "dataset_id": SETS},
    frozenset({"created_time", "last_update_time"}),
    {},
    {},
)
TRACES = Grammar(
    {"": "attributes", "attributes": "attributes", "attribute": "attributes", "attr": "attributes",
     "trace": "attributes", "tags": "tags", "tag": "tags", "metadata": "metadata",
     "request_metadata": "metadata", "span": SPANS,
     **dict(zip(ASSESSMENTS, ASSESSMENTS, strict=True))},
    {**dict.fromkeys(("trace_id", "status", "name", "run_id", "client_request_id"), SETS),
     "prompt": frozenset(), TEXT: frozenset()},
    frozenset({"timestamp_ms", "execution_time_ms"}),
    {"tags": NULLS | SETS, "metadata": NULLS | SETS, SPANS: SETS},
    {"request_id": "trace_id", "state": "status", "timestamp": "timestamp_ms",
     "request_time": "timestamp_ms", "execution_time": "execution_time_ms",
     "execution_duration": "execution_time_ms"},
)  # fmt: skip
LOGGED = Grammar(
    {"": "attributes", "attributes": "attributes", "params": "params", "tags": "tags",
     "metrics": "metrics"},
    {
        **dict.fromkeys(("name", "model_id", "model_type", "status", "source_run_id"), SETS),
        "experiment_id": SETS,
        "artifact_uri": SETS,
    },
    frozenset({"creation_timestamp", "last_updated_timestamp"}),
    {"params": SETS | NULLS, "tags": SETS | NULLS},
    {"creation_timestamp_ms": "creation_timestamp", "creation_time": "creation_timestamp",
     "last_updated_timestamp_ms": "last_updated_timestamp"},
)  # fmt: skip
