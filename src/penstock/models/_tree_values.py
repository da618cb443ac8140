"""Exact contributions for trees; columns that a pipeline makes are summed back to the inputs."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import require
from penstock.models._learned_categories import LearnedCategories
from penstock.models._native_boosters import as_estimator
from penstock.tables import convert_frame, plain_name

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    from penstock.models._model import Model

    Floats = NDArray[np.float64]

_PACKAGES = frozenset({"sklearn", "xgboost", "lightgbm", "catboost"})
_TREES = ("Tree", "Forest", "Boost", "XGB", "LGBM", "CatBoost")
_TOLERANCE = 1e-4  # some boosters add up in single precision


@dataclass(frozen=True)
class Contributions:
    """Contributions to the explained output of n rows; see ``Explanation``.

    Args:
        contributions: Shape (n, inputs).
        base: Shape (n,).
        output: Predictions of the model, in the same unit, shape (n,).
        unit: Name of the output without the class.
        method: How the contributions were computed.
        tolerance: How far the sum may miss the output, relative to 1 or the output.
    """

    contributions: "Floats"
    base: "Floats"
    output: "Floats"
    unit: str
    method: str
    tolerance: float


def explain_trees(
    model: "Model", frame: "pl.DataFrame", chosen: "NDArray[np.intp]"
) -> Contributions | None:
    """Compute the contributions of trees exactly; None for models of a different kind.

    Args:
        model: The model: trees, or a pipeline that ends in trees.
        frame: The inputs, n rows.
        chosen: The explained class of each row.
    """
    import numpy as np

    names = model.signature.names
    rows = convert_frame(frame.select(names), model.signature.frame)
    head, last = _take_apart(model.estimator)
    adapted = as_estimator(last) if head is None else last
    categories = adapted if isinstance(adapted, LearnedCategories) else None
    kind = type(last)
    if kind.__module__.split(".")[0] not in _PACKAGES or not any(
        word in kind.__name__ for word in _TREES
    ):
        return None
    owners = list(range(len(names))) if head is None else find_owners(head, names)
    if owners is None:
        return None
    shap = require("shap", extra="explain", purpose="explaining predictions")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = rows if head is None else head.transform(rows)
            made = made.toarray() if hasattr(made, "toarray") else made
            made = made.to_pandas() if hasattr(made, "to_pandas") else made
            made = categories.typed(made) if categories else made
            explained = shap.TreeExplainer(last)(made, check_additivity=False)
    except Exception:  # noqa: BLE001 - trees that shap does not know are explained by permutations
        return None
    values, base = (
        np.asarray(explained.values, np.float64),
        np.asarray(explained.base_values, np.float64),
    )
    if values.shape[:2] != (frame.height, len(owners)):
        return None
    summed = np.zeros((frame.height, len(names), *values.shape[2:]))
    for at, owner in enumerate(owners):
        summed[:, owner] += values[:, at]
    base = base.reshape(frame.height, -1) if base.size >= frame.height else base[None, :]
    base = np.broadcast_to(base, (frame.height, base.shape[1]))
    return _oriented(model, frame, summed, base, chosen)


def _take_apart(estimator: Any) -> tuple[Any, Any]:
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        return estimator[:-1], estimator[-1]
    return None, estimator[-1] if isinstance(estimator, Pipeline) else estimator


def find_owners(head: Any, names: list[str]) -> list[int] | None:
    """Return for each column that a pipeline makes the position of the source input.

    Args:
        head: Fitted transformers with ``get_feature_names_out``.
        names: The inputs.

    Returns:
        Positions; None if a column's name does not tell a single input.
    """
    try:
        made = [str(name) for name in head.get_feature_names_out()]
    except Exception:  # noqa: BLE001 - transformers of the user's may have no names
        return None
    columns = _columns_by_transformer(head)
    plain = [plain_name(each) for each in names]
    owners = []
    for name in made:
        prefix, mark, rest = name.partition("__")
        known = columns.get(prefix) if mark else None
        made_of = rest if known is not None else name
        fits = [
            at
            for at, each in enumerate(names)
            if (known is None or each in known)
            and (_begins_with(made_of, each) or _begins_with(made_of, plain[at]))
        ]
        if len(fits) != 1:
            return None
        owners.append(fits[0])
    return owners


def _begins_with(made: str, name: str) -> bool:
    """Return whether an output column's name is an input's name, alone or with a level behind."""
    return made.startswith(name) and made[len(name) :][:1] in {"", "_"}


def _columns_by_transformer(head: Any) -> dict[str, set[str]]:
    from sklearn.compose import ColumnTransformer

    steps = [step for _, step in getattr(head, "steps", [("", head)])]
    first = next((step for step in steps if isinstance(step, ColumnTransformer)), None)
    if first is None:
        return {}
    by_transformer = {}
    for name, _, columns in first.transformers_:
        listed = [columns] if isinstance(columns, str) else columns
        if isinstance(listed, list | tuple) or hasattr(listed, "tolist"):
            by_transformer[name] = {str(each) for each in listed}
    return by_transformer


def _oriented(
    model: "Model",
    frame: "pl.DataFrame",
    values: "Floats",
    base: "Floats",
    chosen: "NDArray[np.intp]",
) -> Contributions | None:
    """Find the output that the values add up to, for the explained class; None if there is none."""
    import numpy as np

    said = model.predict_as_is(frame)
    rows = np.arange(frame.height)
    method = "exact for trees"
    if not model.signature.classes:
        output = np.asarray(said.values, dtype=np.float64)
        return Contributions(
            values.reshape(*values.shape[:2]), base[:, 0], output, "prediction", method, _TOLERANCE
        )
    if said.probabilities is None:
        return None
    shares = np.asarray(said.probabilities, dtype=np.float64)
    if values.ndim == 2:  # noqa: PLR2004 - one margin for two classes: the second's log odds
        side = np.where(chosen == 1, 1.0, -1.0)
        own, start = side[:, None] * values, side * base[:, 0]
        sums = start + own.sum(axis=1)
        with np.errstate(divide="ignore", over="ignore"):
            if not np.allclose(1 / (1 + np.exp(-sums)), shares[rows, chosen], atol=_TOLERANCE):
                return None
            odds = np.log(shares[rows, chosen]) - np.log(shares[rows, 1 - chosen])
        # Shares of exactly 0 and 1 have no odds any more.
        odds = np.where(np.isfinite(odds), odds, sums)
        return Contributions(own, start, odds, "log odds", method, _TOLERANCE)
    sums = base + values.sum(axis=1)
    own, start = values[rows, :, chosen], base[rows, chosen]
    if np.allclose(sums, shares, atol=_TOLERANCE):
        return Contributions(own, start, shares[rows, chosen], "probability", method, _TOLERANCE)
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    if not np.allclose(powers / powers.sum(axis=1, keepdims=True), shares, atol=_TOLERANCE):
        return None
    # Margins of several classes are defined up to a common constant: the model's own are taken.
    return Contributions(own, start, sums[rows, chosen], "margin", method, _TOLERANCE)
