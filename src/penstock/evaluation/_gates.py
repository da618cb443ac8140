"""``judge``: rules over a report, each with result and reason; the grammar is in _gate_grammar."""

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import (
    GateResult,
    GateState,
    NotFoundError,
    ParameterError,
    ProofRecord,
    did_you_mean,
)
from penstock.evaluation._gate_grammar import parse_gate
from penstock.evaluation._gate_terms import (
    Across,
    Arithmetic,
    Compared,
    End,
    Figure,
    Gate,
    Negative,
    Number,
    Proved,
    Term,
)
from penstock.evaluation._metrics import NEED_POSITIVE, format_figure, get_metric
from penstock.evaluation._slices import SMALL_ROWS, SliceResult, spread
from penstock.tables import why_unknown

if TYPE_CHECKING:
    from penstock.evaluation._comparison import Comparison
    from penstock.evaluation._report import EvaluationReport

_RELATIONS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_NO_CHAMPION = "no champion yet"


@dataclass(frozen=True, slots=True)
class _Valued:
    value: float
    text: str
    compound: bool = False

    @property
    def total(self) -> str:
        return f"{self.text} = {format_figure(self.value)}" if self.compound else self.text


class _Undefined(Exception):  # noqa: N818 - not an error: the way out of a term without a value
    """Raised for a term without a value; the message has the reason."""


def judge(
    gates: Iterable[str | Gate],
    report: "EvaluationReport",
    *,
    comparison: "Comparison | None" = None,
    proofs: Mapping[str, ProofRecord] | None = None,
) -> tuple[GateResult, ...]:
    """Judge each gate as passed, failed or pending, and give a reason with the figures.

    Args:
        gates: Gates as text or parsed.
        report: The challenger's report.
        comparison: Challenger against champion on the same rows; None if there is no champion: then
            gates that compare with the champion pass.
        proofs: The newest proof of the model's run by kind. A gate whose proof is missing is pending.

    Raises:
        ParameterError: If a gate cannot be parsed, or names a metric of a different task.
        NotFoundError: If a gate names a column for which the report has no slices.
    """
    known = proofs or {}
    judged = []
    for each in gates:
        gate = parse_gate(each, metrics=report.user_metric_names) if isinstance(each, str) else each
        rule = gate.rule
        if isinstance(rule, Proved):
            state, reason = rule.proof.judge(report, known.get(rule.proof.kind))
        else:
            state, reason = _judge_compared(rule, report, comparison)
        judged.append(GateResult(gate.text, state, reason))
    return tuple(judged)


def _state(passed: object) -> GateState:
    return GateState.PASSED if passed else GateState.FAILED


# Comparisons


def _judge_compared(
    rule: Compared, report: "EvaluationReport", comparison: "Comparison | None"
) -> tuple[GateState, str]:
    terms = (*rule.left.walk(), *rule.right.walk())
    _require_names(terms, report)
    if comparison is None and any(term.needs_champion for term in terms):
        return GateState.PASSED, _NO_CHAMPION + _name_positive(report, terms)
    scope = _Scope(report, comparison, beside=any(term.needs_champion for term in terms))
    try:
        left, right = scope.value(rule.left), scope.value(rule.right)
    except _Undefined as undefined:
        return GateState.FAILED, f"not known: {undefined}{_name_positive(report, terms)}"
    if math.isnan(left.value) or math.isnan(right.value):
        # Also for !=, which is true of not-a-number.
        return GateState.FAILED, f"not known: {left.total} {rule.relation} {right.total}"
    passed = _RELATIONS[rule.relation](left.value, right.value)
    said = rule.relation if passed else f"is not {rule.relation}"
    reason = f"{left.total} {said} {right.total}"
    if format_figure(left.value) == format_figure(right.value):
        reason += f" (exactly {left.value:.6g} and {right.value:.6g})"
    return _state(passed), reason + scope.paired(terms) + _name_positive(report, terms)


def _require_names(terms: Sequence[Term], report: "EvaluationReport") -> None:
    for term in terms:
        if term.named_metric is not None and term.named_metric not in report.user_metric_names:
            get_metric(term.named_metric, report.task)
        if report.task == "binary" and report.positive is None and _needs_positive(term):
            raise ParameterError(
                what=f"Gate term {term} needs a positive class, and {why_unknown(report.classes)}.",
                why="The figure of the other class is another one, and a gate would pass on it.",
                fix=f"Write ps.steps.evaluate(model, split, positive={report.classes[1]!r}), or the "
                "same in split; or take a metric that needs none (roc_auc, accuracy, mcc).",
                classes=list(report.classes),
            )
        if isinstance(term, Across) and term.column not in report.slices:
            raise NotFoundError(
                what=f"Gate term {term} needs slices by {term.column!r}, which the report has not.",
                why="A gap is taken between the values of a column on the test rows.",
                fix=f"Evaluate with slices=[{term.column!r}]. "
                + did_you_mean(term.column, report.slices),
                column=term.column,
            )


def _needs_positive(term: Term) -> bool:
    if isinstance(term, Across) and term.kind not in {"gap", "ratio"}:
        return term.kind.endswith("ratio")
    return term.named_metric in NEED_POSITIVE


def _name_positive(report: "EvaluationReport", terms: Sequence[Term]) -> str:
    """Return a sentence with the positive class of the figures, if there are two classes."""
    figures = any(term.named_metric or isinstance(term, Across) for term in terms)
    if report.task != "binary" or report.positive is None or not figures:
        return ""
    return f"; positive class {report.positive!r}"


@dataclass(frozen=True, slots=True)
class _Scope:
    """The source of the values of terms."""

    report: "EvaluationReport"
    comparison: "Comparison | None"
    beside: bool = False  # True if the gate compares a figure with the champion's

    def value(self, term: Term) -> _Valued:
        match term:
            case Number(text=text, value=value):
                return _Valued(value, text)
            case Negative(operand=operand):
                inner = self.value(operand)
                compound = not isinstance(operand, Number)
                return _Valued(-inner.value, f"-{_grouped(inner)}", compound)
            case Arithmetic(sign=sign, left=left, right=right):
                first, second = self.value(left), self.value(right)
                left_text = _grouped(first) if sign == "*" else first.text
                value = _ARITHMETIC[sign](first.value, second.value)
                return _Valued(value, f"{left_text} {sign} {_grouped(second)}", compound=True)
            case Figure():
                return self._figure(term)
            case End():
                return self._end(term)
            case Across(kind="gap" | "ratio"):
                return self._across(term)
            case Across():
                return self._parity(term)
        raise AssertionError(term)

    def _figure(self, term: Figure) -> _Valued:
        if term.owner == "champion":
            value = self._difference(term.metric).champion
        elif term.owner == "baseline":
            if term.metric not in self.report.baseline:
                raise _Undefined(f"the baseline has no {term.metric}")
            value = self.report.baseline[term.metric]
        elif self.beside and self.comparison is not None and self.comparison.left_out:
            # The champion's figure is compared with the challenger's figure on the same rows.
            value = self._difference(term.metric).challenger
        else:
            self._require(term.metric)
            estimate = self.report.metrics[term.metric]
            return _Valued(estimate.value, f"{term} {estimate}")
        return _Valued(value, f"{term} {format_figure(value)}")

    def _end(self, term: End) -> _Valued:
        if term.paired:
            figure = self._difference(term.metric)
        else:
            self._require(term.metric)
            figure = self.report.metrics[term.metric]
        if figure.needs:
            raise _Undefined(f"{term} has too few rows: {figure.needs}")
        value = figure.low if term.kind == "lower" else figure.high
        return _Valued(value, f"{term} {format_figure(value)}")

    def _across(self, term: Across) -> _Valued:
        assert term.metric is not None
        results = self.report.slices[term.column]
        apart = spread(term.metric, results)
        if apart is None:
            raise _Undefined(f"{term} has fewer than two values to compare ({_census(results)})")
        if term.kind == "gap":
            return _Valued(apart.gap, f"{term} {format_figure(apart.gap)} ({apart})")
        if apart.ratio is None:
            raise _Undefined(f"{term} means nothing for figures that are negative or all 0")
        return _Valued(apart.ratio, f"{term} {format_figure(apart.ratio)} ({apart})")

    def _parity(self, term: Across) -> _Valued:
        value = self.report.fairness.get(term.column, {}).get(term.kind)
        if value is None and term.column not in self.report.fairness:
            raise _Undefined(f"{term.column!r} is not among the sensitive columns of the report")
        if value is None:
            results = self.report.slices[term.column]
            raise _Undefined(f"the report has no {term} ({_census(results)})")
        return _Valued(value, f"{term} {format_figure(value)}")

    def _require(self, metric: str) -> None:
        if metric not in self.report.metrics:
            reason = self.report.absent.get(metric, "it was not measured")
            raise _Undefined(f"the report has no {metric}: {reason}")

    def _difference(self, metric: str) -> Any:
        assert self.comparison is not None
        if metric not in self.comparison:
            reason = self.comparison.absent.get(metric, "it was not compared")
            raise _Undefined(f"champion and challenger have no common {metric}: {reason}")
        return self.comparison[metric]

    def paired(self, terms: Sequence[Term]) -> str:
        """Return the paired difference as text, where a gate names a metric of both models."""
        names = {term.named_metric for term in terms if term.needs_champion}
        if self.comparison is None or not names:
            return ""
        note = f"; {self.comparison.note}" if self.comparison.note else ""
        if len(names) != 1:
            return note
        figure = self._difference(str(names.pop()))
        return f"; difference {figure.text} on the same {self.comparison.rows:,} rows{note}"


def _grouped(valued: _Valued) -> str:
    return f"({valued.text})" if valued.compound else valued.text


def _census(results: Sequence[SliceResult]) -> str:
    large = sum(not result.small for result in results)
    return f"{large} of {len(results)} values have {SMALL_ROWS} rows or more"
