"""Findings about a run's data, the most severe first, as printed by `run` and `show`."""

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
    """Print the data findings of a run's steps, with counts.

    Args:
        store: The store of the run.
        run_id: The run.
        limit: Maximum number of findings printed.
        stderr: Whether to print to standard error.
        brief: Whether to leave out ordinary findings: identifiers and constants.
    """
    findings = list_findings(run_id, store=store)
    if brief:
        findings = [(step, finding) for step, finding in findings if finding.rule not in _ORDINARY]
    if not findings:
        return
    counts = Counter(finding.level for _, finding in findings)
    parts = [
        f"{count} {_NOUNS[level][count > 1]}" for level in _MARKS if (count := counts.get(level, 0))
    ]
    say(f"data: {', '.join(parts)}", stderr=stderr)
    for step, finding in findings[:limit]:
        say(f"  {_MARKS[finding.level]} {plain(step)}: {plain(finding.message)}", stderr=stderr)
    if len(findings) > limit:
        say(f"  and {len(findings) - limit} more: penstock show {run_id}", stderr=stderr)
