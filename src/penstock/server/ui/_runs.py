"""The list of runs: filter, sort, columns and page, all in the URL."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.core import PenstockError, RunRecord, RunState
from penstock.server.ui._format import seconds_between
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site
from penstock.tracking import SYSTEM

_PER_PAGE = 50
_COUNTED = 10_000
_DEFAULT_METRICS = 3
_DEFAULT_PARAMS = 2
_SORTABLE = re.compile(r"[\w./:%@+-]+")
_FIXED = {
    "state": "State",
    "name": "Run",
    "pipeline": "Pipeline",
    "experiment": "Experiment",
    "created_at": "Started",
}


@dataclass(frozen=True, slots=True)
class RunColumn:
    """A column of the table.

    Args:
        key: The shown field in the filter language: ``name``, ``metrics.auc``, ``params.lr``.
        label: The column's heading.
        link: The URL that sorts by the column; empty if sorting is not possible.
        order: ``ascending`` or ``descending`` if the table is sorted by the column.
        numeric: True for right-aligned figures.
    """

    key: str
    label: str
    link: str
    order: str = ""
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """The filter, order and page in the URL."""

    text: str
    experiment: str
    state: str
    sort: str
    descending: bool
    number: int
    limit: int

    @property
    def filter(self) -> str:
        parts = [f"({self.text})"] if self.text else []
        if self.state:
            parts.append(f"state = '{self.state}'")
        return " and ".join(parts) if self.state else self.text


def runs_page(site: Site, query: Query) -> Page:
    """Show the matching runs."""
    # Links must lead to pages, also from the JSON twin.
    query = Query("/runs", {k: v for k, v in query.params.items() if k != "format"})
    site.note_dead_runs()
    request = _read(query)
    error, runs, total = "", [], 0
    try:
        total = _count(site, request)
        runs = site.metadata.runs.search(
            request.filter,
            order_by=f"{request.sort} {'desc' if request.descending else 'asc'}",
            limit=request.limit,
            offset=(request.number - 1) * request.limit,
            experiment=request.experiment or None,
        )
    except PenstockError as problem:
        error = str(problem)
    chosen = query.texts("col") or _usual_columns(runs)
    numeric = _numeric(runs, chosen)
    live = any(run.state in {RunState.RUNNING, RunState.QUEUED} for run in runs)
    return Page(
        "runs.html",
        "Runs",
        data={"runs": runs, "total": total, "error": error, "number": request.number},
        view={
            "asked": request,
            "query": query,
            "columns": [
                _column(query, request, key, numeric=key in numeric)
                for key in (*_FIXED, "duration", *chosen)
            ],
            "numeric": numeric,
            "chosen": chosen,
            "choices": _choices(runs, chosen),
            "experiments": site.metadata.runs.list_experiments(),
            "tabs": [] if error else _tabs(site, query, request),
            "more": len(runs) == request.limit
            and (total > _COUNTED or total > request.number * request.limit),
            "counted": _COUNTED,
            "seconds": {run.run_id: run_seconds(run) for run in runs},
            "cell": cell,
        },
        section="runs",
        live=live,
        status=400 if error else 200,
    )


def run_seconds(run: RunRecord) -> float | None:
    """Compute how long a run took, or has taken so far."""
    if run.ended_at is None and run.state is not RunState.RUNNING:
        return None
    return seconds_between(run.started_at, run.ended_at)


def cell(run: RunRecord, key: str) -> Any:
    """Return a column's value of a run: ``metrics.auc``, ``params.lr`` or ``tags.team``."""
    kind, _, name = key.partition(".")
    if kind == "metrics":
        return run.metrics[name].last if name in run.metrics else None
    if kind == "params":
        return run.params.get(name)
    return run.tags.get(name) if kind == "tags" else getattr(run, key, None)


def _read(query: Query) -> _Asked:
    states = {state.value for state in RunState}
    state = query.text("state")
    return _Asked(
        text=query.text("filter"),
        experiment=query.text("experiment"),
        state=state if state in states else "",
        sort=query.text("sort", "created_at"),
        descending=query.text("dir", "desc") != "asc",
        number=query.number("page", 1, low=1, high=1_000_000),
        limit=query.number("limit", _PER_PAGE, low=1, high=200),
    )


def _usual_columns(runs: Sequence[RunRecord]) -> list[str]:
    """Choose the metrics that most runs have, and the parameters that differ between runs."""
    metrics = Counter(name for run in runs for name in run.metrics if not name.startswith(SYSTEM))
    values: dict[str, set[str]] = {}
    for run in runs:
        for name, value in run.params.items():
            values.setdefault(name, set()).add(repr(value))
    telling = [name for name, seen in values.items() if len(seen) > 1]
    common = [name for name, _ in metrics.most_common(_DEFAULT_METRICS)]
    return [f"metrics.{name}" for name in common] + [
        f"params.{name}" for name in telling[:_DEFAULT_PARAMS]
    ]


def _choices(runs: Sequence[RunRecord], chosen: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """List the columns to choose from by kind, as (key, label)."""
    choices: dict[str, dict[str, None]] = {"metrics": {}, "params": {}, "tags": {}}
    for run in runs:
        for kind, names in choices.items():
            names.update(dict.fromkeys(getattr(run, kind)))
    for key in chosen:
        kind, _, name = key.partition(".")
        if kind in choices:
            choices[kind].setdefault(name)
    return {
        kind: [(f"{kind}.{name}", name) for name in sorted(names)]
        for kind, names in choices.items()
        if names
    }


def _numeric(runs: Sequence[RunRecord], chosen: Sequence[str]) -> frozenset[str]:
    """Return the columns that contain figures only."""
    numeric = {"duration", *(key for key in chosen if key.startswith("metrics."))}
    for key in chosen:
        values = [value for run in runs if (value := cell(run, key)) is not None]
        if values and all(isinstance(value, int | float) for value in values):
            numeric.add(key)
    return frozenset(numeric)


def _column(query: Query, request: _Asked, key: str, *, numeric: bool) -> RunColumn:
    label = _FIXED.get(key) or key.partition(".")[2] or key.capitalize()
    # A duration is no stored fact, and the language of the order has no quotes for such names.
    if key == "duration" or not _SORTABLE.fullmatch(key):
        return RunColumn(key, label, "", numeric=numeric)
    sorted_by = request.sort == key
    # A first click sorts the greatest figure or the newest first; a click on the sorted column
    # reverses the order.
    first = "desc" if numeric or key == "created_at" else "asc"
    turned = "asc" if request.descending else "desc"
    link = query.link(sort=key, dir=turned if sorted_by else first, page=None)
    order = ("descending" if request.descending else "ascending") if sorted_by else ""
    return RunColumn(key, label, link, order, numeric=numeric)


def _tabs(site: Site, query: Query, request: _Asked) -> list[dict[str, Any]]:
    """Count the matching runs by state, for filters by a click."""
    tabs = []
    for state in ("", *RunState):
        rest = _Asked(**{**_fields(request), "state": str(state)})
        count = _count(site, rest)
        if count or not state or state == request.state:
            link = query.link(state=str(state) or None, page=None)
            tabs.append(
                {"state": str(state), "count": count, "link": link, "here": state == request.state}
            )
    return tabs


def _count(site: Site, request: _Asked) -> int:
    """Count the matching runs up to a maximum: an exact large number is not worth the wait."""
    return site.metadata.runs.count(
        request.filter, experiment=request.experiment or None, most=_COUNTED + 1
    )


def _fields(request: _Asked) -> dict[str, Any]:
    return {name: getattr(request, name) for name in request.__slots__}
