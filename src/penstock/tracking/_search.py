"""Finding runs again."""

from typing import TYPE_CHECKING

from penstock.stores import open_store
from penstock.tracking._run import Run

if TYPE_CHECKING:
    from penstock.stores import Store


def get_run(run_id: str, store: "Store | str | None" = None) -> Run:
    """Find a run by its id, a unique beginning of it, or ``last``.

    Args:
        run_id: The id.
        store: A store or its URL; by default the project's.

    Raises:
        NotFoundError: If there is none.
    """
    opened = as_store(store)
    opened.flush()
    opened.metadata.kill_dead_runs()
    return Run(opened.metadata.get_run(run_id), opened)


def search_runs(
    filter: str = "",  # noqa: A002 - the field's word
    *,
    order_by: str = "created_at desc",
    limit: int = 100,
    experiment: str | None = None,
    store: "Store | str | None" = None,
) -> list[Run]:
    """Find runs by what was logged.

    >>> import tempfile
    >>> from penstock.tracking import start_run
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> for rate in (0.1, 0.2):
    ...     with start_run(f"rate {rate}", store=url) as run:
    ...         run.log_param("rate", rate)
    >>> [run.name for run in search_runs("params.rate > 0.1", store=url)]
    ['rate 0.2']

    Args:
        filter: For example ``metrics.auc > 0.9 and params.lr = '0.1' and tags.team like 'ri%'``.
        order_by: For example ``metrics.auc desc``; runs without the value come last.
        limit: At most this many.
        experiment: Only runs of this group.
        store: A store or its URL; by default the project's.

    Raises:
        ParameterError: If the filter or the order cannot be read; points at the place.
    """
    opened = as_store(store)
    opened.flush()
    opened.metadata.kill_dead_runs()
    found = opened.metadata.search_runs(
        filter, order_by=order_by, limit=limit, experiment=experiment
    )
    return [Run(record, opened) for record in found]


def as_store(store: "Store | str | None") -> "Store":
    """Give the store that an argument means."""
    return open_store(store) if store is None or isinstance(store, str) else store
