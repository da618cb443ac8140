"""NB5: random draws and estimators without a seed."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from penstock.notebooks._document import NotebookCell
from penstock.notebooks._finding import NotebookFinding
from penstock.notebooks.rules._analysis import Analysis, finding

# scikit-learn: takes random_state and draws by default.
_DRAWING = frozenset(
    [
        "train_test_split",
        "ShuffleSplit",
        "StratifiedShuffleSplit",
        "GroupShuffleSplit",
        "RepeatedKFold",
        "RepeatedStratifiedKFold",
        "RandomizedSearchCV",
        "HalvingRandomSearchCV",
        "ParameterSampler",
        "learning_curve",
        "RandomForestClassifier",
        "RandomForestRegressor",
        "ExtraTreesClassifier",
        "ExtraTreesRegressor",
        "RandomTreesEmbedding",
        "GradientBoostingClassifier",
        "GradientBoostingRegressor",
        "DecisionTreeClassifier",
        "DecisionTreeRegressor",
        "ExtraTreeClassifier",
        "ExtraTreeRegressor",
        "BaggingClassifier",
        "BaggingRegressor",
        "AdaBoostClassifier",
        "AdaBoostRegressor",
        "IsolationForest",
        "KMeans",
        "MiniBatchKMeans",
        "BisectingKMeans",
        "GaussianMixture",
        "BayesianGaussianMixture",
        "MLPClassifier",
        "MLPRegressor",
        "BernoulliRBM",
        "SGDClassifier",
        "SGDRegressor",
        "SGDOneClassSVM",
        "Perceptron",
        "PassiveAggressiveClassifier",
        "TSNE",
        "MDS",
        "SpectralEmbedding",
        "SpectralClustering",
        "TruncatedSVD",
        "FastICA",
        "DictionaryLearning",
        "LatentDirichletAllocation",
        "GaussianRandomProjection",
        "SparseRandomProjection",
        "Nystroem",
        "RBFSampler",
        "KNNImputerRandom",
        "RANSACRegressor",
        "TheilSenRegressor",
        "permutation_importance",
        "make_classification",
        "make_regression",
        "make_blobs",
        "make_moons",
        "make_circles",
        "make_friedman1",
        "make_swiss_roll",
        "resample",
        "shuffle",
        "SMOTE",
        "RandomUnderSampler",
        "RandomOverSampler",
        "ADASYN",
        "UMAP",
    ]
)
# Draws only with this argument.
_ON_ARGUMENT = {
    "KFold": "shuffle", "StratifiedKFold": "shuffle", "GroupKFold": "shuffle",
    "HistGradientBoostingClassifier": "early_stopping", "HistGradientBoostingRegressor": "early_stopping",
    "SVC": "probability",
}  # fmt: skip
_SOLVERS = {"LogisticRegression": {"sag", "saga", "liblinear"}, "Ridge": {"sag", "saga"},
            "PCA": {"randomized", "arpack"}}  # fmt: skip
_NUMPY = frozenset(
    [
        "rand",
        "randn",
        "randint",
        "random",
        "random_sample",
        "ranf",
        "sample",
        "choice",
        "shuffle",
        "permutation",
        "normal",
        "uniform",
        "binomial",
        "poisson",
        "exponential",
        "beta",
        "gamma",
        "standard_normal",
        "multivariate_normal",
        "lognormal",
        "laplace",
    ]
)
_RANDOM = frozenset(
    [
        "random",
        "randint",
        "randrange",
        "choice",
        "choices",
        "shuffle",
        "sample",
        "uniform",
        "gauss",
        "normalvariate",
        "betavariate",
        "expovariate",
        "triangular",
        "getrandbits",
    ]
)
_TORCH = frozenset(
    ["rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "rand_like"]
)
_SEEDS = {
    "numpy": ("numpy.random.seed", "numpy.random.set_state"),
    "random": ("random.seed",),
    "torch": ("torch.manual_seed", "torch.random.manual_seed", "lightning.seed_everything"),
    "tensorflow": ("tensorflow.random.set_seed", "keras.utils.set_random_seed"),
}


@dataclass(frozen=True, slots=True)
class _Draw:
    """A call that draws random numbers: of which library, and with what seed."""

    library: str
    text: str
    fix: str


def check_seeds(analysis: Analysis) -> Iterator[NotebookFinding]:
    """Find draws that nothing has seeded; scikit-learn without random_state uses numpy's generator."""
    seeded: set[str] = set()
    for cell in analysis.cells:
        for node in _calls_in_order(cell):
            name = analysis.dotted(node.func)
            seeded |= {library for library, names in _SEEDS.items() if _seeds(name, names)}
            draw = _draw(node, name)
            if draw is not None and draw.library not in seeded:
                message = f"{draw.text} without a seed."
                yield finding(cell, "NB5", "warning", node.lineno, message, fix=draw.fix, name=name)


def _seeds(name: str, names: tuple[str, ...]) -> bool:
    last = name.rpartition(".")[2]
    is_own = last in {"seed_everything", "set_seed", "set_random_seed", "fix_seed", "seed_all"}
    return name in names or is_own


def _calls_in_order(cell: NotebookCell) -> list[ast.Call]:
    tree = cell.python.tree or ast.Module([], [])
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return sorted(calls, key=lambda node: (node.lineno, node.col_offset))


def _draw(node: ast.Call, name: str) -> _Draw | None:
    module, _, last = name.rpartition(".")
    keywords = {each.arg: each.value for each in node.keywords}
    if None in keywords:  # **options may hold the seed
        return None
    if module.startswith(("sklearn", "imblearn", "umap")):
        return _sklearn(last, node, keywords)
    if name == "numpy.random.default_rng" and not node.args and not keywords:
        return _Draw("generator", "numpy.random.default_rng()", "Pass a seed: default_rng(0).")
    if module == "numpy.random" and last in _NUMPY:
        return _Draw("numpy", name, "Call numpy.random.seed(0) in the first cell.")
    if module == "random" and last in _RANDOM:
        return _Draw("random", name, "Call random.seed(0) in the first cell.")
    if module == "torch" and last in _TORCH:
        return _Draw("torch", name, "Call torch.manual_seed(0) in the first cell.")
    if module == "torch.utils.data" and last == "DataLoader" and _true(keywords.get("shuffle")):
        return _Draw(
            "torch", f"{last} with shuffle", "Call torch.manual_seed(0) in the first cell."
        )
    is_frame = last == "sample" and module not in {"", "random", "numpy.random"} and "." in name
    if is_frame and _needs(keywords) and ({"n", "frac"} & set(keywords)):
        return _Draw("numpy", f"{name}", "Pass random_state=0.")
    return None


def _sklearn(last: str, node: ast.Call, keywords: dict[str | None, ast.expr]) -> _Draw | None:
    draws = last in _DRAWING and not (
        last == "train_test_split" and _false(keywords.get("shuffle"))
    )
    draws |= last in _ON_ARGUMENT and _true(keywords.get(_ON_ARGUMENT[last]))
    solver = keywords.get("solver", keywords.get("svd_solver"))
    draws |= isinstance(solver, ast.Constant) and solver.value in _SOLVERS.get(last, set())
    if (
        not draws
        or not _needs(keywords)
        or any(isinstance(each, ast.Starred) for each in node.args)
    ):
        return None
    return _Draw("numpy", f"{last}(…) draws random numbers", "Pass random_state=0.")


def _needs(keywords: dict[str | None, ast.expr]) -> bool:
    state = keywords.get("random_state", keywords.get("seed"))
    return state is None or (isinstance(state, ast.Constant) and state.value is None)


def _true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and bool(node.value)


def _false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and not node.value
