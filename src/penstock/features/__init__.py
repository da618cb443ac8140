"""Raw columns in, numbers for a model out: transformers inside the model, and shared feature views."""

from typing import TYPE_CHECKING

from penstock.core import lazy_exports

if TYPE_CHECKING:
    from penstock.features._dates import DateParts as DateParts
    from penstock.features._durations import ClockParts as ClockParts
    from penstock.features._durations import ToSeconds as ToSeconds
    from penstock.features._feature_store import FeatureStore as FeatureStore
    from penstock.features._file_dataset import FileDataset as FileDataset
    from penstock.features._hashes import HashedLevels as HashedLevels
    from penstock.features._levels import LevelMeans as LevelMeans
    from penstock.features._plain import ToNumber as ToNumber
    from penstock.features._plain import ToText as ToText
    from penstock.features._served import Recomputed as Recomputed
    from penstock.features._served import recompute_served as recompute_served
    from penstock.features._transform import table_transformer as table_transformer
    from penstock.features._words import WordWeights as WordWeights
    from penstock.features.embeddings import TextEmbedding as TextEmbedding
    from penstock.features.views import Entity as Entity
    from penstock.features.views import FeatureView as FeatureView
    from penstock.features.views import OnDemandView as OnDemandView
    from penstock.features.views import WindowFeature as WindowFeature
    from penstock.features.views import Windows as Windows

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "ClockParts": "_durations",
        "DateParts": "_dates",
        "Entity": "penstock.features.views",
        "FeatureStore": "_feature_store",
        "FileDataset": "_file_dataset",
        "FeatureView": "penstock.features.views",
        "Recomputed": "_served",
        "recompute_served": "_served",
        "OnDemandView": "penstock.features.views",
        "HashedLevels": "_hashes",
        "LevelMeans": "_levels",
        "TextEmbedding": "penstock.features.embeddings",
        "ToNumber": "_plain",
        "ToSeconds": "_durations",
        "ToText": "_plain",
        "WindowFeature": "penstock.features.views",
        "Windows": "penstock.features.views",
        "WordWeights": "_words",
        "table_transformer": "_transform",
    },
)
