"""Check of whole frames by the rule of requests: a row is taken or refused as a request with that row.

Numbers and dates of the training type are compared as columns; all further values go through the
ColumnChecker of requests, each distinct value once.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.models._column_checker import ColumnChecker, Warnings
from penstock.models._problems import MAX_FOUND, Problem, raise_if_any
from penstock.tables import parse_dtype

if TYPE_CHECKING:
    import polars as pl

_AT_ONCE = 64  # values per call of a checker: fewer than the problems after which it stops
_EXACT = 2**53  # larger integers are no floats
_MARGIN_S = 1.0  # times this close to a limit are compared by the checker of requests


@dataclass(frozen=True, slots=True)
class CheckedFrame:
    """The rows of a frame that a request may have, and the reasons for the refused rows.

    Args:
        frame: Accepted rows, with the training types.
        accepted: Place of each accepted row in the frame that was checked.
        warnings: Warnings by place, only of rows that have some.
        refused: Reason by place: the text with which a request with that row is refused.
    """

    frame: "pl.DataFrame"
    accepted: "pl.Series"
    warnings: dict[int, tuple[str, ...]]
    refused: dict[int, str]


@dataclass(slots=True)
class _Findings:
    """Problems and warnings by row, in the order of the columns."""

    problems: dict[int, list[Problem]] = field(default_factory=dict)
    warnings: dict[int, list[str]] = field(default_factory=dict)


def check_frame(
    checkers: Sequence[ColumnChecker], frame: "pl.DataFrame", encoded: Collection[str] = ()
) -> CheckedFrame:
    """Check the rows of a frame; see Signature.check_frame."""
    import polars as pl

    findings = _Findings()
    columns = [
        _check_column(each, frame, findings, json.loads if each.column.name in encoded else None)
        for each in checkers
    ]
    refused = {row: _reason(problems) for row, problems in sorted(findings.problems.items())}
    table = pl.DataFrame(columns)
    places = pl.int_range(frame.height, eager=True)
    if refused:
        keep = ~places.is_in(list(refused))
        table, places = table.filter(keep), places.filter(keep)
    warnings = {
        row: tuple(texts) for row, texts in sorted(findings.warnings.items()) if row not in refused
    }
    return CheckedFrame(table, places, warnings, refused)


def _check_column(
    checker: ColumnChecker,
    frame: "pl.DataFrame",
    findings: _Findings,
    decode: Callable[[str], Any] | None,
) -> "pl.Series":
    import polars as pl

    name, dtype = checker.column.name, parse_dtype(checker.column.dtype)
    # An absent column is a field that a request leaves out.
    absent = name not in frame.columns
    series = pl.Series(name, [None] * frame.height) if absent else frame[name]
    if series.dtype.is_float():
        series = series.fill_nan(None)  # a table's word for a missing number, as NaN in a CSV
    quick = _quick(checker, series, dtype)
    if quick is None:
        return _by_value(checker, series, dtype, findings, None, decode)
    values, fine = quick
    if fine.all():
        return values.rename(name)
    places = (~fine).arg_true()
    rest = _by_value(checker, series.gather(places), dtype, findings, places.to_list())
    return pl.select(pl.when(fine).then(values)).to_series().scatter(places, rest).rename(name)


def _quick(
    checker: ColumnChecker, series: "pl.Series", dtype: "pl.DataType"
) -> "tuple[pl.Series, pl.Series] | None":
    """Return the column in the training type, and the values that a request has without remark."""
    import polars as pl

    came = series.dtype
    if checker.family == "number" and came.is_numeric() and dtype.is_float():
        if came.is_decimal() or came == pl.Int128:
            return None
        fine = series.is_between(checker.low, checker.high)
        if came.is_integer():
            fine &= series.is_between(-_EXACT, _EXACT)
        elif checker.high == float("inf") or checker.low == float("-inf"):
            fine &= series.is_finite()
        values = series.cast(dtype, strict=False)
    elif checker.family == "integer" and came.is_integer() and came != pl.Int128:
        fine, values = (
            series.is_between(checker.low, checker.high),
            series.cast(dtype, strict=False),
        )
        if abs(checker.low) > _EXACT or abs(checker.high) > _EXACT:
            fine &= series.is_between(-_EXACT, _EXACT)
    elif checker.family == "boolean" and came == pl.Boolean:
        fine, values = series.is_not_null(), series
    elif checker.is_time and came == dtype and getattr(came, "time_unit", "us") == "us":
        seconds = series.cast(pl.Datetime("us")).dt.epoch("s")
        fine = seconds.is_between(checker.low + _MARGIN_S, checker.high - _MARGIN_S)
        values = series
    else:
        return None
    return values, fine.fill_null(value=not checker.is_required)


def _by_value(
    checker: ColumnChecker,
    series: "pl.Series",
    dtype: "pl.DataType",
    findings: _Findings,
    places: list[int] | None,
    decode: Callable[[str], Any] | None = None,
) -> "pl.Series":
    """Check values as those of a request, each distinct value once."""
    import polars as pl

    name = checker.column.name
    if isinstance(series.dtype, (pl.Categorical, pl.Enum)):
        series = series.cast(pl.String)
    # Equal floats may differ in their sign of zero; objects have no order.
    groups = series.dtype == pl.String or series.dtype.is_temporal() or series.dtype.is_integer()
    distinct = series.unique(maintain_order=True) if groups else series
    came = distinct.to_list()
    if decode is not None:
        came = [None if each is None else decode(each) for each in came]
    values, problems, warnings = _check_values(checker, came)
    read = pl.Series(name, values, dtype)
    if not groups:
        _note(findings, range(len(values)), places, problems, warnings)
        return read
    codes = series.to_frame("value").join(
        pl.DataFrame({"value": distinct, "code": range(len(distinct))}),
        on="value",
        how="left",
        nulls_equal=True,
        maintain_order="left",
    )["code"]
    if problems or warnings:
        _note(findings, codes.to_list(), places, problems, warnings)
    return read.gather(codes)


def _check_values(
    checker: ColumnChecker, values: list[Any]
) -> tuple[list[Any], dict[int, list[Problem]], Warnings]:
    read: list[Any] = [None] * len(values)
    problems: dict[int, list[Problem]] = {}
    warnings: Warnings = {}
    # Missing values apart: a column that was empty in training warns of calls that have others.
    missing = [place for place, value in enumerate(values) if value is None]
    others = [place for place, value in enumerate(values) if value is not None]
    for group in (
        missing[:1],
        *(others[i : i + _AT_ONCE] for i in range(0, len(others), _AT_ONCE)),
    ):
        if not group:
            continue
        came: list[Problem] = []
        texts: Warnings = {}
        checked = checker.check([values[place] for place in group], came, texts)
        for number, place in enumerate(group):
            read[place] = checked[number]
            if number in texts:
                warnings[place] = texts[number]
        for problem in came:
            problems.setdefault(group[problem.row], []).append(problem)
    for place in missing[1:]:
        if missing[0] in problems:
            problems[place] = problems[missing[0]]
        if missing[0] in warnings:
            warnings[place] = warnings[missing[0]]
    return read, problems, warnings


def _note(
    findings: _Findings,
    codes: Sequence[int],
    places: list[int] | None,
    problems: dict[int, list[Problem]],
    warnings: Warnings,
) -> None:
    for number, code in enumerate(codes):
        row = number if places is None else places[number]
        if code in problems and len(findings.problems.get(row, ())) < MAX_FOUND:
            findings.problems.setdefault(row, []).extend(problems[code])
        if code in warnings:
            findings.warnings.setdefault(row, []).extend(warnings[code])


def _reason(problems: list[Problem]) -> str:
    one_row = [Problem(0, each.field, each.message, each.fix) for each in problems]
    try:
        raise_if_any(one_row, 1)
    except DataError as error:
        return error.what
    return ""
