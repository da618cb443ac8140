"""The stored formats that a model may be loaded from; apart because this is a security decision.

The record names the format, which is never found by trying loader after loader. Formats that run no
code from the bytes are safe; see ``penstock.stores.ModelFormat``.
"""

from typing import TYPE_CHECKING

from penstock.core import ArtifactRecord, GateError, SerializationError, with_article
from penstock.models._file_advice import file_advice
from penstock.stores import find_model_format

if TYPE_CHECKING:
    from penstock.stores import Store

_UNSAFE = "unsafe"
_MOST_PATH = 1000


def require_safe(record: ArtifactRecord) -> ArtifactRecord:
    """Return the record if a model may be loaded from the format.

    Args:
        record: The stored model.

    Raises:
        SerializationError: If the format can run code when loaded, or the artifact is no model.
    """
    model_format = find_model_format(record.format)
    if model_format is not None and model_format.is_safe and not record.unsafe:
        return record
    if record.unsafe or record.format == "cloudpickle":
        reason = str(record.metadata.get("why_unsafe", "")).strip()
        raise SerializationError(
            what=f"The model ({record.type_name}) can only be stored as a pickle"
            + (f": {reason.rstrip('.')}." if reason else "."),
            why="Loading a pickle can run any code, so it may not be registered or served.",
            fix=_advice(record.type_name),
            format=record.format,
        )
    raise SerializationError(
        what=f"{with_article(record.type_name, begins=True)} (stored as {record.format}) is no model.",
        why="A model is a fitted estimator, a booster or a network.",
        fix=file_advice(_file_of(record))
        or "Return the fitted estimator from the training step and register that.",
        format=record.format,
    )


def require_model(record: ArtifactRecord) -> ArtifactRecord:
    """Return the record if the artifact is a model: of a safe format, or a declared `UnsafeModel`.

    Whether a declared model may be registered is up to the store; see `require_allowed`.

    Raises:
        SerializationError: If the artifact is a pickle without a declaration, or no model.
    """
    return record if record.format == _UNSAFE else require_safe(record)


def require_allowed(record: ArtifactRecord, *, store: "Store") -> ArtifactRecord:
    """Return the record if the store allows registration and loading.

    Raises:
        SerializationError: If there is no safe format, and is not declared or not allowed.
    """
    if record.format != _UNSAFE:
        return require_safe(record)
    if store.unsafe_models == "refuse":
        raise SerializationError(
            what=f"The model is an {record.type_name}, and this store refuses unsafe models.",
            why=f"It is a pickle, which can run any code: {unsafe_reason(record)}",
            fix="Store it in a safe format; or, knowingly: penstock store unsafe-models register",
            format=record.format,
        )
    return record


def require_unsafe_allowed(record: ArtifactRecord, where: str, *, store: "Store") -> None:
    """Check that a model may answer requests, as in staging and production.

    Args:
        record: The stored model.
        where: Use of the model, for the message: ``go to production``.
        store: The store with the policy.

    Raises:
        GateError: If the model is an `UnsafeModel`, and the store does not allow these there.
    """
    if record.format == _UNSAFE and store.unsafe_models != "production":
        raise GateError(
            what=f"The model is an {record.type_name}; it may not {where} in this store.",
            why=f"It is a pickle, which can run any code: {unsafe_reason(record)}",
            fix="Store it in a safe format; or, knowingly: penstock store unsafe-models production",
            reasons=("the model is unsafe",),
            gates=(),
        )


def unsafe_reason(record: ArtifactRecord) -> str:
    """Return why a stored model is unsafe; empty for a safe model."""
    return str(record.metadata.get("why_unsafe", "")) if record.unsafe else ""


def _file_of(record: ArtifactRecord) -> str:
    """Return the file that a stored value is or names, as a path in place of a model does."""
    if record.format == "json" and record.inline and len(record.inline) <= _MOST_PATH:
        return record.inline.decode("utf-8", "replace").strip('{}[]"')
    return str(record.metadata.get("file", ""))


def _advice(type_name: str) -> str:
    if type_name.endswith("SearchCV"):
        return "Register what the search found: search.best_estimator_."
    return (
        "Build it from scikit-learn, boosters, torch and the project's own code; calculations inside"
        " the model, as FunctionTransformer(np.log1p): before the split, callers of the server must"
        ' make them. What has no safe form can be declared: ps.models.UnsafeModel(model, reason="…").'
    )
