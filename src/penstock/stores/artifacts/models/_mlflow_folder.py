"""MlflowFolder: which file of a model folder of MLflow's is the model, and of which format.

Only ``MLmodel`` is read, as YAML without aliases, tags and types: nothing is loaded here. The file
that it names has to be one of the folder's own; what the file holds is up to its format to find out.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import SerializationError, require

MLMODEL = "MLmodel"
_MOST_BYTES = 2 << 20
_MOST_EVENTS = 50_000
_MOST_DEPTH = 32
_MOST_COLUMNS = 5_000
_PYFUNC = "python_function"
_SKOPS = "skops"
_PREDICT = frozenset({"", "predict", "predict_proba", "predict_log_proba"})
_XGBOOST = frozenset({"Booster", "XGBClassifier", "XGBRFClassifier", "XGBRFRegressor", "XGBRanker", "XGBRegressor"})  # fmt: skip
_CATBOOST = frozenset({"CatBoost", "CatBoostClassifier", "CatBoostRegressor", "CatBoostRanker"})
# Flavors that save by pickle.
_PICKLED = frozenset({"pytorch", "statsmodels", "fastai", "pmdarima"})
_NOBODY_KNOWS = (
    "The file decides what a model predicts, and this description does not say what it is."
)


@dataclass(frozen=True, slots=True)
class MlflowFolder:
    """What a model folder says of its model.

    Args:
        flavor: Name of the flavor that is read.
        file: Name of the model's file in the folder.
        format: Name of the ModelFormat of that file.
        facts: Facts that the format needs, such as the class.
        inputs: Input columns as MLflow describes them; None without a signature.
        example: Name of the file with rows as an example; empty if there is none.
    """

    flavor: str
    file: str
    format: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[Mapping[str, Any], ...] | None = None
    example: str = ""


def read_mlflow_folder(mlmodel: bytes) -> MlflowFolder:
    r"""Read the description of a model folder.

    >>> text = b"flavors: {sklearn: {pickled_model: model.skops, serialization_format: skops}}"
    >>> folder = read_mlflow_folder(text)
    >>> folder.file, folder.format
    ('model.skops', 'skops')

    Args:
        mlmodel: The bytes of ``MLmodel``.

    Raises:
        SerializationError: If the model is a pickle or of a flavor that is not loaded here, or the
            description cannot be read.
    """
    described = _read_yaml(mlmodel)
    flavors = _mapping(described.get("flavors"))
    function = _mapping(flavors.get(_PYFUNC))
    flavor = _choose(flavors, _text(function.get("loader_module")))
    if (method := _text(function.get("predict_fn"))) not in _PREDICT:
        raise _unreadable(f"it predicts by {method[:80]!r}")
    file, model_format, facts = _READERS[flavor](_mapping(flavors[flavor]))
    if not file:
        raise _unreadable(f"the flavor {flavor} names no file")
    example = _mapping(described.get("saved_input_example_info"))
    return MlflowFolder(
        flavor=flavor,
        file=file,
        format=model_format,
        facts=facts,
        inputs=_inputs(_mapping(described.get("signature"))),
        example=_text(example.get("artifact_path")),
    )


def pickle_refusal(what: str) -> SerializationError:
    """Return the error for a folder whose model would have to be unpickled."""
    return SerializationError(
        what=what,
        why="Loading a pickle can run any code, so the folder is kept as files, and no model server"
        " of penstock loads it.",
        fix="Log it in a form without code (mlflow.sklearn.log_model(model, signature=…,"
        ' serialization_format="skops"), mlflow.onnx, a booster), or load it where you trust it and'
        " register what was loaded: penstock.registry.Registry().register(NAME,"
        " penstock.models.Model.of(mlflow.sklearn.load_model(URI), rows)). What has no safe form can"
        ' be declared: penstock.models.UnsafeModel(model, reason="…").',
        format="mlflow",
    )


def _choose(flavors: Mapping[str, Any], loader: str) -> str:
    named = loader.removeprefix("mlflow.")
    if loader and named != loader and named in _READERS and named in flavors:
        return named
    known = [name for name in _READERS if name in flavors]
    if known and loader:
        raise _unreadable(f"it has the flavor {known[0]}, and {loader[:80]!r} loads it")
    if known:
        return known[0]
    function = _mapping(flavors.get(_PYFUNC))
    if function.get("python_model") or loader == "mlflow.pyfunc.model":
        raise pickle_refusal("The model folder of MLflow holds a Python object as a pickle.")
    if pickled := sorted(_PICKLED & flavors.keys()):
        raise pickle_refusal(f"The model folder of MLflow has the flavor {pickled[0]}: a pickle.")
    named_flavors = ", ".join(sorted(name[:40] for name in flavors)[:5]) or "none"
    raise SerializationError(
        what=f"The model folder of MLflow has flavors that are not loaded here: {named_flavors}.",
        why="A file is only loaded by a format that is known to run no code from it.",
        fix=f"Flavors that are: {', '.join(_READERS)}.",
        format="mlflow",
    )


def _of_xgboost(flavor: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind = _class_of(flavor, "xgboost", _XGBOOST)
    return _text(flavor.get("data")), "xgboost", {} if kind == "Booster" else {"class": kind}


def _of_lightgbm(flavor: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    file = _text(flavor.get("data"))
    if _text(flavor.get("model_class")) in {"", "lightgbm.basic.Booster"}:
        return file, "lightgbm", {}
    return _of_archive(flavor, file, "mlflow.lightgbm")


def _of_catboost(flavor: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    kind = _text(flavor.get("model_type")) or "CatBoost"
    if kind not in _CATBOOST:
        raise _unreadable(f"its model is of the class {kind[:80]!r}")
    if (form := _text(flavor.get("save_format")) or "cbm") != "cbm":
        raise _unreadable(f"CatBoost's form {form[:40]!r} is not read here, only cbm")
    return _text(flavor.get("data")), "catboost", {"class": kind}


def _of_sklearn(flavor: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    return _of_archive(flavor, _text(flavor.get("pickled_model")), "mlflow.sklearn")


def _of_onnx(flavor: Mapping[str, Any]) -> tuple[str, str, dict[str, Any]]:
    return _text(flavor.get("data")), "onnx", {}


def _of_archive(
    flavor: Mapping[str, Any], file: str, module: str
) -> tuple[str, str, dict[str, Any]]:
    form = _text(flavor.get("serialization_format")) or "pickle"
    if form != _SKOPS:
        raise pickle_refusal(
            f"The model folder of MLflow holds its model as {form[:40]} ({file[:80]}, {module})."
        )
    return file, _SKOPS, {}


# In the order in which a folder with several is read.
_READERS = {
    "xgboost": _of_xgboost,
    "lightgbm": _of_lightgbm,
    "catboost": _of_catboost,
    "onnx": _of_onnx,
    "sklearn": _of_sklearn,
}


def _class_of(flavor: Mapping[str, Any], package: str, known: frozenset[str]) -> str:
    name = _text(flavor.get("model_class")) or f"{package}.core.Booster"
    module, _, kind = name.rpartition(".")
    if module.partition(".")[0] != package or kind not in known:
        raise _unreadable(f"its model is of the class {name[:80]!r}")
    return kind


def _inputs(signature: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...] | None:
    text = _text(signature.get("inputs"))
    if not text:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _unreadable(f"its signature is no JSON ({error})") from error
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _unreadable("its signature is no list of columns")
    if not 0 < len(found) <= _MOST_COLUMNS:
        raise _unreadable(f"its signature has {len(found):,} columns")
    return tuple(found)


def _read_yaml(data: bytes) -> Mapping[str, Any]:
    if len(data) > _MOST_BYTES:
        raise _unreadable(f"it has {len(data):,} bytes, and may have {_MOST_BYTES:,}")
    yaml = require("yaml", extra="mlflow", purpose="A model folder of MLflow")
    # Texts only: numbers, dates and objects are never made of what a file says.
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        text = data.decode()
        depth = 0
        for count, event in enumerate(yaml.parse(text, Loader=loader)):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise _unreadable("it refers to parts of itself, which may grow without an end")
            if depth > _MOST_DEPTH or count > _MOST_EVENTS:
                raise _unreadable("it is nested too deep, or has too many parts")
        found = yaml.load(text, Loader=loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise _unreadable(f"it is no YAML ({str(error)[:200]})") from error
    return _mapping(found)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Return a text; empty for what is none, and for YAML's null, which is read as a text."""
    return value if isinstance(value, str) and value not in {"null", "~"} else ""


def _unreadable(detail: str) -> SerializationError:
    return SerializationError(
        what=f"The description of the model folder (MLmodel) cannot be used: {detail}.",
        why=_NOBODY_KNOWS,
        fix="Log the model again with MLflow's client.",
        format="mlflow",
    )
