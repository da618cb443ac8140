"""Model and gates of a first pipeline, by task and size; apart because the choice is debatable."""

from dataclasses import dataclass

from penstock.evaluation import FEWEST_EVENTS, FEWEST_NUMBERS
from penstock.scaffolding._model_choice import ModelChoice, require_model
from penstock.scaffolding._notes import TableNotes
from penstock.scaffolding._scarce import beat_guessing, is_scarce

FEW_ROWS = 300
"""Below this many rows trees cannot grow, and metrics are unreliable."""

_MANY_CLASSES = 30


@dataclass(frozen=True, slots=True)
class Recipe:
    """The model of a first pipeline.

    Attributes:
        imports: The import statements.
        estimator: The estimator's class.
        arguments: The estimator's arguments as code.
        parameter: The estimator's pipeline parameter.
        default: The parameter's default, as code.
        test_value: The parameter's value for a quick test, as code.
        scale: Whether numbers must be scaled first.
        has_embeddings: Whether the estimator learns embeddings of levels, and is given the levels.
        wrapper: Class that the estimator is passed to; empty if none.
    """

    imports: tuple[str, ...]
    estimator: str
    arguments: tuple[str, ...]
    parameter: str
    default: str
    test_value: str
    scale: bool = False
    has_embeddings: bool = False
    wrapper: str = ""


@dataclass(frozen=True, slots=True)
class GateText:
    """A gate with a reason."""

    text: str
    reason: str


def choose_recipe(notes: TableNotes, model: ModelChoice = "auto") -> Recipe:
    """Choose boosted trees for ordinary tables, a linear model for few rows or many classes.

    Args:
        notes: The table's notes.
        model: The kind of model; ``auto`` chooses as above.

    Raises:
        ParameterError: If there is no such kind of model.
        MissingPackageError: If the package is not installed.
    """
    require_model(model)
    if model == "auto":
        usable = notes.rows - notes.missing_target
        few = usable < FEW_ROWS or len(notes.classes) > _MANY_CLASSES
        model = "linear" if few else "trees"
    regression = notes.task == "regression"
    if model == "linear":
        return _RIDGE if regression else _LOGISTIC
    if model == "xgboost":
        return _XGB_REGRESSOR if regression else _XGB_CLASSIFIER
    if model == "torch":
        return _NET_REGRESSOR if regression else _NET_CLASSIFIER
    if model == "lightgbm":
        return _LGBM_REGRESSOR if regression else _LGBM_CLASSIFIER
    if regression:
        return _trees("HistGradientBoostingRegressor")
    # Early stopping holds out rows of each class, which fails for a class with a single row.
    extra = ("early_stopping=False",) if notes.task == "multiclass" else ()
    return _trees("HistGradientBoostingClassifier", *extra)


def write_gates(notes: TableNotes) -> list[GateText]:
    """Choose gates that an ordinary model passes and a useless model fails, on these test rows."""
    keeps = {
        "binary": "roc_auc >= champion.roc_auc - 0.01",
        "multiclass": "balanced_accuracy >= champion.balanced_accuracy - 0.01",
        "regression": "rmse <= 1.02 * champion.rmse",
    }[notes.task]
    return [
        _beat_the_simple(notes),
        GateText(keeps, "no worse than the version in production"),
        GateText("leakage == none", "no test row was known in training"),
        GateText("verified", "a second run gives the same result"),
    ]


def _beat_the_simple(notes: TableNotes) -> GateText:
    raise_it = "raise it to what you need"
    tested = notes.tested
    if notes.task == "multiclass":
        # Balanced accuracy has no interval where a class is not tested at all.
        metric = "accuracy" if tested and not tested.scarce_rows else "balanced_accuracy"
        gate = f"lower({metric}) > baseline.{metric}"
        return GateText(gate, f"significantly better than guessing; {raise_it}")
    if notes.task == "regression":
        if is_scarce(tested):
            return GateText(
                "r2 > 0", f"better than the mean; lower(r2) needs {FEWEST_NUMBERS} rows"
            )
        return GateText("lower(r2) > 0", f"significantly better than the mean; {raise_it}")
    if tested is None or not is_scarce(tested):
        return GateText("lower(roc_auc) > 0.5", f"significantly better than guessing; {raise_it}")
    few = f"{tested.scarce_rows} test rows of {tested.scarce!r}, a guess passes 1 time in 40"
    return GateText(
        f"roc_auc > {beat_guessing(tested)}", f"{few}; lower(roc_auc) needs {FEWEST_EVENTS}"
    )


def _trees(
    name: str, *extra: str, package: str = "sklearn.ensemble", label_encoding: bool = False
) -> Recipe:
    imports = [f"from {package} import {name}"]
    if label_encoding:
        imports.append("from penstock.models import LabelEncodingClassifier")
    return Recipe(
        imports=tuple(imports),
        estimator=name,
        arguments=("learning_rate=learning_rate", *extra, "random_state=0"),
        parameter="learning_rate",
        default="0.1",
        test_value="0.1",
        wrapper="LabelEncodingClassifier" if label_encoding else "",
    )


def _linear(name: str, *arguments: str) -> Recipe:
    return Recipe(
        imports=(f"from sklearn.linear_model import {name}",),
        estimator=name,
        arguments=arguments,
        parameter="strength",
        default="1.0",
        test_value="1.0",
        scale=True,
    )


def _net(name: str) -> Recipe:
    return Recipe(
        imports=(f"from penstock.models import {name}",),
        estimator=name,
        arguments=("learning_rate=learning_rate", "random_state=0"),
        parameter="learning_rate",
        default="0.001",
        test_value="0.001",
        scale=True,
        has_embeddings=True,
    )


_NET_REGRESSOR = _net("TabularNetRegressor")
_NET_CLASSIFIER = _net("TabularNetClassifier")
_RIDGE = _linear("Ridge", "alpha=strength")
_LOGISTIC = _linear("LogisticRegression", "C=1 / strength", "max_iter=1000")
_XGB_REGRESSOR = _trees("XGBRegressor", package="xgboost")
# XGBClassifier takes only the labels 0 to n - 1.
_XGB_CLASSIFIER = _trees("XGBClassifier", package="xgboost", label_encoding=True)
_LGBM_REGRESSOR = _trees("LGBMRegressor", "verbose=-1", package="lightgbm")
_LGBM_CLASSIFIER = _trees("LGBMClassifier", "verbose=-1", package="lightgbm")
