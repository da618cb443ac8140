"""A gate as a tree of terms: all constructs of the gate language, without the text and the report."""

import keyword
from dataclasses import dataclass

from penstock.evaluation._proofs import Proof


class Term:
    """A part of a gate that has a value."""

    __slots__ = ()

    @property
    def parts(self) -> tuple["Term", ...]:
        """The terms inside this term."""
        return ()

    @property
    def named_metric(self) -> str | None:
        """The metric that the term names."""
        return None

    @property
    def needs_champion(self) -> bool:
        """True if the term has a value only with a production model."""
        return False

    def walk(self) -> tuple["Term", ...]:
        """Return this term and all terms inside."""
        return (self, *(inner for part in self.parts for inner in part.walk()))


@dataclass(frozen=True, slots=True)
class Number(Term):
    """A number, with the text as written by the user."""

    value: float
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Figure(Term):
    """A metric of the report (owner empty), of the champion or of the baseline."""

    metric: str
    owner: str = ""

    @property
    def named_metric(self) -> str | None:
        return self.metric

    @property
    def needs_champion(self) -> bool:
        return self.owner == "champion"

    def __str__(self) -> str:
        return f"{self.owner}.{self.metric}" if self.owner else self.metric


@dataclass(frozen=True, slots=True)
class End(Term):
    """Lower or upper end of a metric's interval, or of the paired difference to the champion."""

    kind: str
    metric: str
    paired: bool = False

    @property
    def named_metric(self) -> str | None:
        return self.metric

    @property
    def needs_champion(self) -> bool:
        return self.paired

    def __str__(self) -> str:
        inner = f"{self.metric} - champion.{self.metric}" if self.paired else self.metric
        return f"{self.kind}({inner})"


@dataclass(frozen=True, slots=True)
class Across(Term):
    """A gap or ratio of a metric, or a parity figure, over the values of a column."""

    kind: str
    column: str
    metric: str | None = None

    @property
    def named_metric(self) -> str | None:
        return self.metric

    def __str__(self) -> str:
        column = self.column if is_word(self.column) else repr(self.column)
        return f"{self.kind}({self.metric}, {column})" if self.metric else f"{self.kind}({column})"


@dataclass(frozen=True, slots=True)
class Negative(Term):
    """The negative of a term."""

    operand: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.operand,)

    def __str__(self) -> str:
        return f"-{_grouped(self.operand, isinstance(self.operand, Arithmetic))}"


@dataclass(frozen=True, slots=True)
class Arithmetic(Term):
    """Sum, difference or product of two terms."""

    sign: str
    left: Term
    right: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        return (self.left, self.right)

    def __str__(self) -> str:
        product = self.sign == "*"
        left = product and isinstance(self.left, Arithmetic) and self.left.sign != "*"
        right = isinstance(self.right, Arithmetic) and (product or self.right.sign != "*")
        return f"{_grouped(self.left, left)} {self.sign} {_grouped(self.right, right)}"


def _grouped(term: Term, needed: bool) -> str:
    return f"({term})" if needed else str(term)


@dataclass(frozen=True, slots=True)
class Compared:
    """Two terms and the relation that must hold between them."""

    left: Term
    relation: str
    right: Term

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


@dataclass(frozen=True, slots=True)
class Proved:
    """A claim that a check or a proof answers as a whole; see PROOFS."""

    proof: Proof

    def __str__(self) -> str:
        return self.proof.gate


@dataclass(frozen=True, slots=True)
class Gate:
    """A rule that a model must satisfy to be promoted.

    Args:
        text: The text as written by the user.
        rule: The parsed rule.
    """

    text: str
    rule: Compared | Proved

    def __str__(self) -> str:
        return str(self.rule)

    @property
    def proof_kind(self) -> str:
        """Kind of the record that the gate waits for; empty if the report answers the gate."""
        return self.rule.proof.kind if isinstance(self.rule, Proved) else ""

    @property
    def needs_champion(self) -> bool:
        """True if the gate compares with the production model."""
        if isinstance(self.rule, Proved):
            return False
        terms = (*self.rule.left.walk(), *self.rule.right.walk())
        return any(term.needs_champion for term in terms)


def is_word(column: str) -> bool:
    # Python would normalise non-ASCII letters, and the column would not be found.
    return column.isascii() and column.isidentifier() and not keyword.iskeyword(column)
