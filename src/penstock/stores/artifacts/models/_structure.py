"""Checks of the parts of a model: trees whose nodes are nested as in training.

Compiled code follows the numbers of a tree without a look: a child that is no node reads foreign
memory, a circle never ends.
"""

import io
import json
import pickle
import re
from collections.abc import Callable
from typing import Any

from penstock.core import SerializationError

_FIX = "Do not use this file; train the model again, or restore the artifact from a backup."
_PARAMETER = re.compile(r"\[\w+: [^\n]*\]")


def require_sound_bytes(format_name: str, data: bytes) -> None:
    """Check the text of a booster before the library reads that.

    Some damage ends a process only now and then, so that a single trial proves little.

    Raises:
        SerializationError: If the text is no whole model, or leads outside.
    """
    check = {"xgboost": _check_xgboost_text, "lightgbm": _check_lightgbm_text}.get(format_name)
    try:
        if check is not None:
            check(data)
    except SerializationError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise SerializationError(
            what=f"The bytes are no {format_name} model: {type(error).__name__}: {error!s:.200}",
            why="An artifact is only read as the format that its record names.",
            fix=_FIX,
        ) from error


def require_sound(model: object) -> None:
    """Check the trees and indices of a model and of all nested models.

    Raises:
        SerializationError: If an index leads outside of the model, or in a circle.
    """
    visitor = _Visitor()
    try:
        visitor.dump(model)
    except SerializationError:
        raise
    except Exception:  # noqa: BLE001 - a model that is no pickle is a whole of its own
        visitor.persistent_id(model)


class _Nowhere(io.RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


class _Visitor(pickle.Pickler):
    """Meets every object of a model; the bytes are thrown away."""

    def __init__(self) -> None:
        super().__init__(_Nowhere(), 5)

    def persistent_id(self, obj: Any) -> Any:
        kind = type(obj)
        if isinstance(obj, type):
            return "a class"
        check = _CHECKS.get((kind.__module__.partition(".")[0], kind.__name__))
        if check is not None:
            check(obj)
            return "checked"
        if hasattr(kind, "fit") and hasattr(obj, "__dict__"):
            _check_estimator(obj)
        return None


def _check_estimator(estimator: Any) -> None:
    """Check that the trees of an estimator use no column that is not required of rows."""
    inputs = vars(estimator).get("n_features_in_")
    _check_labels(vars(estimator).get("_y"), vars(estimator).get("classes_"))
    tree = vars(estimator).get("tree_")
    if tree is not None:
        _require(inputs == tree.n_features, "a tree has other columns than its estimator")
    members = vars(estimator).get("estimators_")
    if inputs is None or members is None or "estimators_features_" in vars(estimator):
        return
    import numpy as np

    for each in np.asarray(members, dtype=object).reshape(-1):
        if getattr(each, "tree_", None) is not None:
            _require(each.tree_.n_features == inputs, "a tree has other columns than its estimator")


def _check_labels(numbers: Any, classes: Any) -> None:
    """Check the numbers of classes that an estimator keeps for the rows of its training."""
    import numpy as np

    if (
        numbers is None
        or classes is None
        or getattr(numbers, "dtype", np.dtype("O")).kind not in "iu"
    ):
        return
    columns = [classes] if numbers.ndim == 1 else list(classes)
    for place, each in enumerate(numbers.reshape(len(numbers), -1).T):
        _require(not len(each) or each.min() >= 0, "a row has no class")
        _require(not len(each) or each.max() < len(columns[place]), "a row has no class")


def _check_tree(left: Any, right: Any) -> None:
    """Check two arrays of children, -1 where there is none: a tree from node 0 on."""
    import numpy as np

    left, right = np.asarray(left, dtype=np.int64), np.asarray(right, dtype=np.int64)
    count = len(left)
    _require(count == len(right) and count > 0, "a tree has no nodes")
    inner = left != -1
    _require(bool((inner == (right != -1)).all()), "a node has one child")
    children = np.concatenate([left[inner], right[inner]])
    _require(not len(children) or children.min() > 0, "a child is no node")
    _require(not len(children) or children.max() < count, "a child is no node")
    # With one parent each, and none of the root, no walk from the root comes back.
    _require(len(np.unique(children)) == len(children), "two nodes share a child")


def _check_sklearn_tree(tree: Any) -> None:
    nodes = tree.__getstate__()["nodes"]
    _check_tree(nodes["left_child"], nodes["right_child"])
    feature = nodes["feature"][nodes["left_child"] != -1]
    _require(not len(feature) or feature.min() >= 0, "a split has no column")
    _require(not len(feature) or feature.max() < tree.n_features, "a split has no column")
    _require(len(tree.value) == len(nodes), "a tree has other values than nodes")


def _check_predictor(predictor: Any) -> None:
    """Check a tree of histogram boosting."""
    import numpy as np

    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    _check_tree(left, right)
    split = nodes[~leaf]
    _require(not len(split) or split["feature_idx"].min() >= 0, "a split has no column")
    bits = split[split["is_categorical"].astype(bool)]["bitset_idx"]
    sets = min(len(predictor.raw_left_cat_bitsets), len(predictor.binned_left_cat_bitsets))
    _require(not len(bits) or bits.max() < sets, "a split has no categories")


def _check_neighbours(tree: Any) -> None:
    """Check the index of a k-d or ball tree."""
    data, index, nodes, _ = tree.get_arrays()
    rows = len(data)
    _require(len(index) == rows, "an index has other rows than its data")
    _require(not rows or (index.min() >= 0 and index.max() < rows), "an index leads nowhere")
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    _require(bool((starts >= 0).all() and (ends <= rows).all()), "a node leads nowhere")
    _require(bool((starts <= ends).all()), "a node leads nowhere")


def _check_xgboost(booster: Any) -> None:
    _check_xgboost_text(bytes(booster.save_raw("json")))


def _check_xgboost_text(data: bytes) -> None:
    model = json.loads(data)["learner"]
    inputs = int(model["learner_model_param"]["num_feature"])
    booster_of = model["gradient_booster"]
    held = booster_of.get("gbtree", booster_of).get("model", {})
    if "trees" not in held:
        return  # linear: weights alone
    trees = held["trees"]
    _require(len(held["tree_info"]) == len(trees), "the trees have no outputs")
    groups = max(int(model["learner_model_param"].get("num_class", 0)), 1)
    groups = max(groups, int(model["learner_model_param"].get("num_target", 1)))
    _require(all(0 <= each < groups for each in held["tree_info"]), "a tree has no output")
    for tree in trees:
        _check_tree(tree["left_children"], tree["right_children"])
        count = len(tree["left_children"])
        for name in ("split_indices", "split_conditions", "default_left"):
            _require(len(tree[name]) == count, "a tree has other values than nodes")
        for left, feature in zip(tree["left_children"], tree["split_indices"], strict=True):
            _require(left == -1 or 0 <= feature < inputs, "a split has no column")


def _check_lightgbm(booster: Any) -> None:
    _check_lightgbm_text(booster.model_to_string(num_iteration=-1).encode())


def _check_lightgbm_text(data: bytes) -> None:
    text = data.decode()
    # The library looks for the end of each line of its parameters, and does not stop at the text's.
    _, separator, parameters = text.partition("\nparameters:\n")
    lines = parameters.partition("\nend of parameters\n")[0].split("\n") if separator else []
    _require(not separator or "\nend of parameters\n" in parameters, "its parameters have no end")
    _require(all(_PARAMETER.fullmatch(each) for each in lines if each), "a parameter has no value")
    head, *trees = text.split("\nTree=")
    facts = _pairs(head)
    inputs = int(facts["max_feature_idx"]) + 1
    groups = int(facts["num_tree_per_iteration"])
    _require(groups > 0 and len(trees) % groups == 0, "an iteration has no whole set of trees")
    for each in trees:
        tree = _pairs(each.partition("\n\n")[0])
        leaves = int(tree["num_leaves"])
        _require(len(_numbers(tree, "leaf_value", float)) == leaves, "a tree has no values")
        if tree.get("is_linear", "0") != "0":
            columns = _numbers(tree, "leaf_features")
            _require(all(0 <= column < inputs for column in columns), "a leaf has no column")
            _require(sum(_numbers(tree, "num_features")) == len(columns), "a leaf has no column")
            _require(len(_numbers(tree, "leaf_coeff", float)) == len(columns), "no coefficients")
        if leaves > 1:
            _check_leafwise(tree, leaves, inputs)


def _check_leafwise(tree: dict[str, str], leaves: int, inputs: int) -> None:
    left, right = _numbers(tree, "left_child"), _numbers(tree, "right_child")
    columns, kinds = _numbers(tree, "split_feature"), _numbers(tree, "decision_type")
    thresholds = _numbers(tree, "threshold", float)
    sizes = {len(left), len(right), len(columns), len(kinds), len(thresholds)}
    _require(sizes == {leaves - 1}, "a tree has other values than nodes")
    children = [*left, *right]
    _require(all(-leaves <= each < leaves - 1 and each != 0 for each in children), "no node")
    _require(len(set(children)) == len(children), "two nodes share a child")
    _require(all(0 <= each < inputs for each in columns), "a split has no column")
    sets = int(tree.get("num_cat", 0))
    if not sets:
        _require(not any(each & 1 for each in kinds), "a split has no categories")
        return
    bounds = _numbers(tree, "cat_boundaries")
    words = _numbers(tree, "cat_threshold")
    _require(len(bounds) == sets + 1 and bounds == sorted(bounds), "a split has no categories")
    _require(bounds[0] >= 0 and bounds[-1] <= len(words), "a split has no categories")
    for kind, threshold in zip(kinds, thresholds, strict=True):
        _require(not kind & 1 or 0 <= threshold < sets, "a split has no categories")


def _pairs(text: str) -> dict[str, str]:
    return {key: value for key, _, value in (line.partition("=") for line in text.split("\n"))}


def _numbers(tree: dict[str, str], name: str, kind: Callable[[str], Any] = int) -> list[Any]:
    return [kind(each) for each in tree[name].split()]


def _require(holds: Any, reason: str) -> None:
    if not holds:
        raise SerializationError(
            what=f"The bytes are no model that training makes: {reason}.",
            why="Compiled code follows such numbers without a look, and ends the process.",
            fix=_FIX,
        )


_CHECKS: dict[tuple[str, str], Callable[[Any], None]] = {
    ("sklearn", "Tree"): _check_sklearn_tree,
    ("sklearn", "TreePredictor"): _check_predictor,
    ("sklearn", "KDTree"): _check_neighbours,
    ("sklearn", "KDTree64"): _check_neighbours,
    ("sklearn", "BallTree"): _check_neighbours,
    ("sklearn", "BallTree64"): _check_neighbours,
    ("xgboost", "Booster"): _check_xgboost,
    ("lightgbm", "Booster"): _check_lightgbm,
}
