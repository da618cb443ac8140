"""listen_to_metrics: a function that is called with each metric that a run logs in this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

MetricListener = Callable[[str, str, float, float | None], None]
"""Called with the run's id, the metric's name, the value and the step as given."""

listener: ContextVar[MetricListener | None] = ContextVar("penstock_metrics", default=None)


class RunStopped(BaseException):
    """A decision that a run shall end now, raised where the run logs a metric.

    Not an Exception, so that a training loop that survives errors does not survive this.
    """


@contextmanager
def listen_to_metrics(function: MetricListener) -> Iterator[None]:
    """Call a function with each metric that runs made in this block log from this process.

    Args:
        function: Called after the point is logged; may raise `RunStopped` to end the run.
    """
    token = listener.set(function)
    try:
        yield
    finally:
        listener.reset(token)
