"""LearnedCategories: a booster that was trained on pandas categories, asked with plain values.

LightGBM and XGBoost split categories by their codes. A request has the values: they are given the
codes of the training here. Values passed as they are would be refused, or taken for codes.
"""

from collections.abc import Mapping
from typing import Any

from penstock.core import require

_LIGHTGBM = frozenset({"Booster", "LGBMClassifier", "LGBMRanker", "LGBMRegressor"})


class LearnedCategories:
    """An estimator whose frames get the categories that the booster has learned.

    Values that are not among them count as missing, as LightGBM treats them.

    Args:
        estimator: The booster, or a classifier that has one inside.
        levels: Categories of the training by column, in the order of their codes.
    """

    def __init__(self, estimator: Any, levels: Mapping[str, list[Any]]) -> None:
        self._estimator, self._levels = estimator, levels

    @property
    def estimator(self) -> Any:
        """The estimator that takes pandas categories."""
        return self._estimator

    def typed(self, frame: Any) -> Any:
        """Return a frame as pandas, with the learned categories.

        Raises:
            TypeError: If the rows have no column names.
        """
        pandas = require("pandas", extra="pandas", purpose="a model trained on pandas categories")
        table = frame.to_pandas() if hasattr(frame, "to_pandas") else frame
        if not hasattr(table, "assign"):
            raise TypeError("rows of a model with categories have column names")
        known = {name: levels for name, levels in self._levels.items() if name in table.columns}
        return table.assign(
            **{
                name: pandas.Categorical(
                    table[name].where(table[name].isin(levels)), categories=levels
                )
                for name, levels in known.items()
            }
        )

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__dict__["_estimator"], name)
        if name not in {"predict", "predict_proba"}:
            return value
        return lambda frame: value(self.typed(frame))


def with_categories(estimator: Any, booster: Any) -> Any:
    """Return the estimator with the categories that its booster has learned; unchanged if none.

    Args:
        estimator: A fitted estimator.
        booster: The estimator of XGBoost or LightGBM that learned them, or a native booster.
    """
    kind = type(booster)
    root = kind.__module__.partition(".")[0]
    if root == "lightgbm" and kind.__name__ in _LIGHTGBM:
        levels = _of_lightgbm(getattr(booster, "booster_", booster))
    elif root == "xgboost":
        native = booster.get_booster() if hasattr(booster, "get_booster") else booster
        levels = _of_xgboost(native)
    else:
        levels = {}
    return LearnedCategories(estimator, levels) if levels else estimator


def _of_lightgbm(booster: Any) -> dict[str, list[Any]]:
    learned = booster.pandas_categorical or []
    if not learned:
        return {}
    names = booster.feature_name()
    prefix = "[categorical_feature: "
    # Only the text of the model says which of the columns they are.
    text = booster.model_to_string(num_iteration=1)
    lines = [line for line in text.splitlines() if line.startswith(prefix)]
    listed = lines[0].removeprefix(prefix).rstrip("]") if lines else ""
    places = [int(place) for place in listed.split(",") if place.isdecimal()]
    if len(places) != len(learned) or max(places) >= len(names):
        return {}  # others were declared besides, so the columns are not known
    return {names[place]: levels for place, levels in zip(places, learned, strict=True)}


def _of_xgboost(booster: Any) -> dict[str, list[Any]]:
    # Releases before 3.1 keep no categories, and take the codes of the request's own.
    if not hasattr(booster, "get_categories") or "c" not in (booster.feature_types or ()):
        return {}
    learned = booster.get_categories(export_to_arrow=True).to_arrow()
    return {name: levels.to_pylist() for name, levels in learned or () if levels is not None}
