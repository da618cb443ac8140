"""The gate language: text to a tree of terms; apart because the grammar knows names, not reports.

roc_auc >= 0.70                          a metric against a number
roc_auc >= champion.roc_auc - 0.005      against the production model on the same rows
accuracy > baseline.accuracy + 0.05      against a constant model: the majority class, or the mean
lower(roc_auc) >= 0.68                   an end of the 95 % interval (lower, upper)
lower(f1 - champion.f1) > -0.01          an end of the paired difference's interval
gap(recall, company) <= 0.15             highest minus lowest over the column's values
ratio(recall, company) >= 0.8            lowest divided by highest
equalized_odds_difference(sex) <= 0.1    also the remaining three parity figures
leakage == none                          the split's checks found nothing
verified                                 the run was executed again with the same result
"""

import ast
import re
import warnings
from collections.abc import Iterable
from math import isfinite

from penstock.core import ParameterError, did_you_mean
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
    is_word,
)
from penstock.evaluation._metrics import METRICS
from penstock.evaluation._proofs import PROOFS

_NEVER_ANSWERED = "leakage proved"
PARITIES = (
    "demographic_parity_difference",
    "demographic_parity_ratio",
    "equalized_odds_difference",
    "equalized_odds_ratio",
)
_OWNERS = ("champion", "baseline")
_SPREADS = ("gap", "ratio")
_ENDS = ("lower", "upper")
_RELATIONS: dict[type[ast.cmpop], str] = {
    ast.GtE: ">=",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.Lt: "<",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_SIGNS: dict[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*"}
_LONGEST = 500
# A column is written verbatim: gap(recall, native-country). Quotes are needed only for , ( ) '.
_COLUMN = re.compile(
    rf"\b((?:gap|ratio)\(\s*\w+\s*,|(?:{'|'.join(PARITIES)})\()\s*([^\s'\"(),\\][^'\"(),\\]*?)\s*\)"
)
_EXAMPLE = "Write for example 'roc_auc >= 0.70' or 'gap(recall, company) <= 0.15'."


def parse_gate(text: str, *, metrics: Iterable[str] | None = ()) -> Gate:
    """Parse a gate.

    >>> gate = parse_gate("roc_auc >= champion.roc_auc - 0.005")
    >>> gate.needs_champion, str(gate)
    (True, 'roc_auc >= champion.roc_auc - 0.005')
    >>> str(parse_gate("gap(recall, native-country) <= 0.15"))
    "gap(recall, 'native-country') <= 0.15"

    Args:
        text: A rule in the language of this module.
        metrics: Names of further metrics: the user's own; None if any name may be a metric.

    Raises:
        ParameterError: If the text cannot be parsed or names no metric; a caret shows where.
    """
    plain = " ".join(text.split())
    if plain == _NEVER_ANSWERED:
        raise ParameterError(
            what=f"The gate {text.strip()!r} cannot be answered: nothing proves it.",
            why="A version with it would stay pending for ever.",
            fix="Write 'leakage == none', which the checks of the split answer; or leave it out.",
            gate=text.strip(),
        )
    if plain in PROOFS:
        return Gate(text.strip(), Proved(PROOFS[plain]))
    return Gate(text.strip(), _Reader(_COLUMN.sub(_quote_column, plain), metrics).rule())


def _quote_column(match: re.Match[str]) -> str:
    head, column = match.groups()
    if is_word(column):
        return match[0]
    return f"{head} {column!r})"


class _Reader:
    """Conversion of Python's syntax tree to terms; anything else is refused with a caret."""

    def __init__(self, text: str, metrics: Iterable[str] | None) -> None:
        self.text = text
        self.further = None if metrics is None else tuple(metrics)

    def rule(self) -> Compared:
        body = self._parse()
        if isinstance(body, ast.BoolOp):
            raise self._refusal(body, "joins two rules.", "Write them as two gates: all must pass.")
        if not isinstance(body, ast.Compare):
            close = did_you_mean(self.text, PROOFS)
            raise self._refusal(body, "compares nothing.", close if "mean" in close else _EXAMPLE)
        if len(body.ops) != 1:
            raise self._refusal(
                body, "has two comparisons.", "Write them as two gates: all must pass."
            )
        relation = _RELATIONS.get(type(body.ops[0]))
        if relation is None:
            raise self._refusal(
                body, "has a comparison that gates do not know.", "Use >= > <= < == !=."
            )
        return Compared(self.term(body.left), relation, self.term(body.comparators[0]))

    def _parse(self) -> ast.expr:
        if not self.text or len(self.text) > _LONGEST:
            raise ParameterError(
                what=f"A gate has 1 to {_LONGEST} characters, not {len(self.text)}.", fix=_EXAMPLE
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's hints are about programs
                # Python's own parser handles precedence and brackets.
                return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise self._refusal_at(
                (error.offset or 1) - 1, 1, "cannot be read here.", _EXAMPLE
            ) from error
        except (ValueError, RecursionError, MemoryError) as error:
            raise self._refusal_at(0, len(self.text), "cannot be read.", _EXAMPLE) from error

    def term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                return self._number(node, value)
            case ast.Name(id=name):
                return Figure(self._metric(node, name))
            case ast.Attribute(value=ast.Name(id=owner), attr=name):
                if owner not in _OWNERS:
                    raise self._refusal(node, f"names {owner!r}.", did_you_mean(owner, _OWNERS))
                return Figure(self._metric(node, name), owner)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Negative(self.term(operand))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
                return Arithmetic(_SIGNS[type(sign)], self.term(left), self.term(right))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
                return self._call(node, name, arguments)
        raise self._refusal(
            node,
            "has something that gates do not know.",
            "Gates know numbers, metrics, champion.METRIC, baseline.METRIC, + - *, "
            "gap, ratio, lower and upper.",
        )

    def _number(self, node: ast.expr, value: float) -> Number:
        try:
            number = float(value)
        except OverflowError:
            number = float("inf")
        if not isfinite(number):
            raise self._refusal(node, "has a number that is too large.", _EXAMPLE)
        return Number(number, ast.get_source_segment(self.text, node) or repr(value))

    def _metric(self, node: ast.expr, name: str) -> str:
        if name not in METRICS and self.further is not None and name not in self.further:
            known = (*METRICS, *self.further, *PROOFS)
            raise self._refusal(
                node, f"names {name!r}, which is no metric.", did_you_mean(name, known)
            )
        return name

    def _call(self, node: ast.Call, name: str, arguments: list[ast.expr]) -> Term:
        if name in _SPREADS and len(arguments) == 2:  # noqa: PLR2004 - metric and column
            metric, column = arguments
            if isinstance(metric, ast.Name):
                return Across(name, self._column(column), self._metric(metric, metric.id))
        if name in PARITIES and len(arguments) == 1:
            return Across(name, self._column(arguments[0]))
        if name in _ENDS and len(arguments) == 1:
            return self._end(node, name, arguments[0])
        forms = {
            **dict.fromkeys(_SPREADS, "(metric, column)"),
            **dict.fromkeys(PARITIES, "(column)"),
            **dict.fromkeys(_ENDS, "(metric) or (metric - champion.metric)"),
        }
        if name in forms:
            raise self._refusal(node, f"uses {name} wrongly.", f"Write {name}{forms[name]}.")
        raise self._refusal(node, f"names {name!r}.", did_you_mean(name, forms))

    def _column(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name) | ast.Constant(value=str() as name) if name:
                return name
        raise self._refusal(node, "needs a column here.", "Put its name in quotes.")

    def _end(self, node: ast.expr, kind: str, inner: ast.expr) -> End:
        match self.term(inner):
            case Figure(metric=metric, owner=""):
                return End(kind, metric)
            case Arithmetic(
                "-", Figure(metric=ours, owner=""), Figure(metric=theirs, owner="champion")
            ) if ours == theirs:
                return End(kind, ours, paired=True)
        raise self._refusal(
            node,
            "asks for an interval that is not known.",
            f"Write {kind}(metric) or {kind}(metric - champion.metric).",
        )

    def _refusal(self, node: ast.expr, what: str, fix: str) -> ParameterError:
        # Python counts bytes, people count characters.
        raw = self.text.encode()
        first = len(raw[: node.col_offset].decode())
        last = len(raw[: node.end_col_offset].decode())
        return self._refusal_at(first, last - first, what, fix)

    def _refusal_at(self, first: int, width: int, what: str, fix: str) -> ParameterError:
        caret = " " * max(first, 0) + "^" * max(width, 1)
        return ParameterError(
            what=f"Gate {self.text!r} {what}\n    {self.text}\n    {caret}\n",
            fix=fix,
            gate=self.text,
        )
