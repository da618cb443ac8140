"""NB7: leakage by data flow: estimators fitted on rows that are split only afterwards, or on test rows."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks._scopes import root_name
from penstock.notebooks.rules._analysis import Analysis, finding

# What learns nothing from the rows, or only names of classes.
_STATELESS = frozenset(
    [
        "Normalizer",
        "Binarizer",
        "FunctionTransformer",
        "PolynomialFeatures",
        "HashingVectorizer",
        "LabelEncoder",
        "LabelBinarizer",
        "MultiLabelBinarizer",
        "OneHotEncoder",
        "OrdinalEncoder",
        "FeatureHasher",
    ]
)
_LEARNING = (
    "sklearn.preprocessing", "sklearn.decomposition", "sklearn.feature_selection", "sklearn.impute",
    "sklearn.feature_extraction", "sklearn.manifold", "sklearn.random_projection", "imblearn",
    "category_encoders", "umap",
)  # fmt: skip
_FITS = frozenset({"fit", "fit_transform", "fit_resample", "fit_predict"})
_SPLITS = frozenset({"train_test_split"})
_JUDGES = frozenset({"predict", "predict_proba", "decision_function", "score", "transform"})


@dataclass(frozen=True, slots=True)
class _Origin:
    """The origin of a value.

    Args:
        fitted: Where something was fitted on all rows for the value: cell, line, estimator.
        is_test: True with test rows.
        is_train: True with training rows.
        kind: Dotted class, if the value is a new estimator.
    """

    fitted: tuple[tuple[NotebookCell, int, str], ...] = ()
    is_test: bool = False
    is_train: bool = False
    kind: str = ""


_UNKNOWN = _Origin()


def check_leakage(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find transformers fitted before the split whose result is split, and fits on test rows.

    The text's order does not count: a ``fit_transform`` whose result is never split is no finding.
    """
    walk = _Walk(analysis)
    for cell in analysis.cells:
        for statement in (cell.python.tree or ast.Module([], [])).body:
            yield from walk.statement(cell, statement)


class _Walk:
    """Follows the origin of values, statement by statement."""

    def __init__(self, analysis: Analysis) -> None:
        self._analysis = analysis
        self._origins: dict[str, _Origin] = {}
        self._reported: set[tuple[int, int]] = set()

    def statement(self, cell: NotebookCell, node: ast.AST) -> Iterator[NotebookFinding]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return
        bodies = [getattr(node, part, []) for part in ("body", "orelse", "finalbody")]
        for call in [each for each in ast.walk(node) if isinstance(each, ast.Call)]:
            yield from self._call(cell, call)
        if isinstance(node, ast.Assign):
            self._assign(cell, node)
        elif isinstance(node, ast.AugAssign):
            name = root_name(node.target) or ""
            self._origins[name] = _join([self._of(cell, node.value), self._name(name)])
        for statement in [each for body in bodies if isinstance(body, list) for each in body]:
            yield from self.statement(cell, statement)

    def _call(self, cell: NotebookCell, node: ast.Call) -> Iterator[NotebookFinding]:
        name = self._analysis.dotted(node.func)
        if name.rpartition(".")[2] in _SPLITS:
            for argument in [*node.args, *(each.value for each in node.keywords)]:
                for place in self._of(cell, argument).fitted:
                    yield from self._leak(*place, cell, node.lineno)
        elif isinstance(node.func, ast.Attribute) and node.func.attr in _FITS and node.args:
            origin = self._of(cell, node.args[0])
            kind = self._kind(node.func.value)
            if origin.is_test and self._is_exchange(cell, node, kind):
                return
            if origin.is_test and kind.startswith(("sklearn", *_LEARNING)):
                yield from self._on_test(cell, node, kind, is_both=origin.is_train)
            elif kind.startswith(_LEARNING) and kind.rpartition(".")[2] not in _STATELESS:
                self._note_fit(cell, node, kind, origin)

    def _note_fit(self, cell: NotebookCell, node: ast.Call, kind: str, origin: _Origin) -> None:
        """Remember in the estimator the fit on rows that are not split yet."""
        name = root_name(node.func)
        if name and not origin.is_train:
            place = (cell, node.lineno, kind.rpartition(".")[2])
            self._origins[name] = replace(self._name(name), kind=kind, fitted=(place,))

    def _is_exchange(self, cell: NotebookCell, fit: ast.Call, kind: str) -> bool:
        """Return whether the halves only changed places: fitted on the one, judged on the other."""
        if kind.startswith(_LEARNING):
            return False
        estimator = ast.dump(fit.func.value) if isinstance(fit.func, ast.Attribute) else ""
        for call, method in _methods_after(cell, fit):
            if ast.dump(method.value) == estimator or method.value is fit:
                if method.attr in _FITS:
                    return False
                if method.attr in _JUDGES and call.args:
                    origin = self._of(cell, call.args[0])
                    return origin.is_train and not origin.is_test
        return False

    def _leak(
        self, fit: NotebookCell, line: int, what: str, split: NotebookCell, split_line: int
    ) -> Iterator[NotebookFinding]:
        if (fit.index, line) not in self._reported:
            self._reported.add((fit.index, line))
            message = (
                f"{what} is fitted on all rows, and its result is split afterwards (cell {split.index}, line"
                f" {split_line}): the test rows have shaped the training features."
            )
            yield finding(fit, "NB7", "error", line, message, name=what)

    def _on_test(
        self, cell: NotebookCell, node: ast.Call, kind: str, *, is_both: bool
    ) -> Iterator[NotebookFinding]:
        if (cell.index, node.lineno) in self._reported:
            return
        self._reported.add((cell.index, node.lineno))
        what = kind.rpartition(".")[2]
        rows = "training and test rows together" if is_both else "test rows"
        fix = f"Fit {what} on the training rows, and call transform on the test rows."
        yield finding(
            cell, "NB7", "error", node.lineno, f"{what} is fitted on {rows}.", fix=fix, name=what
        )

    def _assign(self, cell: NotebookCell, node: ast.Assign) -> None:
        target = node.targets[0]
        called = self._analysis.dotted(node.value.func) if isinstance(node.value, ast.Call) else ""
        if isinstance(target, ast.Tuple) and called.rpartition(".")[2] in _SPLITS:
            for place, each in enumerate(target.elts):
                subset = _Origin(is_train=place % 2 == 0, is_test=place % 2 == 1)
                self._origins[root_name(each) or ""] = subset
            return
        origin = self._of(cell, node.value)
        whole = isinstance(target, ast.Name | ast.Tuple)
        for name in [each.id for each in ast.walk(target) if isinstance(each, ast.Name)]:
            self._origins[name] = origin if whole else _join([origin, self._name(name)])

    def _of(self, cell: NotebookCell, node: ast.AST) -> _Origin:
        """Return the origin of an expression."""
        if isinstance(node, ast.Name):
            return self._name(node.id)
        origins = [self._of(cell, child) for child in ast.iter_child_nodes(node)]
        joined = replace(_join(origins), kind="")
        if not isinstance(node, ast.Call):
            return joined
        kind = self._kind(node)
        attribute = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        learns = kind.startswith(_LEARNING) and kind.rpartition(".")[2] not in _STATELESS
        if attribute in _FITS and learns and not (joined.is_train or joined.is_test):
            place = (cell, node.lineno, kind.rpartition(".")[2])
            return replace(joined, fitted=(*joined.fitted, place))
        is_class = kind.rpartition(".")[2][:1].isupper() and not attribute
        return replace(joined, kind=kind if is_class or attribute in _FITS else "")

    def _kind(self, node: ast.AST) -> str:
        """Return the dotted class of an estimator, through names, calls and fits."""
        if isinstance(node, ast.Name):
            return self._name(node.id).kind
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _FITS:
                return self._kind(node.func.value)
            return self._analysis.dotted(node.func)
        return ""

    def _name(self, name: str) -> _Origin:
        return self._origins.get(name, _UNKNOWN)


def _methods_after(cell: NotebookCell, fit: ast.Call) -> list[tuple[ast.Call, ast.Attribute]]:
    """Return a cell's calls of methods behind a fit, in the order of the text."""
    calls = [
        (node, node.func)
        for node in ast.walk(cell.python.tree or ast.Module([], []))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and _end(node) > _end(fit)
    ]
    return sorted(calls, key=lambda call: _end(call[0]))


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or 0, node.end_col_offset or 0


def _join(origins: Iterable[_Origin]) -> _Origin:
    origins = list(origins)
    fitted = tuple(dict.fromkeys(place for origin in origins for place in origin.fitted))
    return _Origin(
        fitted,
        any(origin.is_test for origin in origins),
        any(origin.is_train for origin in origins),
    )
