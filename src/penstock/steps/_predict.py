"""The predict step: a registered version over all rows of a source, into a file."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from penstock.models import Form
from penstock.pipelines import step
from penstock.registry import ModelVersion
from penstock.serving import predict as predict_rows
from penstock.serving.batch import Refused
from penstock.stores import open_store
from penstock.tracking import active_run


@step(effect=True)
def predict(
    version: ModelVersion | str,
    *,
    data: object,
    out: str,
    keep: Sequence[str] | None = None,
    probabilities: bool = False,
    refused: Refused = "report",
    form: Form | None = None,
) -> dict[str, Any]:
    """Predict all rows of a source, and write the predictions.

    Args:
        version: Output of the register step, or ``model@3``; ``model`` for the version in
            production.
        data: A source, a frame, or the text of a source.
        out: File or folder of the predictions; must not exist.
        keep: Columns of the source to keep; by default all that are no inputs of the model.
        probabilities: Whether each class's probability is written too.
        refused: Treatment of rows that the server would refuse: ``report`` or ``stop``.
        form: The form that answers, ``native`` or ``onnx``; by default as the server answers.

    Returns:
        Run, target and counts of the batch.

    Raises:
        ConflictError: If the target exists.
    """
    run = active_run()
    ref = version if isinstance(version, str) else f"{version.model}@{version.version}"
    done = predict_rows(
        ref,
        data=data,
        out=out,
        keep=keep,
        probabilities=probabilities,
        refused=refused,
        form=form,
        store=run.store if run else open_store(),
    )
    return asdict(done)
