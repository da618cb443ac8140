"""Logging to the run that is active here."""

from collections.abc import Mapping
from typing import Any

from penstock.tracking._active import require_run


def log_param(name: str, value: Any) -> None:
    """Log one parameter to the current run; see Run.log_param.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_param(name, value)


def log_params(params: Mapping[str, Any]) -> None:
    """Log parameters to the current run; see Run.log_params.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_params(params)


def log_metric(key: str, value: float, step: float | None = None) -> None:
    """Log one value of a metric to the current run; see Run.log_metric.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_metric(key, value, step)


def log_metrics(metrics: Mapping[str, float], step: float | None = None) -> None:
    """Log one value each of several metrics to the current run; see Run.log_metrics.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_metrics(metrics, step)


def set_tags(tags: Mapping[str, Any]) -> None:
    """Set tags of the current run; see Run.set_tags.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().set_tags(tags)


def log_artifact(value: Any, name: str | None = None) -> str:
    """Keep a file, a folder or a value with the current run; see Run.log_artifact.

    Raises:
        NotFoundError: If no run is active, or a path names no file.
    """
    return require_run().log_artifact(value, name)
