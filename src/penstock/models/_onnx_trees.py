"""Trees that compare doubles as a graph of doubles: LightGBM's and HistGradientBoosting's.

The converters write thresholds as float32, so that a value next to a threshold takes the wrong
branch (decision 0053). Here thresholds and leaves stay doubles; only the sum of the leaves is
returned as float32, which is all that the operator can.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from penstock.core import require

_IDENTITY = frozenset({"squared_error", "absolute_error", "quantile"})
_LIGHT = frozenset(
    {"regression", "regression_l1", "regression_l2", "huber", "fair", "quantile", "mape"}
)
_FIELDS = ("treeids", "nodeids", "featureids", "modes", "truenodeids", "falsenodeids")


class UnfitTreesError(ValueError):
    """The trees do something that a sum of leaves does not; the text is the reason."""


@dataclass
class _Trees:
    """The arrays of the operator TreeEnsembleRegressor."""

    nodes: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _FIELDS})
    values: list[float] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    leaves: list[tuple[int, int, int, float]] = field(default_factory=list)

    def add_split(
        self,
        tree: int,
        node: int,
        column: int,
        threshold: float,
        low: int,
        high: int,
        *,
        left: bool,
    ) -> None:
        """Add a node whose values up to the threshold go to ``low``; missing ones too if ``left``."""
        self._add(tree, node, column, "BRANCH_LEQ", low, high)
        self.values.append(threshold)
        self.missing.append(int(left))

    def add_leaf(self, tree: int, node: int, target: int, value: float) -> None:
        self._add(tree, node, 0, "LEAF", 0, 0)
        self.values.append(0.0)
        self.missing.append(0)
        self.leaves.append((tree, node, target, value))

    def _add(self, *row: Any) -> None:
        for name, value in zip(_FIELDS, row, strict=True):
            self.nodes[name].append(value)


def hist_graph(estimator: Any, width: int) -> Any:
    """Write a fitted HistGradientBoosting model as a graph of raw scores.

    Raises:
        UnfitTreesError: If the model has categorical columns, or a loss whose answer is not the sum
            itself.
    """
    if estimator.is_categorical_ is not None:
        raise UnfitTreesError("it splits by categories")
    if not hasattr(estimator, "classes_") and estimator.loss not in _IDENTITY:
        raise UnfitTreesError(f"its loss {estimator.loss} changes the sum of its trees")
    trees, number = _Trees(), 0
    base = estimator._baseline_prediction.reshape(-1).tolist()  # noqa: SLF001 - nothing public has it
    for round_of_trees in estimator._predictors:  # noqa: SLF001
        for target, predictor in enumerate(round_of_trees):
            for node, each in enumerate(predictor.nodes):
                if each["is_leaf"]:
                    trees.add_leaf(number, node, target, float(each["value"]))
                    continue
                trees.add_split(
                    number,
                    node,
                    int(each["feature_idx"]),
                    float(each["num_threshold"]),
                    int(each["left"]),
                    int(each["right"]),
                    left=bool(each["missing_go_to_left"]),
                )
            number += 1
    return _graph(trees, base, width)


def lightgbm_graph(estimator: Any, width: int) -> Any:
    """Write a fitted model of LightGBM as a graph of raw scores.

    Raises:
        UnfitTreesError: If the model has categorical splits, linear leaves, zeros that are missing,
            or an objective whose answer is not the sum itself, the logistic function or the softmax
            of the sum.
    """
    document = estimator.booster_.dump_model()
    objective = str(document["objective"]).split()
    is_plain = objective[0] in _LIGHT and "sqrt" not in objective
    is_classes = objective[:2] == ["binary", "sigmoid:1"] or objective[0] == "multiclass"
    if not (is_plain or is_classes) or document.get("average_output"):
        raise UnfitTreesError(f"its objective {' '.join(objective)} changes the sum of its trees")
    trees, targets = _Trees(), int(document["num_tree_per_iteration"])
    for number, tree in enumerate(document["tree_info"]):
        for node, held, low, high in _numbered(tree["tree_structure"]):
            _add_light(trees, number, node, number % targets, held, low, high)
    return _graph(trees, [0.0] * targets, width)


def _numbered(root: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any], int, int]]:
    """Number the nodes of a tree, and iterate over each with the numbers of the children."""
    waiting, following = [(0, root)], 1
    while waiting:
        node, held = waiting.pop()
        if "left_child" not in held:
            yield node, held, 0, 0
            continue
        low, high = following, following + 1
        following += 2
        waiting += [(low, held["left_child"]), (high, held["right_child"])]
        yield node, held, low, high


def _add_light(
    trees: _Trees, tree: int, node: int, target: int, held: dict[str, Any], low: int, high: int
) -> None:
    if "left_child" not in held:
        if "leaf_coeff" in held:
            raise UnfitTreesError("its leaves are linear models")
        trees.add_leaf(tree, node, target, float(held["leaf_value"]))
        return
    if held["decision_type"] != "<=":
        raise UnfitTreesError("it splits by categories")
    if held["missing_type"] == "Zero":
        raise UnfitTreesError("it takes zeros for missing values")
    threshold = float(held["threshold"])
    # Without missing values in training, LightGBM takes them for 0.
    left = held["default_left"] if held["missing_type"] == "NaN" else threshold >= 0
    trees.add_split(tree, node, int(held["split_feature"]), threshold, low, high, left=bool(left))


def _graph(trees: _Trees, base: list[float], width: int) -> Any:
    onnx = require("onnx", extra="onnx", purpose="converting a model to ONNX")
    helper, kind = onnx.helper, onnx.TensorProto

    def doubles(name: str, values: list[float]) -> Any:
        return helper.make_tensor(name, kind.DOUBLE, [len(values)], values)

    ids = list(zip(*trees.leaves, strict=True))
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["X"],
        ["scores"],
        domain="ai.onnx.ml",
        aggregate_function="SUM",
        post_transform="NONE",
        n_targets=len(base),
        base_values_as_tensor=doubles("base", base),
        nodes_values_as_tensor=doubles("thresholds", trees.values),
        nodes_missing_value_tracks_true=trees.missing,
        target_treeids=list(ids[0]),
        target_nodeids=list(ids[1]),
        target_ids=list(ids[2]),
        target_weights_as_tensor=doubles("leaves", list(ids[3])),
        **{f"nodes_{name}": values for name, values in trees.nodes.items()},
    )
    graph = helper.make_graph(
        [node],
        "form",
        [helper.make_tensor_value_info("X", kind.DOUBLE, [None, width])],
        [helper.make_tensor_value_info("scores", kind.FLOAT, [None, len(base)])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)
