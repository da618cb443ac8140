"""UnsafeModel: the declared way out for a model without a safe format; loaded in a separate process.

The bytes are a pickle, and this process never unpickles them: a stored UnsafeModel is a handle, and
each call goes to an isolated process, whose answers are numbers and plain labels.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from penstock.core import ParameterError, SerializationError, digest_bytes, require, require_reason
from penstock.sandbox import IsolationError, why_no_isolation
from penstock.stores._classes import RECORDED, module_name
from penstock.stores.artifacts._code import is_installed
from penstock.stores.artifacts._value import Serialized, type_name
from penstock.stores.artifacts.models._object_digest import digest_object
from penstock.stores.artifacts.models._protocol import StoredModel
from penstock.stores.artifacts.models._unsafe_process import UnsafeProcess

METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")
_TIMEOUT_S, _MEMORY_BYTES = 60.0, 4 << 30
_FACTS = ("classes_", "n_features_in_", "feature_names_in_")


class UnsafeModel:
    """A fitted estimator that can only be stored as a pickle, declared as such.

    >>> from sklearn.dummy import DummyClassifier
    >>> fitted = DummyClassifier().fit([[0], [1]], ["no", "yes"])
    >>> model = UnsafeModel(fitted, reason="Its library has no other format.")
    >>> model.predict([[5]]).tolist(), model.reason
    (['no'], 'Its library has no other format.')

    In the process of origin this is the estimator itself. Read from a store this is a handle: the
    pickle is loaded in a process without network, without subprocesses, that writes only in an
    empty folder and reads only Python and the installed packages. The registry refuses it
    unless the store's policy allows such models (``penstock store unsafe-models``).

    Threads: calls are made in sequence.

    Args:
        estimator: The fitted estimator; must have ``predict``.
        reason: Why no safe format will do; shown wherever the model is.
        timeout_s: Seconds that a call may take in the process.
        memory_bytes: Memory that the process may use.

    Raises:
        ParameterError: If the reason is empty, or the estimator cannot predict.
    """

    def __init__(
        self,
        estimator: object,
        *,
        reason: str,
        timeout_s: float = _TIMEOUT_S,
        memory_bytes: int = _MEMORY_BYTES,
    ) -> None:
        if not callable(getattr(estimator, "predict", None)):
            raise ParameterError(
                what=f"{type(estimator).__name__} has no predict().",
                why="An UnsafeModel is a model.",
                fix="Wrap the fitted estimator.",
            )
        self.reason = require_reason(reason, "An UnsafeModel")
        self._estimator: Any = estimator
        self._process: UnsafeProcess | None = None
        self._data, self._digest = b"", ""
        self._facts: Mapping[str, Any] = _describe(estimator, timeout_s, memory_bytes)

    @property
    def is_apart(self) -> bool:
        """Whether calls go to the isolated process; false in the process that made the model."""
        return self._process is not None

    @property
    def kind(self) -> str:
        """Class of the estimator, for people."""
        return str(self._facts["kind"])

    def close(self) -> None:
        """End the model's process; the next call starts a new process."""
        if self._process is not None:
            self._process.close()

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("_facts", {})
        if name in facts.get("methods", ()):
            return _Method(self, name)
        if name in _FACTS and facts.get(name) is not None:
            return _as_labels(facts[name]) if isinstance(facts[name], list) else facts[name]
        if name == "_estimator_type" and facts.get("estimator_type"):
            return facts["estimator_type"]
        raise AttributeError(f"an UnsafeModel of {facts.get('kind', '?')} has no {name!r}")

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_process": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._estimator is None:
            self._process = _process_of(self._data, self._facts)

    def __repr__(self) -> str:
        return f"UnsafeModel({self.kind}, reason={self.reason!r})"

    def _call(self, name: str, table: Any) -> Any:
        if self._process is None:
            return getattr(self._estimator, name)(table)
        return self._process.call(name, table)


class _Method:
    """A method of the estimator, in any process; an object, so that pickling works."""

    def __init__(self, model: UnsafeModel, name: str) -> None:
        self._model, self._name = model, name

    def __call__(self, X: Any) -> Any:  # noqa: N803 - as scikit-learn calls it
        return self._model._call(self._name, X)  # noqa: SLF001 - of this file


class UnsafeFormat:
    """See ModelFormat."""

    name = "unsafe"
    is_safe = False

    def can_write(self, value: Any) -> bool:
        """See ModelFormat."""
        return isinstance(value, UnsafeModel)

    def write(self, value: Any, content_digest: str) -> Serialized:
        """See ModelFormat."""
        data = value._data or _dumps(value._estimator)  # noqa: SLF001 - the format knows the class
        facts = {**value._facts, "why_unsafe": value.reason, "digest": _digest_of(value)}  # noqa: SLF001
        return Serialized(
            data, self.name, content_digest, f"UnsafeModel({value.kind})", facts, unsafe=True
        )

    def read(self, stored: StoredModel) -> UnsafeModel:
        """See ModelFormat: the bytes are not looked at."""
        facts = dict(stored.metadata)
        model = UnsafeModel.__new__(UnsafeModel)
        model.__setstate__(
            {
                "reason": str(facts.get("why_unsafe", "")),
                "_estimator": None,
                "_data": stored.data,
                "_digest": str(facts.get("digest", "")),
                "_facts": _checked(facts),
            }
        )
        return model

    def state(self, value: Any) -> Any:
        """See ModelFormat."""
        if not self.can_write(value):
            return None
        return ["unsafe", value.reason, _digest_of(value)]

    def load_library(self) -> None:
        """See ModelFormat."""


def _describe(estimator: Any, timeout_s: float, memory_bytes: int) -> dict[str, Any]:
    classes, names = (getattr(estimator, name, None) for name in ("classes_", "feature_names_in_"))
    inputs = getattr(estimator, "n_features_in_", None)
    return {
        "kind": type_name(estimator),
        "methods": [name for name in METHODS if callable(getattr(estimator, name, None))],
        "classes_": None if classes is None else _plain_list(classes),
        "feature_names_in_": None if names is None else [str(name) for name in names],
        "n_features_in_": None if inputs is None else int(inputs),
        "estimator_type": _estimator_type(estimator),
        "timeout_s": timeout_s,
        "memory_bytes": memory_bytes,
    }


def _estimator_type(estimator: Any) -> str | None:
    tags = getattr(estimator, "__sklearn_tags__", None)
    try:
        kind = tags().estimator_type if tags else None
    except Exception:  # noqa: BLE001 - a class of an older form
        kind = None
    return kind or getattr(estimator, "_estimator_type", None)


def _plain_list(values: Any) -> list[Any] | None:
    as_list = values.tolist() if hasattr(values, "tolist") else list(values)
    plain = all(isinstance(each, str | int | float | bool) for each in as_list)
    return as_list if plain else None


def _as_labels(values: list[Any]) -> Any:
    import numpy as np

    return np.asarray(values, dtype=object if isinstance(values[:1] and values[0], str) else None)


def _checked(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of a record that are used here."""
    return {
        "kind": str(facts.get("kind", "?")),
        "methods": [name for name in facts.get("methods", ()) if name in METHODS],
        **{name: facts.get(name) for name in _FACTS},
        "estimator_type": facts.get("estimator_type"),
        "timeout_s": float(facts.get("timeout_s", _TIMEOUT_S)),
        "memory_bytes": int(facts.get("memory_bytes", _MEMORY_BYTES)),
    }


def _process_of(data: bytes, facts: Mapping[str, Any]) -> UnsafeProcess:
    return UnsafeProcess(
        data,
        kind=facts["kind"],
        timeout_s=facts["timeout_s"],
        memory_bytes=facts["memory_bytes"],
    )


def _digest_of(model: UnsafeModel) -> str:
    """Return the digest of the estimator's state; of the bytes where the state is not exposed."""
    if model._digest:  # noqa: SLF001
        return model._digest  # noqa: SLF001
    try:
        return digest_object(model._estimator)  # noqa: SLF001
    except SerializationError:
        return digest_bytes(_dumps(model._estimator))  # noqa: SLF001


def _dumps(estimator: Any) -> bytes:
    reason = why_no_isolation()
    if reason is not None:
        raise IsolationError(
            what=f"An UnsafeModel could be stored, and not be read on this machine: {reason}.",
            why="A pickle is only loaded in an isolated process.",
            fix="Use Linux 5.13 or newer with Landlock and seccomp, or a model in a safe format.",
        )
    cloudpickle = require("cloudpickle", extra="pickle", purpose="storing an UnsafeModel")
    try:
        with _by_value(cloudpickle):
            data: bytes = cloudpickle.dumps(estimator, protocol=5)
    except Exception as error:
        raise SerializationError(
            what=f"{type_name(estimator)} cannot be pickled: {error}",
            why="An UnsafeModel is stored as a pickle.",
            fix="Leave locks, files and connections out of its attributes.",
        ) from error
    return data


@contextmanager
def _by_value(cloudpickle: Any) -> Iterator[None]:
    """Let classes and functions of the user's modules be part of the pickle: there is no project."""
    own = [module for name, module in list(sys.modules.items()) if _is_own_module(name, module)]
    known = cloudpickle.list_registry_pickle_by_value()
    added = [module for module in own if module.__name__ not in known]
    for module in added:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in added:
            cloudpickle.unregister_pickle_by_value(module)


def _is_own_module(name: str, module: object) -> bool:
    if not isinstance(module, ModuleType) or module.__name__ != name or name == "__main__":
        return False
    return name.startswith(RECORDED) or not is_installed(module_name(name))
