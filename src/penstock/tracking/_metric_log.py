"""``MetricLog``: from a run to the process's journal; separate, as a call must cost 1 µs."""

import struct
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from penstock.core import ParameterError, StoreError, now_micros, require_label, with_article
from penstock.stores import Line, pack_columns, pack_points
from penstock.tracking._step import step_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from penstock.stores import Store


_ROWS = 64
_FRESH_S, _SILENCE_S = 1.0, 30.0
_YEAR_9999_S = 253_402_300_800.0


class MetricLog:
    """Logger of the metrics of a run.

    Args:
        run_id: The run.
        store: The store in which the run is recorded.
    """

    def __init__(self, run_id: str, store: "Store") -> None:
        self._run_id, self._store = run_id, store
        self._journal = store.journal
        self._lines = store.journal.lines(run_id)
        self._last_steps: dict[str, float] = {}
        self._look_again = 0.0
        # Calls in a loop name the same metrics each time: their lines, by those names.
        self._rows: dict[tuple[str, ...], tuple[list[Line], tuple[int, ...]]] = {}

    def log(self, key: str, value: float, step: float | None) -> None:
        """Log a point; see Run.log_metric."""
        try:
            line = self._lines.get(key) or self._begin(key)
            if step is None:
                step = line.following
            # Faster than math.isfinite: infinity and NaN give NaN here.
            elif step - step != 0:
                raise _bad_step(key, step)
            self._journal.append(line.series, value, step, now_micros())
        except (struct.error, TypeError) as error:
            raise _no_number(key, value, step) from error
        line.following = step + 1
        inside = step_of(self._run_id)
        if inside is not None:
            inside.logged[key] = float(value), step

    def log_several(self, metrics: Mapping[str, float], step: float | None) -> None:
        """Log a point of each of several metrics, all or none; see Run.log_metrics."""
        if step is not None and not _is_number(step):
            raise _no_number("step", 0.0, step)
        if step is not None and step - step != 0:
            raise _bad_step(next(iter(metrics), ""), step)
        keys = tuple(metrics)
        lines, series = self._rows.get(keys) or self._begin_row(keys)
        steps = [line.following for line in lines] if step is None else [step] * len(lines)
        values = list(metrics.values())
        try:
            # Packed before anything is written: all points or none.
            data = pack_points(series, values, steps, now_micros())
        except (struct.error, TypeError) as error:
            key = next(key for key, value in metrics.items() if not _is_number(value))
            raise _no_number(key, metrics[key], 0.0) from error
        self._journal.append_records(data)
        for line, at in zip(lines, steps, strict=True):
            line.following = at + 1
        inside = step_of(self._run_id)
        if inside is not None:
            inside.logged.update(
                zip(keys, zip(map(float, values), steps, strict=True), strict=True)
            )

    def log_columns(self, key: str, values: Any, steps: Any, times: Any) -> None:
        """Log many points of a metric; see Run.log_history."""
        import numpy as np

        y = _column(key, "values", values)
        line = self._lines.get(key) or self._begin(key)
        if steps is None:
            x = line.following + np.arange(len(y), dtype=np.float64)
        else:
            x = _column(key, "steps", steps)
        if not np.isfinite(x).all():
            raise _bad_step(key, float(x[~np.isfinite(x)][0]))
        t = _times(key, times, len(y))
        if not len(x) == len(y) == len(t):
            raise ParameterError(
                what=f"Metric {key!r} got {len(y)} values, {len(x)} steps and {len(t)} times.",
                why="Each value has one step.",
                fix="Give columns of one length.",
                key=key,
            )
        if not len(y):
            return
        self._journal.append_records(pack_columns(line.series, x, y, t))
        line.following = float(x[-1]) + 1
        inside = step_of(self._run_id)
        if inside is not None:
            inside.logged[key] = float(y[-1]), float(x[-1])

    def _begin_row(self, keys: tuple[str, ...]) -> tuple[list[Line], tuple[int, ...]]:
        lines = [self._lines.get(key) or self._begin(key) for key in keys]
        row = lines, tuple(line.series for line in lines)
        # A loop that makes up names must not fill the memory.
        if len(self._rows) < _ROWS:
            self._rows[keys] = row
        return row

    def _begin(self, key: Any) -> Line:
        key = require_label(key, "metric")
        last = self._known_steps().get(key)
        line = Line(self._journal.series(self._run_id, key), 0.0 if last is None else last + 1)
        # Two threads may begin at once: the series is the same, and only the first line stays.
        return self._lines.setdefault(key, line)

    def begin_empty(self) -> None:
        """Note that the run was created just now: the store has no metric of the run yet."""
        self._look_again = time.monotonic() + _FRESH_S

    def _known_steps(self) -> dict[str, float]:
        """Return the last step of each metric in the store, at most a second old.

        Where the store does not answer, a metric begins at 0: the points are stored nevertheless.
        """
        moment = time.monotonic()
        # A store that does not answer would slow every new metric down.
        if moment >= self._look_again and not self._journal.behind:
            try:
                metrics = self._store.metadata.runs.get(self._run_id).metrics
                self._last_steps = {key: summary.last_step for key, summary in metrics.items()}
                self._look_again = time.monotonic() + _FRESH_S
            except StoreError:
                self._look_again = time.monotonic() + _SILENCE_S
        return self._last_steps


def _column(key: str, what: str, values: Any) -> "NDArray[np.float64]":
    import numpy as np

    try:
        column = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _not_a_column(key, what, values) from error
    if column.ndim != 1:
        raise _not_a_column(key, what, values)
    return column


def _times(key: str, values: Any, count: int) -> "NDArray[np.int64]":
    import numpy as np

    if values is None:
        return np.full(count, now_micros(), np.int64)
    try:
        # Aware times are converted to UTC and lose their zone; polars and pandas convert likewise.
        column = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(_plain(values))
        if column.dtype.kind in "iuf":
            return _from_seconds(key, column.astype(np.float64))
        # NumPy would read such numbers as microseconds, without an error.
        if column.dtype.kind == "O" and any(isinstance(moment, int | float) for moment in column):
            raise _no_time(key, 0, "is a number among others")
        moments = column.astype("datetime64[us]")
    except (TypeError, ValueError, OverflowError) as error:
        raise _not_a_column(key, "times", values) from error
    if np.isnat(moments).any():
        raise _no_time(key, int(np.isnat(moments).argmax()), "is missing")
    return moments.astype(np.int64)


def _from_seconds(key: str, seconds: "NDArray[np.float64]") -> "NDArray[np.int64]":
    """Convert numbers as time.time() returns them, seconds since 1970."""
    import numpy as np

    odd = ~(np.abs(seconds) < _YEAR_9999_S)  # NaN among them
    if odd.any():
        place = int(odd.argmax())
        raise _no_time(key, place, f"is {seconds[place]:g} seconds since 1970")
    whole = np.floor(seconds)
    return (whole * 1e6 + np.round((seconds - whole) * 1e6)).astype(np.int64)


def _no_time(key: str, place: int, what: str) -> ParameterError:
    return ParameterError(
        what=f"Time {place} of metric {key!r} {what}.",
        why="Each value was measured at some time; numbers are seconds since 1970.",
        fix="Give datetimes or seconds; of milliseconds write times / 1000; or leave times out.",
        key=key,
    )


def _plain(times: Sequence[Any]) -> list[Any]:
    from datetime import UTC

    return [
        t.astimezone(UTC).replace(tzinfo=None) if getattr(t, "tzinfo", None) else t for t in times
    ]


def _not_a_column(key: str, what: str, values: Any) -> ParameterError:
    return ParameterError(
        what=f"The {what} of metric {key!r} are {with_article(type(values).__name__)}: {str(values)[:60]!r}.",
        why="A history is a column of numbers for each of values, steps and times.",
        fix="Give a list, an array or a column of a table, all of one length.",
        key=key,
    )


def _bad_step(key: str, step: float) -> ParameterError:
    return ParameterError(
        what=f"Metric {key!r} was logged at step {step}.",
        why="The step is the place on the x axis.",
        fix="Give a finite number, or leave the step out.",
        key=key,
    )


def _no_number(key: str, value: Any, step: Any) -> ParameterError:
    require_label(key, "metric")
    odd = step if _is_number(value) else value
    what = " as its step" if _is_number(value) else ""
    return ParameterError(
        what=f"Metric {key!r} got {type(odd).__name__} {str(odd)[:40]!r}{what}.",
        why="A metric is a number that can be drawn over steps.",
        fix="Log text with log_param or set_tags, and everything else with log_artifact.",
        key=key,
    )


def _is_number(value: Any) -> bool:
    try:
        struct.pack("d", value)
    except (struct.error, TypeError):
        return False
    return True
