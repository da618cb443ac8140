"""Logging to the run that is active here."""

from collections.abc import Mapping

from penstock.tracking._active import require_run
from penstock.tracking._media import Markup
from penstock.tracking._pictures import Layout


def log_param(name: str, value: object) -> None:
    """Log a parameter to the current run; see Run.log_param.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_param(name, value)


def log_params(params: Mapping[str, object]) -> None:
    """Log parameters to the current run; see Run.log_params.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_params(params)


def log_metric(key: str, value: float, step: float | None = None) -> None:
    """Log a value of a metric to the current run; see Run.log_metric.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_metric(key, value, step)


def log_metrics(metrics: Mapping[str, float], step: float | None = None) -> None:
    """Log a value of each of several metrics to the current run; see Run.log_metrics.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().log_metrics(metrics, step)


def set_tag(name: str, value: object) -> None:
    """Set a tag of the current run; see Run.set_tag.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().set_tag(name, value)


def set_tags(tags: Mapping[str, object]) -> None:
    """Set tags of the current run; see Run.set_tags.

    Raises:
        NotFoundError: If no run is active.
    """
    require_run().set_tags(tags)


def log_artifact(value: object, name: str | None = None) -> str:
    """Log a file, a folder or a value to the current run; see Run.log_artifact.

    Raises:
        NotFoundError: If no run is active, or a path names no file.
    """
    return require_run().log_artifact(value, name)


def log_dict(name: str, dictionary: Mapping[str, object]) -> str:
    """Log a dictionary as JSON to the current run; see Run.log_dict.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_dict(name, dictionary)


def log_model(model: object, name: str = "model") -> str:
    """Log a fitted model to the current run; see Run.log_model.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_model(model, name)


def log_image(
    name: str,
    image: object,
    *,
    step: float | None = None,
    caption: str = "",
    layout: Layout | None = None,
) -> str:
    """Log a picture to the current run; see Run.log_image.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_image(name, image, step=step, caption=caption, layout=layout)


def log_figure(name: str, figure: object, *, step: float | None = None, caption: str = "") -> str:
    """Log a figure to the current run; see Run.log_figure.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_figure(name, figure, step=step, caption=caption)


def log_audio(
    name: str,
    sound_or_path: object,
    *,
    rate: int = 0,
    step: float | None = None,
    caption: str = "",
) -> str:
    """Log a sound to the current run; see Run.log_audio.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_audio(name, sound_or_path, rate=rate, step=step, caption=caption)


def log_histogram(name: str, values: object, *, step: float | None = None, bins: int = 64) -> str:
    """Log a distribution of values to the current run; see Run.log_histogram.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_histogram(name, values, step=step, bins=bins)


def log_table(name: str, rows: object, *, step: float | None = None) -> str:
    """Log a table to the current run; see Run.log_table.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_table(name, rows, step=step)


def log_text(name: str, text: str, *, step: float | None = None, markup: Markup = "plain") -> str:
    """Log a text to the current run; see Run.log_text.

    Raises:
        NotFoundError: If no run is active.
    """
    return require_run().log_text(name, text, step=step, markup=markup)
