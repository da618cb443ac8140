"""Kinds of model that a first pipeline can train; apart from the recipes to be cheap to import."""

from typing import Literal, TypeAlias, get_args

from penstock.core import ParameterError, did_you_mean, require

ModelChoice: TypeAlias = Literal["auto", "linear", "trees", "xgboost", "lightgbm", "torch"]
"""Kind of model of a first pipeline; ``auto`` chooses by task and size."""

MODEL_CHOICES: tuple[str, ...] = get_args(ModelChoice)


def require_model(model: str) -> None:
    """Check the kind of a model; the package of a booster must be installed.

    Raises:
        ParameterError: If there is no such kind of model.
        MissingPackageError: If the package is not installed.
    """
    if model not in MODEL_CHOICES:
        raise ParameterError(
            what=f"There is no kind of model {model!r}.", fix=did_you_mean(model, MODEL_CHOICES)
        )
    if model in {"xgboost", "lightgbm"}:
        require(model, extra="boosters", purpose=f"a pipeline that trains with {model}")
    if model == "torch":
        require("torch", extra="torch", purpose="a pipeline that trains a network")
