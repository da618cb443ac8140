"""Search for runs and experiments, and runs as a table."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from penstock.core import ExperimentRecord, did_you_mean
from penstock.stores import open_store
from penstock.tracking._run import Run

if TYPE_CHECKING:
    import polars as pl

    from penstock.stores import Store

_RECENT = 200
_NAMED = re.compile(r"\b(params|metrics|tags)\.([\w.\-/]+)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PLAIN = {int, float, bool, str, date, datetime}


def get_run(run_id: str, *, store: "Store | str | None" = None) -> Run:
    """Return a run by id, a unique beginning of the id, or ``last``.

    Args:
        run_id: The id.
        store: A store or a store URL; by default the project's.

    Raises:
        NotFoundError: If there is no such run.
    """
    opened = as_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    return Run(opened.metadata.runs.get(run_id), opened)


def explain_no_match(filter: str, *, store: "Store | str | None" = None) -> str:  # noqa: A002 - the field's word
    """Return which names of a filter no recent run has, with similar ones; empty if all are known.

    Args:
        filter: The filter that no run matches.
        store: A store or a store URL; by default the project's.
    """
    recent = search_runs(limit=_RECENT, store=store)
    reasons = []
    for group, name in dict.fromkeys(_NAMED.findall(_QUOTED.sub("''", filter))):
        known = {known for run in recent for known in getattr(run, group)}
        parts = name.split(".")
        # A statistic or the leaf of a dict may follow: metrics.auc.max, params.cfg.depth.
        if not {".".join(parts[:end]) for end in range(1, len(parts) + 1)} & known:
            reasons.append(
                f"No recent run has {group}.{name}. {did_you_mean(name, known)}".rstrip()
            )
    return " ".join(reasons)


def search_runs(
    filter: str = "",  # noqa: A002 - the field's word
    *,
    order_by: str = "created_at desc",
    limit: int = 100,
    after: "Run | str | None" = None,
    experiment: str | None = None,
    store: "Store | str | None" = None,
) -> list[Run]:
    """Search runs by parameters, metrics, tags and further logged data.

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
        limit: Page size: the largest number of runs returned.
        after: The last run of the previous page; the next page is returned, even if runs have been
            added meanwhile.
        experiment: Only runs of this experiment.
        store: A store or a store URL; by default the project's.

    Raises:
        ParameterError: If the filter or the order cannot be read; the message marks the position.
    """
    opened = as_store(store)
    opened.flush()
    opened.metadata.runs.kill_dead()
    records = opened.metadata.runs.search(
        filter,
        order_by=order_by,
        limit=limit,
        after=after.run_id if isinstance(after, Run) else after,
        experiment=experiment,
    )
    return [Run(record, opened) for record in records]


def search_experiments(
    filter: str = "",  # noqa: A002 - the field's word
    *,
    order_by: str = "created_at desc",
    limit: int = 100,
    after: str | None = None,
    store: "Store | str | None" = None,
) -> list[ExperimentRecord]:
    """Search experiments by name, note, tags, dates and number of runs.

    Args:
        filter: For example ``runs > 10 and tags.team = 'risk'``.
        order_by: For example ``last_run_at desc``.
        limit: Page size: the largest number of experiments returned.
        after: The last name of the previous page.
        store: A store or a store URL; by default the project's.

    Raises:
        ParameterError: If the filter or the order cannot be read; the message marks the position.
    """
    opened = as_store(store)
    return opened.metadata.runs.search_experiments(
        filter, order_by=order_by, limit=limit, after=after
    )


def runs_to_frame(runs: Sequence[Run]) -> "pl.DataFrame":
    """Return runs side by side as a table.

    >>> import tempfile
    >>> from penstock.tracking import start_run
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> with start_run("base", store=url) as run:
    ...     run.log_param("lr", 0.1)
    ...     run.log_metric("auc", 0.9)
    >>> runs_to_frame(search_runs(store=url)).select("name", "params.lr", "metrics.auc").row(0)
    ('base', 0.1, 0.9)

    Args:
        runs: Result of `search_runs`.

    Returns:
        A row for each run: run_id, name, experiment, state, started_at, ended_at, and a column for
        each parameter, metric (the last value) and tag, such as ``params.lr``. Parameters of
        several types become text.
    """
    import polars as pl

    fixed = ("run_id", "name", "experiment", "state", "started_at", "ended_at")
    rows = []
    for record in (run.record for run in runs):
        row = {name: getattr(record, name) for name in fixed} | {"state": record.state.value}
        row |= {f"params.{key}": value for key, value in record.params.items()}
        row |= {f"metrics.{key}": summary.last for key, summary in record.metrics.items()}
        rows.append(row | {f"tags.{key}": value for key, value in record.tags.items()})
    names = dict.fromkeys([*fixed, *(name for row in rows for name in row)])
    return pl.DataFrame({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds <= _PLAIN:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]


def as_store(store: "Store | str | None") -> "Store":
    """Return the store that an argument means: a store, a URL, or None for the project's."""
    return open_store(store)
