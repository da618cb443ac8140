"""Ground truth for predictions: read by the signature of the version that answered, then stored."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.core import (
    DataError,
    NotFoundError,
    Permission,
    PredictionRecord,
    current_identity,
    did_you_mean,
    now,
)
from penstock.models import Signature
from penstock.people import has_users, project_named
from penstock.serving._prediction_log import PredictionLog
from penstock.stores import Store
from penstock.tables import read_label


@dataclass(slots=True)
class Recorded:
    """The result of recording the true values of a request.

    Args:
        recorded: Number of stored values.
        unknown: Ids that match no prediction.
        refused: Values that cannot be the truth of their prediction: ``prediction_id`` and ``why``.
    """

    recorded: int = 0
    unknown: list[str] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)


class Truths:
    """Recording of true values; each is checked against the signature of the prediction's version.

    Args:
        store: The store of the predictions.
        log: Flushed when ground truth arrives before the prediction was written; None if off.
        served: Function that returns the deployments of this server: callers that nobody knows may
            know of these.
    """

    def __init__(
        self,
        store: Store,
        log: PredictionLog | None,
        served: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._store, self._log, self._served = store, log, served

    def record(self, deployment: str, truth: Mapping[str, Any], served: Signature) -> Recorded:
        """Store the valid values, and report the invalid ones.

        Args:
            deployment: The endpoint that the values were sent to.
            truth: True values by prediction id.
            served: The endpoint's present signature, for the values of unknown predictions.
        """
        predictions = {
            each: found
            for each, found in self._find(list(truth)).items()
            if self._is_readable(found.deployment, deployment)
        }
        result, values = Recorded(), dict[str, Any]()
        signatures: dict[tuple[str, int], Signature] = {}
        for prediction_id, value in truth.items():
            prediction = predictions.get(prediction_id)
            try:
                if prediction is None:
                    # Read only to refuse unusable values: no prediction can store them.
                    read_truth(value, served, prediction_id)
                    result.unknown.append(prediction_id)
                else:
                    values[prediction_id] = self._read(deployment, prediction, value, signatures)
            except (DataError, NotFoundError) as error:
                text = f"{error.what} {error.fix}".strip()
                result.refused.append({"prediction_id": prediction_id, "why": text})
        if values:
            result.unknown += self._store.metadata.predictions.add_truth(values, now())
        result.recorded = len(truth) - len(result.unknown) - len(result.refused)
        return result

    def _find(self, ids: list[str]) -> dict[str, PredictionRecord]:
        predictions = self._store.metadata.predictions.get_many(ids)
        if len(predictions) < len(ids) and self._log is not None and self._log.depth:
            # The ground truth arrived before the log was written.
            self._log.flush(1.0)
            missing = [prediction_id for prediction_id in ids if prediction_id not in predictions]
            predictions |= self._store.metadata.predictions.get_many(missing)
        return predictions

    def _is_readable(self, made_by: str, deployment: str) -> bool:
        """Return whether the sender may know of a prediction; of another team's they may not."""
        identity = current_identity()
        if made_by == deployment:
            return True
        if identity is None:  # the owner of the store; or anyone, whom a gateway alone knows
            return made_by in self._served() or not has_users(store=self._store)
        return identity.may(Permission.READ, project_named(made_by, store=self._store))

    def _read(
        self,
        deployment: str,
        prediction: PredictionRecord,
        value: Any,
        signatures: dict[tuple[str, int], Signature],
    ) -> Any:
        if prediction.deployment != deployment:
            raise DataError(
                what=f"The deployment {prediction.deployment!r} made this prediction.",
                fix=f"Send it to /models/{prediction.deployment}/truth.",
            )
        key = prediction.model, prediction.version
        if key not in signatures:
            version = self._store.metadata.models.get_version(*key)
            signatures[key] = Signature.from_json(version.signature)
        return read_truth(value, signatures[key], prediction.prediction_id)


def read_truth(value: Any, signature: Signature, prediction_id: str) -> Any:
    """Read a true value as a value of the model's predictions.

    >>> read_truth("1", Signature((), task="binary", classes=(0, 1)), "id")
    1

    Args:
        value: The received value: for a regression a number, otherwise a name of a class (see
            ``penstock.tables.read_label``); for several targets an object with a value of each.
        signature: Source of the classes.
        prediction_id: For the message.

    Raises:
        DataError: If the value is none of the classes, or no number for a regression.
    """
    if signature.targets:
        return _read_targets(value, signature, prediction_id)
    if not signature.classes:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and math.isfinite(value):
            return float(value)
        raise _no_label(value, prediction_id, "It must be a number.")
    label = read_label(value, signature.classes)
    if label is not None:
        return label
    known = [str(label) for label in signature.classes]
    raise _no_label(value, prediction_id, did_you_mean(str(value)[:100], known))


def _read_targets(value: Any, signature: Signature, prediction_id: str) -> dict[str, Any]:
    names = [target.name for target in signature.targets]
    if not isinstance(value, Mapping) or set(value) != set(names):
        raise _no_label(
            value,
            prediction_id,
            f"It must be an object with a value for each of {', '.join(names)}.",
        )
    return {
        target.name: read_truth(
            value[target.name], Signature((), classes=target.classes), prediction_id
        )
        for target in signature.targets
    }


def _no_label(value: Any, prediction_id: str, fix: str) -> DataError:
    return DataError(
        what=f"The true value of {prediction_id[:40]!r} is {str(value)[:60]!r}.",
        why="It cannot be compared with what the model answers.",
        fix=fix,
        field=prediction_id[:40],
    )
