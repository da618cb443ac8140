"""scikit-learn estimators as skops archives with the same bytes for the same fit.

skops names parts by their address in memory and adds the time of day; the archive is rewritten
with names by order and no time. Only types on a closed list are ever loaded.
"""

import importlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Mapping
from functools import cache
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any

from penstock.core import SerializationError
from penstock.stores._classes import module_name
from penstock.stores.artifacts._arrays import without_padding
from penstock.stores.artifacts._code import is_installed
from penstock.stores.artifacts._sparse import stable_npz
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._catboost_bytes import is_catboost_model, stable_model
from penstock.stores.artifacts.models._distributions import with_distributions, with_names
from penstock.stores.artifacts.models._nesting import (
    definitions_of,
    nested_source,
    nested_written,
)
from penstock.stores.artifacts.models._own_code import (
    NO_CODE,
    find_definitions,
    gather_code,
    own_definitions,
)
from penstock.stores.artifacts.models._protocol import StoredModel

# Types trusted by skops itself are scikit-learn's public estimators, NumPy's and SciPy's types and
# plain containers. These are the inner types that our model classes need besides: data holders
# without code chosen by the file.
_TRUSTED = re.compile(
    r"""
      numpy\.(dtype|dtypes\.\w+|random\.\w+)
    | scipy\.sparse\.\w+\.(bsr|coo|csc|csr|dia)_(array|matrix)
    | collections\.(OrderedDict|defaultdict)
    | sklearn\.tree\._tree\.Tree
    | sklearn\.cluster\._bisect_k_means\._BisectingTree
    | sklearn\.cluster\._kmeans\._kmeans_single_(lloyd|elkan)
    | sklearn\.gaussian_process\._gpc\._BinaryGaussianProcessClassifierLaplace
    | scipy\.interpolate\._bsplines\.BSpline
    | scipy\._lib\.array_api_compat\.numpy\._aliases\.asarray
    | sklearn\.ensemble\._hist_gradient_boosting\.predictor\.TreePredictor
    | sklearn\.ensemble\._gb_losses\.\w+
    | sklearn\._loss\.(loss|link|_loss)\.\w+
    # Experimental: skops knows these only if they were enabled before skops was loaded.
    | sklearn\.impute\._iterative\.(IterativeImputer|_ImputerTriplet)
    | sklearn\.model_selection\._search_successive_halving\.Halving(Grid|Random)SearchCV
    | sklearn\.utils\._bunch\.Bunch
    | sklearn\.utils\._metadata_requests\.(MetadataRequest|MethodMetadataRequest)
    | sklearn\.calibration\.(_CalibratedClassifier|_SigmoidCalibration|_TemperatureScaling)
    | sklearn\.compose\._column_transformer\._RemainderColsList
    | sklearn\.compose\._column_transformer\.make_column_selector
    | sklearn\.gaussian_process\.kernels\.\w+
    | sklearn\.model_selection\._split\.\w+
    | sklearn\.neighbors\.(_kd_tree\.KDTree\w*|_ball_tree\.BallTree\w*)
    | sklearn\.metrics\._dist_metrics\.\w+
    | sklearn\.feature_selection\._univariate_selection\.(f_classif|f_regression|chi2)
    | sklearn\.feature_selection\._mutual_info\.mutual_info_(classif|regression)
    | sklearn\.linear_model\._sgd_fast\.\w+
    | sklearn\.metrics\._scorer\._\w*Scorer
    # What a scorer computes: of numbers a number.
    | sklearn\.metrics\._(classification|ranking|regression)\.[a-z]\w*_(score|loss|error|deviance|corrcoef)
    | sklearn\.neural_network\._stochastic_optimizers\.\w+
    # Of a partial the function is asked for, too; this is the one in HistGradientBoosting.
    | functools\.partial
    | sklearn\.utils\.validation\.check_array
    # Of two texts it makes a text.
    | penstock\.features\._transform\.name_output
    | penstock\.stores\.artifacts\.models\._distributions\.NamedDistribution
    | xgboost\.(core\.Booster|sklearn\.XGB\w+)
    | lightgbm\.(basic\.Booster|sklearn\.LGBM\w+)
    | catboost\.core\.CatBoost(Classifier|Regressor|Ranker)?
    """,
    re.VERBOSE,
)
_OURS = ("penstock.features.", "penstock.models.")
_FIRST_MOMENT = (1980, 1, 1, 0, 0, 0)
_SCHEMA = "schema.json"
# scikit-learn's own copies of the wrappers for arrays of other libraries: loading them loads those
# libraries.
_WRAPPERS = "sklearn.externals.array_api_compat"
_WRAPPED = ("torch", "cupy", "dask")


class SkopsFormat:
    """See ModelFormat."""

    name = "skops"
    is_safe = True

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        # An estimator exists only where scikit-learn is loaded already.
        base = sys.modules.get("sklearn.base")
        return base is not None and isinstance(value, base.BaseEstimator)

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        return write_estimator(value, content_digest)

    def read(self, stored: StoredModel) -> Any:
        """See ModelFormat."""
        return read_estimator(stored.data, stored.source, stored.metadata)

    def state(self, value: Any) -> None:
        """See ModelFormat."""

    def load_library(self) -> None:
        """See ModelFormat."""
        import_skops()


def write_estimator(value: Any, content_digest: str) -> Serialized:
    """Serialise an estimator.

    Raises:
        SerializationError: If a nested object has a type that is not on the closed list, nor a
            class or function of the user's whose source is known.
    """
    code = NO_CODE
    estimator = with_names(value)
    with nested_written() as inner:
        data = _dump(estimator)
        strangers = _strangers(data)
        if strangers:
            own = own_definitions(estimator)
            names = {f"{each.__module__}.{each.__name__}" for each in own}
            strangers = [name for name in strangers if name not in names]
            if not strangers:
                code = gather_code(own)
                inner.clear()
                data = _dump(estimator)
    if strangers:
        raise SerializationError(
            what=f"{type_name(value)} holds {', '.join(strangers[:5])}.",
            why="Loading a model may only make objects of types that are known to be safe.",
            fix="Use scikit-learn's own parts, penstock.features, or classes of the project.",
            types=strangers,
        )
    source, digests = dict(code.source), dict(code.digests)
    for each in inner:
        source |= each.source
        digests |= definitions_of(each.metadata)
    facts = {"code": {"definitions": digests}} if digests else {}
    data = stable_archive(data, code.names)
    return Serialized(data, "skops", content_digest, type_name(value), facts, source=source)


def _dump(value: Any) -> bytes:
    try:
        data: bytes = import_skops().dumps(value)
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(
            what=f"{type_name(value)} cannot be stored as a skops archive ({error}).",
            fix="Use scikit-learn's own parts, penstock.features, or classes of the project.",
        ) from error
    return data


def read_estimator(
    data: bytes,
    source: Mapping[str, bytes] = MappingProxyType({}),
    facts: Mapping[str, Any] = MappingProxyType({}),
) -> Any:
    """Load an estimator.

    Args:
        data: The archive.
        source: Recorded source of the user's classes and functions.
        facts: The record's; ``code`` lists those that the archive may name.

    Raises:
        SerializationError: If the bytes are not such an archive, or name a type that is not
            allowed.
    """
    digests = definitions_of(facts)
    try:
        require_plain_archive(data)
        own = find_definitions(source, digests) if digests else {}
        data, allowed = _with_places(data, {name: own[name] for name in digests})
        named = import_skops().get_untrusted_types(data=data)
        strangers = [name for name in named if name not in allowed and not _is_allowed(name)]
    except SerializationError:
        raise
    except Exception as error:
        raise SerializationError(
            what=f"The bytes are no skops archive that can be read ({error}).",
            why="An estimator is only loaded from the format that its record names.",
            fix="Train the model again, or restore the artifact from a backup.",
        ) from error
    if strangers:
        raise SerializationError(
            what=f"The model names types that are not allowed: {', '.join(strangers[:5])}.",
            why="Loading them could run code that came with the file.",
            fix="Do not use this file.",
            types=strangers,
        )
    with nested_source(source, digests):
        return with_distributions(import_skops().loads(data, trusted=named))


def _with_places(data: bytes, own: Mapping[str, Any]) -> tuple[bytes, set[str]]:
    """Rewrite the names of the user's definitions to the places where they are loaded."""
    if not own:
        return data, set()
    places = {}
    for name, content in own.items():
        module, _, short = name.partition(":")
        places[module, short] = (content.__module__, short, isinstance(content, FunctionType))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files[_SCHEMA])
    _place(schema, places)
    files[_SCHEMA] = json.dumps(schema).encode()
    return _write_archive(files), {f"{module}.{short}" for module, short, _ in places.values()}


def _place(node: Any, places: Mapping[tuple[str, str], tuple[str, str, bool]]) -> None:
    if isinstance(node, list):
        for item in node:
            _place(item, places)
        return
    if not isinstance(node, dict):
        return
    key = (str(node.get("__module__")), str(node.get("__class__")))
    if key in places:
        module, short, is_function = places[key]
        # A function may be referred to; an archive cannot have it called.
        if is_function != (node.get("__loader__") == "FunctionNode"):
            raise SerializationError(
                what=f"The model uses {'.'.join(key)} in a way that no stored model does.",
                why="Loading it could run code that came with the file.",
                fix="Do not use this file.",
            )
        node["__module__"], node["__class__"] = module, short
    for item in node.values():
        _place(item, places)


def stable_archive(data: bytes, own: Mapping[int, str] = MappingProxyType({})) -> bytes:
    """Rewrite a skops archive so that the bytes depend only on the contents.

    Args:
        data: The archive.
        own: The user's classes and functions as ``module:name`` by id; the module of a script has
            a different name in each process.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        if own:
            _name_own(schema, own)
        names: dict[str, str] = {}
        _renumber(schema, {}, names)
        files = {new: _stable_file(old, archive.read(old)) for old, new in names.items()}
    files[_SCHEMA] = json.dumps(schema, separators=(",", ":")).encode()
    return _write_archive(files)


def _write_archive(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _FIRST_MOMENT), content)
    return buffer.getvalue()


def require_plain_archive(data: bytes) -> None:
    """Refuse archives that are larger when read, and files that stand twice or are links.

    Raises:
        SerializationError: If the archive is not in the form of `write_estimator`.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = [each.filename for each in entries]
        is_stored = all(each.compress_type == zipfile.ZIP_STORED for each in entries)
        if not is_stored or sum(each.file_size for each in entries) > len(data):
            raise SerializationError(
                what="The model is an archive that grows when it is read.",
                why="A small file could fill the memory.",
                fix="Do not use this file; train the model again.",
            )
        if len(set(names)) != len(names) or any("/" in name or "\\" in name for name in names):
            raise SerializationError(
                what="The model is an archive with folders, or with two files of one name.",
                why="No stored model has these.",
                fix="Do not use this file; train the model again.",
            )


def _name_own(node: Any, own: Mapping[int, str]) -> None:
    """Write the names of the user's definitions as they are in every process."""
    if isinstance(node, list):
        for item in node:
            _name_own(item, own)
        return
    if not isinstance(node, dict):
        return
    if node.get("__loader__") in {"TypeNode", "FunctionNode"} and node.get("__id__") in own:
        module, _, short = own[node["__id__"]].partition(":")
        node["__module__"], node["__class__"] = module, short
    elif "__module__" in node and not is_installed(node["__module__"]):
        node["__module__"] = module_name(node["__module__"])
    for item in node.values():
        _name_own(item, own)


def _renumber(node: Any, ids: dict[int, int], names: dict[str, str]) -> None:
    if isinstance(node, list):
        for item in node:
            _renumber(item, ids, names)
        return
    if not isinstance(node, dict):
        return
    if node.get("__loader__") == "SetNode":
        node["content"].sort(key=lambda item: json.dumps(_without_ids(item), sort_keys=True))
    if "__id__" in node:
        # Whether two equal constants are a single object is chance; for two arrays it is not.
        shared = node.get("__loader__") not in {"JsonNode", "TypeNode", "FunctionNode"}
        old = node["__id__"] if shared else -len(ids) - 1
        node["__id__"] = ids.setdefault(old, len(ids) + 1)
    if isinstance(name := node.get("file"), str):
        suffix = name.rpartition(".")[2]
        node["file"] = names.setdefault(name, f"{len(names) + 1}.{suffix}")
    for key, item in node.items():
        if key != "__id__":
            _renumber(item, ids, names)


def _without_ids(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_ids(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_ids(item) for key, item in node.items() if key != "__id__"}
    return node


def _stable_file(name: str, content: bytes) -> bytes:
    import numpy as np

    if name.endswith(".npz"):
        return stable_npz(content)
    if is_catboost_model(content):
        return stable_model(content)
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    buffer = io.BytesIO()
    np.save(buffer, without_padding(array), allow_pickle=False)
    return buffer.getvalue()


@cache
def import_skops() -> ModuleType:
    """Import skops without the tensor libraries, which skops does not need here.

    skops lists scikit-learn's estimators by importing all scikit-learn modules. That would load
    torch wherever installed: two seconds in every process that stores a model.
    """
    wrappers = [f"{_WRAPPERS}.{name}" for name in _WRAPPED if name not in sys.modules]
    stops = {name: None for name in wrappers if name not in sys.modules}
    sys.modules.update(stops)  # type: ignore[arg-type]  # None stops the import of a name
    try:
        return importlib.import_module("skops.io")
    finally:
        for name in stops:
            sys.modules.pop(name, None)


def _strangers(data: bytes) -> list[str]:
    return [name for name in import_skops().get_untrusted_types(data=data) if not _is_allowed(name)]


def _is_allowed(name: str) -> bool:
    if _TRUSTED.fullmatch(name):
        return True
    if not name.startswith(_OURS):
        return False
    from sklearn.base import BaseEstimator

    module, _, class_name = name.rpartition(".")
    loaded = getattr(importlib.import_module(module), class_name, None)
    return isinstance(loaded, type) and issubclass(loaded, BaseEstimator)
