"""BatchOptions: settings of a batch, on which predictions and target depend."""

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from penstock.models import Signature

Refused: TypeAlias = Literal["report", "stop"]
TargetFormat: TypeAlias = Literal["parquet", "csv", "json", "arrow", "delta"]

PART_ROWS = 100_000


def target_column(target: str) -> str:
    """Return the name of the column of a target's predictions, of a model that predicts several.

    >>> target_column("height")
    'prediction_height'
    """
    return f"prediction_{target}"


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a batch is predicted.

    Args:
        keep: Columns of the source to keep; None for all that are no inputs of the model.
        probabilities: Whether each class's probability is written too.
        refused: Treatment of rows that the server would refuse: ``report`` or ``stop``.
        part_rows: Rows of a part.
    """

    keep: tuple[str, ...] | None = None
    probabilities: bool = False
    refused: Refused = "report"
    part_rows: int = PART_ROWS

    def to_json(self) -> dict[str, Any]:
        """Return the options as plain JSON."""
        return {
            "keep": None if self.keep is None else list(self.keep),
            "probabilities": self.probabilities,
            "refused": self.refused,
            "part_rows": self.part_rows,
        }


def output_names(signature: Signature, *, probabilities: bool) -> list[str]:
    """Return the names of the columns that a prediction adds."""
    if signature.targets:
        return [
            "prediction_id",
            *(target_column(each.name) for each in signature.targets),
            "warnings",
        ]
    classes = signature.classes
    shares = [f"probability_{each}" for each in classes] if probabilities else []
    return ["prediction_id", "prediction", "score", *shares, "warnings"]
