"""Sequential statistics: bounds and estimates that may be looked at while the rows arrive."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.evaluation.sequential._bounds import log_e_value_below as log_e_value_below
    from penstock.evaluation.sequential._bounds import rate_at_least as rate_at_least
    from penstock.evaluation.sequential._bounds import rate_at_most as rate_at_most
    from penstock.evaluation.sequential._bounds import rate_bounds as rate_bounds
    from penstock.evaluation.sequential._estimate import METRICS as METRICS
    from penstock.evaluation.sequential._estimate import NEED_POSITIVE as NEED_POSITIVE
    from penstock.evaluation.sequential._estimate import SequentialEstimate as SequentialEstimate
    from penstock.evaluation.sequential._estimate import estimate_metric as estimate_metric

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "METRICS": "_estimate",
        "NEED_POSITIVE": "_estimate",
        "SequentialEstimate": "_estimate",
        "estimate_metric": "_estimate",
        "log_e_value_below": "_bounds",
        "rate_at_least": "_bounds",
        "rate_at_most": "_bounds",
        "rate_bounds": "_bounds",
    },
)
