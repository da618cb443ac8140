"""The distribution of values as counts between edges, for `Run.log_histogram` and `watch`."""

from typing import TYPE_CHECKING, Any

from penstock.core import (
    ParameterError,
    require_number,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BINS = 10_000


def histogram(values: Any, bins: int) -> dict[str, Any]:
    """Count values, or accept counts of NumPy.

    >>> histogram([0, 1, 1, 4], bins=2)["histogram"]
    {'edges': [0.0, 2.0, 4.0], 'counts': [3, 1]}

    Args:
        values: Numbers of any shape; or the pair ``(counts, edges)`` of `numpy.histogram`.
        bins: Number of bins.

    Raises:
        ParameterError: If there are no numbers, or counts and edges do not fit.
    """
    if isinstance(values, tuple) and _is_pair(values):
        return _given(*values)
    import numpy as np

    require_number("bins", bins, low=1, high=_MOST_BINS, whole=True)
    array = _floats(values)
    finite = array[np.isfinite(array)]
    with np.errstate(over="ignore"):
        apart = np.ptp(finite) if finite.size else 0.0
    if not np.isfinite(apart):
        raise ParameterError(
            what=f"Values from {finite.min():g} to {finite.max():g} have no histogram.",
            why="Their difference is beyond all numbers.",
            fix="Log their logarithm, or clip them first.",
        )
    try:
        counts, edges = np.histogram(finite, bins=bins)
    except ValueError:  # so close together that no float lies between two edges
        around = float(np.abs(finite).max()) * 1e-6
        limits = (float(finite.min()) - around, float(finite.max()) + around)
        counts, edges = np.histogram(finite, bins=bins, range=limits)
    return _form(counts, edges, int(array.size - finite.size))


def _form(counts: Any, edges: Any, not_finite: int) -> dict[str, Any]:
    return {
        "histogram": {"edges": edges.tolist(), "counts": counts.tolist()},
        "count": int(counts.sum()) + not_finite,
        "not_finite": not_finite,
    }


def _is_pair(values: tuple[Any, ...]) -> bool:
    return len(values) == 2 and all(hasattr(part, "__len__") for part in values)  # noqa: PLR2004


def _given(counts: Any, edges: Any) -> dict[str, Any]:
    import numpy as np

    tallied, limits = _floats(counts), _floats(edges)
    fits = limits.ndim == tallied.ndim == 1 and len(limits) == len(tallied) + 1
    if not fits or not np.isfinite(limits).all() or not (np.diff(limits) > 0).all():
        raise ParameterError(
            what=f"{len(tallied)} counts between {len(limits)} edges are no histogram.",
            fix="Give the pair (counts, edges) of numpy.histogram: one edge more than counts, rising.",
        )
    if not (tallied >= 0).all() or not (tallied == np.floor(tallied)).all():
        raise ParameterError(
            what="The counts are not all whole numbers from 0.", fix="Count again."
        )
    return _form(tallied.astype(int), limits, 0)


def _floats(values: Any) -> "NDArray[np.float64]":
    import numpy as np

    if hasattr(values, "detach"):  # a torch tensor, wherever it is
        values = values.detach().float().cpu()
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            what=f"A histogram of {type(values).__name__} cannot be made.", fix="Give numbers."
        ) from error
    if not array.size:
        raise ParameterError(
            what="A histogram of no values at all cannot be made.", fix="Give at least one."
        )
    return array
