"""The stored formats that a model may be loaded from; apart because this is a security decision.

The record names the format, which is never found by trying loader after loader. Formats that run no
code from the bytes are safe; see ``penstock.stores.ModelFormat``.
"""

from penstock.core import ArtifactRecord, SerializationError, with_article
from penstock.stores import find_model_format


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
        fix="Return the fitted estimator from the training step and register that.",
        format=record.format,
    )


def _advice(type_name: str) -> str:
    if type_name.endswith("SearchCV"):
        return "Register what the search found: search.best_estimator_."
    return (
        "Build it from scikit-learn, boosters, torch and the project's own code; calculations inside"
        " the model, as FunctionTransformer(np.log1p): before the split, callers of the server must"
        " make them."
    )
