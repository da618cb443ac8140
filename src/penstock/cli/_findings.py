"""Findings about a run's data, the worst first, as `run` and `show` print them."""

from collections import Counter
from typing import TYPE_CHECKING

from penstock.cli._output import plain, say
from penstock.data import Level
from penstock.steps import list_findings

if TYPE_CHECKING:
    from penstock.stores import Store

_ORDINARY = {"identifier", "constant"}
_MARKS: dict[Level, str] = {"fail": "[bold red]✗[/]", "warn": "[yellow]![/]", "info": "·"}
_NOUNS: dict[Level, tuple[str, str]] = {
    "fail": ("failure", "failures"),
    "warn": ("warning", "warnings"),
    "info": ("remark", "remarks"),
}


def say_findings(
    store: "Store", run_id: str, *, limit: int, stderr: bool = False, brief: bool = False
) -> None:
    """Print what a run's steps found about its data, with counts.

    Args:
        store: Where the run is recorded.
        run_id: The run.
        limit: Most findings printed.
        stderr: Whether they go to standard error.
        brief: Whether to leave out what is ordinary: identifiers and constants.
    """
    found = list_findings(store, run_id)
    if brief:
        found = [(step, finding) for step, finding in found if finding.rule not in _ORDINARY]
    if not found:
        return
    counts = Counter(finding.level for _, finding in found)
    told = [
        f"{count} {_NOUNS[level][count > 1]}" for level in _MARKS if (count := counts.get(level, 0))
    ]
    say(f"data: {', '.join(told)}", stderr=stderr)
    for step, finding in found[:limit]:
        say(f"  {_MARKS[finding.level]} {plain(step)}: {plain(finding.message)}", stderr=stderr)
    if len(found) > limit:
        say(f"  and {len(found) - limit} more: penstock show {run_id}", stderr=stderr)
