"""The stored formats that a model may be loaded from; apart because this is a security decision.

The format is read from the record, never found by trying loader after loader, and none of these
formats can run code: skops with penstock's own closed list of types, and the boosters' native
files.
"""

from penstock.core import ArtifactRecord, SerializationError, with_article

SAFE_FORMATS = frozenset({"skops", "xgboost", "lightgbm"})


def require_safe(record: ArtifactRecord) -> ArtifactRecord:
    """Return the record if a model may be loaded from the format.

    Args:
        record: The stored model.

    Raises:
        SerializationError: If the format can run code when loaded, or the artifact is no model.
    """
    if record.format in SAFE_FORMATS and not record.unsafe:
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
        why="A model is a fitted scikit-learn, xgboost or lightgbm estimator.",
        fix="Return the fitted estimator from the training step and register that.",
        format=record.format,
    )


def _advice(type_name: str) -> str:
    if type_name.endswith("SearchCV"):
        return "Register what the search found: search.best_estimator_."
    return (
        "Build it from scikit-learn, xgboost and lightgbm; calculations inside the model, as "
        "FunctionTransformer(np.log1p): before the split, callers of the server must make them."
    )
