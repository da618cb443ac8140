"""Proofs: verification of a run by a second execution, and the differences."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.proofs._difference import ValueDifference as ValueDifference
    from penstock.proofs._difference import find_differences as find_differences
    from penstock.proofs._records import StepVerdict as StepVerdict
    from penstock.proofs._records import Verification as Verification
    from penstock.proofs._suspects import list_suspects as list_suspects
    from penstock.proofs._verify import verify as verify

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ValueDifference": "_difference",
        "StepVerdict": "_records",
        "Verification": "_records",
        "find_differences": "_difference",
        "list_suspects": "_suspects",
        "verify": "_verify",
    },
)
