"""Conversion of a fitted estimator to ONNX, in the type in which the library computes.

Linear models compute with doubles. Trees of scikit-learn, XGBoost and CatBoost cast to float32 before
they compare with a threshold, so a graph of float32 takes the same branch. LightGBM and
HistGradientBoosting compare doubles: their graphs are made here (decision 0053 has the figures).
"""

import copy
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.core import require, summarize_error
from penstock.models._onnx_trees import UnfitTreesError, hist_graph, lightgbm_graph

_OPSETS = {"": 18, "ai.onnx.ml": 3}
_OLDER = 15  # the latest opset of onnxmltools' trees
_LINEAR = frozenset(
    {
        "ElasticNet",
        "Lasso",
        "LinearRegression",
        "LogisticRegression",
        "LogisticRegressionCV",
        "Ridge",
        "RidgeCV",
    }
)
_TREES = frozenset(
    f"{name}{kind}"
    for name in (
        "DecisionTree",
        "ExtraTree",
        "ExtraTrees",
        "GradientBoosting",
        "RandomForest",
    )
    for kind in ("Classifier", "Regressor")
)
_HIST = frozenset({"HistGradientBoostingClassifier", "HistGradientBoostingRegressor"})
_DOUBLE, _SINGLE = 1e-9, 1e-5  # tolerances of computing with doubles, and with float32
Make = Callable[[Any, int], Any]


class NotConverted(Exception):  # noqa: N818 - never leaves the package; the text is the reason
    """An estimator has no ONNX form."""


@dataclass(frozen=True, slots=True)
class Converted:
    """An estimator as a graph.

    Args:
        graph: The ``onnx.ModelProto``; the only input is a matrix.
        converter: Package and version of the conversion.
        tolerance: Largest difference to be expected of the same calculation in that type.
        has_thresholds: Whether answers change at thresholds, beside which rows must be compared.
        is_network: True for a network, whose rounding has no bound that the weights show.
    """

    graph: Any
    converter: str
    tolerance: float
    has_thresholds: bool
    is_network: bool = False


def convert_estimator(estimator: Any, width: int) -> Converted:
    """Convert a fitted estimator.

    Args:
        estimator: The final estimator of a model.
        width: Number of columns of the input.

    Raises:
        NotConverted: If the kind is not known, or the converter refuses the estimator.
    """
    kind = type(estimator)
    package, name = kind.__module__.partition(".")[0], kind.__name__
    if (package, name) == ("penstock", "LabelEncodingClassifier"):
        return convert_estimator(estimator.classifier_, width)
    convert = _find(package, name)
    if convert is None:
        raise NotConverted(
            f"{name} is none of the kinds whose ONNX form can be checked: linear models, trees,"
            " forests and boosted trees, and networks"
        )
    converter, make, tolerance, has_thresholds = convert
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the outcome is checked, whatever a converter fears
            graph = make(estimator, width)
    except UnfitTreesError as error:
        raise NotConverted(str(error)) from error
    except Exception as error:
        text = " ".join(summarize_error(error).split())[:160]
        raise NotConverted(
            f"{converter} {_version(converter)} cannot convert it ({text})"
        ) from error
    graph.ClearField("metadata_props")  # of the training, such as its time
    return Converted(
        graph,
        f"{converter} {_version(converter)}",
        tolerance,
        has_thresholds,
        name == "TorchEstimator",
    )


def _find(package: str, name: str) -> tuple[str, Make, float, bool] | None:
    if package == "sklearn" and name in _LINEAR:
        return "skl2onnx", _linear, _DOUBLE, False
    if package == "sklearn" and name in _TREES:
        return "skl2onnx", _tree, _SINGLE, True
    if package == "sklearn" and name in _HIST:
        return "onnx", hist_graph, _SINGLE, True
    known: dict[tuple[str, str], tuple[str, Make, float, bool]] = {
        ("penstock", "TorchEstimator"): ("torch", _network, _SINGLE, False),
        **{("xgboost", f"XGB{e}"): ("onnxmltools", _xgboost, _SINGLE, True) for e in _ENDS},
        **{("lightgbm", f"LGBM{e}"): ("onnx", lightgbm_graph, _SINGLE, True) for e in _ENDS},
        **{("catboost", f"CatBoost{e}"): ("catboost", _catboost, _SINGLE, True) for e in _ENDS},
    }
    return known.get((package, name))


_ENDS = ("Classifier", "Regressor")


def _linear(estimator: Any, width: int) -> Any:
    return _by_skl2onnx(estimator, "DoubleTensorType", width)


def _tree(estimator: Any, width: int) -> Any:
    return _by_skl2onnx(estimator, "FloatTensorType", width)


def _by_skl2onnx(estimator: Any, kind: str, width: int) -> Any:
    skl2onnx = require("skl2onnx", extra="onnx", purpose="converting a model to ONNX")
    types = require(
        "skl2onnx.common.data_types", extra="onnx", purpose="converting a model to ONNX"
    )
    options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
    return skl2onnx.to_onnx(
        estimator,
        initial_types=[("X", getattr(types, kind)([None, width]))],
        options=options,
        target_opset=_OPSETS,
    )


def _xgboost(estimator: Any, width: int) -> Any:
    tools = require("onnxmltools", extra="onnx", purpose="converting a model to ONNX")
    copied = copy.deepcopy(estimator)
    booster = copied.get_booster()
    booster.feature_names = booster.feature_types = None  # the converter wants f0, f1, …
    return tools.convert_xgboost(
        copied, name="form", initial_types=_floats(width), target_opset=_OLDER
    )


def _floats(width: int) -> Any:
    types = require(
        "onnxmltools.convert.common.data_types", extra="onnx", purpose="converting a model to ONNX"
    )
    return [("X", types.FloatTensorType([None, width]))]


def _catboost(estimator: Any, width: int) -> Any:
    onnx = require("onnx", extra="onnx", purpose="converting a model to ONNX")
    if estimator.get_cat_feature_indices() or estimator.get_text_feature_indices():
        raise NotConverted("CatBoost exports models of numbers alone")
    del width
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "form.onnx"
        estimator.save_model(str(path), format="onnx")
        return onnx.load_model_from_string(path.read_bytes())


def _network(estimator: Any, width: int) -> Any:
    torch = require("torch", extra="torch", purpose="converting a network to ONNX")
    require("onnxscript", extra="onnx", purpose="converting a network to ONNX")
    module = copy.deepcopy(estimator.module).eval()
    rows = torch.zeros(2, width, dtype=getattr(torch, estimator.dtype))
    program = torch.onnx.export(
        module,
        (rows,),
        dynamo=True,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("rows")},),
    )
    return program.model_proto


def _version(package: str) -> str:
    from importlib.metadata import version  # 10 ms, and only a conversion asks

    return version(package)
