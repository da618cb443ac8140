"""TabularNet: a network for tables, as scikit-learn estimators; torch is needed for fitting only."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.models.tabular_net._estimators import TabularNet as TabularNet
    from penstock.models.tabular_net._estimators import TabularNetClassifier as TabularNetClassifier
    from penstock.models.tabular_net._estimators import TabularNetRegressor as TabularNetRegressor

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "TabularNet": "_estimators",
        "TabularNetClassifier": "_estimators",
        "TabularNetRegressor": "_estimators",
    },
)
