"""Raw columns in, numbers for a model out: scikit-learn transformers, inside the model."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features._dates import DateParts as DateParts
    from penstock.features._levels import LevelMeans as LevelMeans
    from penstock.features._plain import ToNumber as ToNumber
    from penstock.features._plain import ToText as ToText
    from penstock.features._transform import table_transformer as table_transformer
    from penstock.features._words import WordWeights as WordWeights

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "DateParts": "_dates",
        "LevelMeans": "_levels",
        "ToNumber": "_plain",
        "ToText": "_plain",
        "WordWeights": "_words",
        "table_transformer": "_transform",
    },
)
