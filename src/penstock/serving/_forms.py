"""Which form of a version answers: the rule that server and batch share, so that both answer alike."""

import logging

from penstock.core import (
    DataError,
    MissingPackageError,
    ModelVersionRecord,
    ParameterError,
    SerializationError,
    did_you_mean,
)
from penstock.models import Form, Model, read_onnx_form, require_onnx_form
from penstock.stores import Store

_log = logging.getLogger("penstock.serving")


def choose_form(store: Store, record: ModelVersionRecord, requested: str | None) -> Form:
    """Return the form that is to answer: as asked for, else as the version's check decided.

    Args:
        store: The store of the version.
        record: The version.
        requested: ``native``, ``onnx``, or None; ``onnx`` means the native form for a version without.
    """
    if requested == "native":
        return "native"
    form = read_onnx_form(record, store=store)
    if form is None:
        return "native"
    return ("onnx" if form.agrees else "native") if requested == "onnx" else form.form


def find_batch_form(store: Store, version: ModelVersionRecord, requested: Form | None) -> Form:
    """Return the form that answers: as asked, as the model's deployment, or as the check decided."""
    if requested not in {None, "native", "onnx"}:
        raise ParameterError(
            what=f"form={requested!r} is not known.",
            fix=did_you_mean(str(requested), ["native", "onnx"]),
        )
    if requested == "onnx":
        require_onnx_form(version, store=store)
    if requested is not None:
        return requested
    deployed = {each.name: each for each in store.metadata.deployments.list()}.get(version.model)
    deployed_form = (
        deployed.form if deployed is not None and deployed.model == version.model else None
    )
    return choose_form(store, version, deployed_form)


def load_model(
    store: Store, record: ModelVersionRecord, requested: str | None, *, strict: bool
) -> Model:
    """Load a version in the form that is to answer.

    Args:
        store: The store of the version.
        record: The version.
        requested: See ``choose_form``.
        strict: Raise where the ONNX form cannot answer here; else the native form answers, with a
            warning.
    """
    if choose_form(store, record, requested) == "native":
        return Model.load(record, store=store)
    try:
        return Model.load(record, form="onnx", store=store)
    except (MissingPackageError, SerializationError, DataError) as error:
        if strict:
            raise
        _log.warning("%s is answered by its native form: %s", record.ref, error)
        return Model.load(record, store=store)
