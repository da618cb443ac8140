"""RowChecker: rows of JSON to a frame with the exact training types; errors name the field.

Works by column, so that ten thousand rows cost little more per row than a single row does in a
loop; the common case of a column (every value has the plain type and is in range) is a few passes
in C.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.core import DataError, did_you_mean
from penstock.models._dtypes import family, integer_limits, number_limits, parse_dtype
from penstock.models._fields import Field
from penstock.models._schema_forms import show_limit
from penstock.models._texts import read_texts
from penstock.models._values import (
    EXPECTED,
    MAX_TEXT,
    READERS,
    Refusal,
    is_aware,
    is_missing_mark,
    plain_number,
)

if TYPE_CHECKING:
    import polars as pl

MAX_ROWS = 100_000  # per request; larger data belongs in a batch run
_MAX_TOLD = 5  # problems named in a message
_MAX_FOUND = 100  # the search for further problems ends here
_MAX_NAME = 60
_SECONDS = 1e8  # smaller numbers are days such as 20160630
_YEAR_S = 366 * 86_400.0
_FEW_ROWS = 32  # with fewer rows polars is faster from rows than from columns

_PLAIN: dict[str, frozenset[type]] = {
    "number": frozenset({float, int}),
    "integer": frozenset({int}),
    "boolean": frozenset({bool}),
    "text": frozenset({str}),
}

Warnings = dict[int, list[str]]
ExtraFields: TypeAlias = Literal["refuse", "ignore"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that cannot be used."""

    row: int
    field: str
    message: str
    fix: str


@dataclass(frozen=True, slots=True)
class Column:
    """The settings for checking a field, computed once."""

    field: Field
    family: str
    required: bool
    accepts_missing: bool
    plain: frozenset[type]
    low: float
    high: float
    levels: frozenset[str] | None
    read: Callable[[Any, Field], Any]

    @property
    def is_time(self) -> bool:
        """Whether the column has dates or times."""
        return self.family in {"date", "datetime"}


class RowChecker:
    """A converter of rows to a frame and warnings; raises an error if rows cannot be used.

    Args:
        fields: The model's inputs, in the order of the frame.
        accepts_missing: True if the model predicts rows with a missing value in a column that had
            none in training; then such a value is a warning, otherwise an error.
        ignored: Known fields that the model does not use; they raise a warning.
        extra_fields: Treatment of unknown fields.
    """

    def __init__(
        self,
        fields: Sequence[Field],
        *,
        accepts_missing: bool,
        ignored: frozenset[str] = frozenset(),
        extra_fields: ExtraFields = "refuse",
    ) -> None:
        self._ignored, self._extra_fields = ignored, extra_fields
        self._columns = [_column(field, accepts_missing=accepts_missing) for field in fields]
        self._names = [field.name for field in fields]
        self._known = frozenset(self._names)
        self._required = frozenset(c.field.name for c in self._columns if c.required)

    def check(
        self, rows: Sequence[Mapping[str, Any]]
    ) -> "tuple[pl.DataFrame, list[tuple[str, ...]]]":
        """Check rows; see Signature.check_rows."""
        _require_rows(rows)
        warnings: Warnings = {}
        problems = self._check_names(rows, warnings)
        _raise_if_any(problems, len(rows))
        columns: list[list[Any]] = []
        for column in self._columns:
            name = column.field.name
            values = [row.get(name) for row in rows]
            columns.append(_check_column(column, values, problems, warnings))
            if len(problems) >= _MAX_FOUND:
                break
        _raise_if_any(problems, len(rows))
        told = [tuple(warnings[i]) if i in warnings else () for i in range(len(rows))]
        return self._build(columns, len(rows)), told

    def _check_names(self, rows: Sequence[Mapping[str, Any]], warnings: Warnings) -> list[Problem]:
        problems: list[Problem] = []
        for index, row in enumerate(rows):
            keys = row.keys()
            # The common case costs a single comparison per row.
            if keys == self._known:
                continue
            unknown = sorted(keys - self._known, key=str)
            if unknown:
                unused = [name for name in unknown if self._is_unused(name)]
                if unused:
                    warnings.setdefault(index, []).append(_unused(unused))
                unknown = [name for name in unknown if not self._is_unused(name)]
            absent = [name for name in self._names if name in self._required - keys]
            problems += [self._unknown(index, name) for name in unknown]
            problems += [_absent(index, name) for name in absent]
            if len(problems) >= _MAX_FOUND:
                break
        return problems

    def _is_unused(self, name: object) -> bool:
        return name in self._ignored or self._extra_fields == "ignore"

    def _unknown(self, row: int, name: object) -> Problem:
        text = str(name)
        hint = did_you_mean(text, self._known)
        return Problem(row, text, f"{_show(text)} is not an input of this model", hint)

    @cached_property
    def _schema(self) -> "pl.Schema":
        import polars as pl

        return pl.Schema(
            {column.field.name: parse_dtype(column.field.dtype) for column in self._columns}
        )

    def _build(self, columns: list[list[Any]], rows: int) -> "pl.DataFrame":
        import polars as pl

        if rows <= _FEW_ROWS:
            whole = [
                dict(zip(self._names, values, strict=True)) for values in zip(*columns, strict=True)
            ]
            return pl.from_dicts(whole, schema=self._schema)
        return pl.DataFrame(
            [
                pl.Series(name, values, dtype)
                for (name, dtype), values in zip(self._schema.items(), columns, strict=True)
            ]
        )


def _unused(names: Sequence[object]) -> str:
    shown = ", ".join(str(name)[:_MAX_NAME] for name in names[:_MAX_TOLD])
    more = f" and {len(names) - _MAX_TOLD} more" if len(names) > _MAX_TOLD else ""
    return f"{shown}{more}: not used by this model."


def _column(field: Field, *, accepts_missing: bool) -> Column:
    kind = family(field.dtype)
    low, high = _range(field, kind)
    # Enum columns cannot hold a new category at all; in any other column a new category is a
    # warning.
    watched = field.levels is not None and (field.kind == "category" or kind == "enum")
    return Column(
        field=field,
        family=kind,
        required=not field.nullable and kind != "nothing",
        accepts_missing=accepts_missing,
        plain=_PLAIN.get(kind, frozenset()),
        low=low,
        high=high,
        levels=frozenset(field.levels or ()) if watched else None,
        read=READERS[kind],
    )


def _range(field: Field, kind: str) -> tuple[float, float]:
    low, high = integer_limits(field.dtype) if kind == "integer" else number_limits(field.dtype)
    minimum, maximum = field.minimum, field.maximum
    if kind in {"date", "datetime"} and minimum is not None and maximum is not None:
        # Requests are newer than training rows by nature: only distant times are worth a warning.
        margin = max(maximum - minimum, _YEAR_S)
        return minimum - margin, maximum + margin
    if field.kind == "id" or kind not in {"number", "integer"}:  # new ids are always out of range
        return low, high
    return (low if minimum is None else minimum), (high if maximum is None else maximum)


def _check_column(
    column: Column, values: list[Any], problems: list[Problem], warnings: Warnings
) -> list[Any]:
    types = set(map(type, values))
    if column.field.reading is not None and (str in types or column.is_time):
        values = read_texts(values, column.field, column.levels)
        types = set(map(type, values))
    if NoneType in types:
        types.discard(NoneType)
        if column.required:
            _check_missing(column, values, problems, warnings)
    if not types <= column.plain or not _is_fine(column, values):
        # Kept for the warnings about the form sent, which reading loses.
        sent = values
        values = _read_column(column, values, problems)
        _warn_column(column, values, warnings)
        if column.is_time:
            _warn_times(column, sent, values, warnings)
    if column.family == "nothing" and types:
        _warn_unused(column, values, warnings)
        return [None] * len(values)
    return values


def _is_fine(column: Column, values: list[Any]) -> bool:
    """Check whether plain values can be used unread: in range, known, of usual length."""
    match column.family:
        case "number":
            low, high = column.low, column.high
            return all(v is None or low <= v <= high for v in values)
        case "integer":
            low, high = column.low, column.high
            return all(v is None or low <= v <= high for v in values)
        case "text":
            if column.levels is not None:
                return column.levels.issuperset(v for v in values if v is not None)
            return all(v is None or (v.isascii() and len(v) <= MAX_TEXT) for v in values)
        case _:
            return True


def _read_column(column: Column, values: list[Any], problems: list[Problem]) -> list[Any]:
    field, read = column.field, column.read
    found: list[Any] = []
    for index, value in enumerate(values):
        if value is None:
            found.append(None)
            continue
        try:
            found.append(read(plain_number(value), field))
        except Refusal as refusal:
            found.append(None)
            message = f"is {_show(value)}, not {EXPECTED[column.family]}"
            problems.append(Problem(index, field.name, message, _remedy(value, field, refusal)))
            if len(problems) >= _MAX_FOUND:
                break
    return found


def _remedy(value: Any, field: Field, refusal: Refusal) -> str:
    rule = field.reading
    if isinstance(value, str) and rule is not None and rule.type != "text" and not rule.is_time:
        return f"The source's texts are {rule.words}; send one like them, or null if it is missing."
    return str(refusal)


def _warn_column(column: Column, values: list[Any], warnings: Warnings) -> None:
    name = column.field.name
    if column.family in {"number", "integer"}:
        for index, value in enumerate(values):
            if value is not None and not column.low <= value <= column.high:
                span = f"{_number(column.low)} to {_number(column.high)}"
                text = f"{name}: {_number(value)} is outside the training range {span}."
                warnings.setdefault(index, []).append(text)
    elif column.levels is not None:
        for index, value in enumerate(values):
            if value is not None and value not in column.levels:
                warnings.setdefault(index, []).append(_new_level(name, value))
                if column.family == "enum":
                    values[index] = None


def _warn_times(
    column: Column, sent: Sequence[Any], values: Sequence[Any], warnings: Warnings
) -> None:
    """Warn of times far from the training range, and of assumed time zones."""
    field, aware = column.field, is_aware(column.field)
    for index, (came, value) in enumerate(zip(sent, values, strict=False)):
        if value is None:
            continue
        told = []
        if column.family == "datetime":
            number = type(came) in {int, float} and came > _SECONDS
            if number and not aware:
                told.append("seconds since 1970 are read in UTC; training times have no offset.")
            if aware and not number and _is_naive(came):
                told.append("has no offset; it is read in UTC.")
        if not column.low <= _seconds(value) <= column.high:
            assert field.minimum is not None
            assert field.maximum is not None
            low, high = show_limit(field, field.minimum), show_limit(field, field.maximum)
            told.append(f"{value.isoformat()} is far outside the training range {low} to {high}.")
        if told:
            warnings.setdefault(index, []).extend(f"{field.name}: {text}" for text in told)


def _is_naive(value: Any) -> bool:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return False
    return isinstance(value, date) and getattr(value, "tzinfo", None) is None


def _seconds(value: date) -> float:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return float((value - date(1970, 1, 1)).days * 86_400)


def _new_level(name: str, value: str) -> str:
    hint = " If it marks a missing value, send null." if is_missing_mark(value) else ""
    return f"{name}: {_show(value)} was not seen in training.{hint}"


def _warn_unused(column: Column, values: list[Any], warnings: Warnings) -> None:
    text = f"{column.field.name}: was empty in training, so its value is not used."
    for index in range(len(values)):
        warnings.setdefault(index, []).append(text)


def _check_missing(
    column: Column, values: list[Any], problems: list[Problem], warnings: Warnings
) -> None:
    name = column.field.name
    for index, value in enumerate(values):
        if value is not None:
            continue
        if column.accepts_missing:
            text = f"{name}: is missing, though it never was in training."
            warnings.setdefault(index, []).append(text)
        else:
            fix = f"Send {EXPECTED[column.family]}; it was never missing in training."
            problems.append(Problem(index, name, "is null", fix))


def _absent(row: int, name: str) -> Problem:
    return Problem(row, name, "is missing", "Add the field; training rows always had it.")


def _require_rows(rows: Any) -> None:
    if not isinstance(rows, list | tuple):
        raise DataError(
            what=f"Rows are {_article(rows)}.",
            fix='Send a list of rows, each an object: [{"column": value, …}].',
        )
    if not 0 < len(rows) <= MAX_ROWS:
        raise DataError(
            what="There is no row." if not rows else f"There are {len(rows):,} rows.",
            # The maximum is part of the reason because a server may have a lower maximum.
            why=f"One call takes up to {MAX_ROWS:,} rows." if rows else "",
            fix="Send at least one row." if not rows else "Send them in parts.",
        )
    for index, row in enumerate(rows):
        if not isinstance(row, dict | Mapping):  # dict first: the abstract check is slow
            raise DataError(
                what=f"Row {index} is {_article(row)}.",
                fix='A row is an object of values by column name: {"column": value, …}.',
                row=index,
            )


def _raise_if_any(problems: list[Problem], rows: int) -> None:
    if not problems:
        return
    problems.sort(key=lambda problem: problem.row)
    told = problems[:_MAX_TOLD]
    sentences = [_sentence(problem, rows) for problem in told]
    more = len(problems) - len(told)
    if more:
        sentences.append(f"And {more}{' or' if len(problems) >= _MAX_FOUND else ''} more.")
    raise DataError(
        what=" ".join(sentences),
        field=told[0].field,
        row=told[0].row,
        problems=[
            {"row": p.row, "field": p.field, "message": p.message, "fix": p.fix} for p in told
        ],
    )


def _sentence(problem: Problem, rows: int) -> str:
    where = f"Row {problem.row}, field" if rows > 1 else "Field"
    if problem.message.endswith("input of this model"):
        return f"{where} {problem.message}. {problem.fix}".rstrip()
    return f"{where} {_show(problem.field)} {problem.message}. {problem.fix}"


def _show(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - the repr of an unknown type may raise anything; the error message must not
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "…"  # noqa: PLR2004 - fits a line


def _number(value: float) -> str:
    # Whole numbers are shown without a fraction as far as a float is exact; all values here are
    # finite.
    return str(int(value)) if abs(value) < 1e15 and value == int(value) else f"{value:.6g}"  # noqa: PLR2004


def _article(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", NoneType: "null", bool: "true/false"}
    return names.get(type(value), f"of type {type(value).__name__}")
