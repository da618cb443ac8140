"""Items of maps and rounds of loops: counted beside their step, and listed on a separate page."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.core import LogLine, NotFoundError, RunState, StepRunRecord, StepState, did_you_mean
from penstock.server.ui._page import Page, Query
from penstock.server.ui._site import Site

_PER_PAGE = 200
_NAMED = 10
_CELLS = 240
_LOGS = 500  # items whose lines a page shows
_OPEN = {RunState.RUNNING, RunState.QUEUED}
# Of several items in a cell, the state that people look for first.
_WORST = (
    StepState.FAILED, StepState.KILLED, StepState.RUNNING, StepState.FINISHED, StepState.CACHED,
    StepState.SKIPPED, StepState.QUEUED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of the strip: an item, or several adjacent items.

    Args:
        state: The worst state of these items.
        first: The first item's name.
        count: Number of items.
    """

    state: str
    first: str
    count: int


@dataclass(frozen=True, slots=True)
class ItemsView:
    """Summary of the items of a step.

    Args:
        count: Number of items.
        states: Number of items in each state.
        cells: The strip, in the order of the items.
        failed: The first few failed items.
    """

    count: int
    states: dict[str, int]
    cells: tuple[Cell, ...]
    failed: tuple[StepRunRecord, ...]


def whole_of(name: str) -> str | None:
    """Return the map or loop that a step belongs to; None for a step of the pipeline itself."""
    return name.partition("[")[0] if "[" in name else None


def items_views(steps: Sequence[StepRunRecord]) -> dict[str, ItemsView]:
    """Count the items of each map and loop."""
    by_item: dict[str, list[StepRunRecord]] = {}
    for step in steps:
        whole = whole_of(step.step)
        if whole is not None:
            by_item.setdefault(whole, []).append(step)
    return {name: _view(items) for name, items in by_item.items()}


def items_page(site: Site, query: Query, run_id: str) -> Page:
    """List the items of a map or loop, all or those in a given state.

    Raises:
        NotFoundError: If there is no such run, or the step has no items.
    """
    run = site.metadata.runs.get(run_id)
    steps = site.metadata.steps.list(run.run_id)
    views = items_views(steps)
    name = query.text("step")
    if name not in views:
        raise NotFoundError(
            what=f"Step {name!r} of run {run.run_id} has no items.", fix=did_you_mean(name, views)
        )
    wanted = query.text("state")
    items = [step for step in steps if whole_of(step.step) == name]
    chosen = [step for step in items if not wanted or step.state.value == wanted]
    start = query.number("start", 0, low=0, high=max(0, len(chosen) - 1))
    shown = chosen[start : start + _PER_PAGE]
    data = {"run": run, "step": name, "items": shown, "count": len(chosen)}
    view = {
        "query": query,
        "all": views[name],
        "wanted": wanted,
        "start": start,
        "before": max(0, start - _PER_PAGE) if start else None,
        "after": start + _PER_PAGE if start + _PER_PAGE < len(chosen) else None,
    }
    title = f"Items of {name}"
    return Page("items.html", title, data, view, section="runs", live=run.state in _OPEN)


def item_logs(
    site: Site, steps: Iterable[StepRunRecord], name: str, most: int = _LOGS
) -> tuple[dict[str, list[LogLine]], int]:
    """Read the log lines of a map's or loop's items, by item, in the order of the items.

    Args:
        site: The site of the store.
        steps: The run's steps.
        name: The map or loop.
        most: Maximum number of items to read.

    Returns:
        The lines of the items that have any, and the number of items not read.
    """
    items = [step for step in steps if whole_of(step.step) == name]
    logs = {item.step: site.metadata.steps.list_logs(item.step_run_id) for item in items[:most]}
    return {item: lines for item, lines in logs.items() if lines}, max(0, len(items) - most)


def _view(items: Sequence[StepRunRecord]) -> ItemsView:
    states = Counter(step.state.value for step in items)
    failed = [step for step in items if step.state is StepState.FAILED]
    size = -(-len(items) // _CELLS)
    portions = (items[i : i + size] for i in range(0, len(items), size))
    cells = [
        Cell(min((s.state for s in portion), key=_WORST.index).value, portion[0].step, len(portion))
        for portion in portions
    ]
    return ItemsView(len(items), dict(states.most_common()), tuple(cells), tuple(failed[:_NAMED]))
