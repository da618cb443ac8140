"""Dagster: a code location with a job, an op per step."""

from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import ExportPlan, Task
from penstock.exporters._text import fill, head_lines

ENGINE = "Dagster"
_CARRIES = frozenset({"retries", "schedule", "timezone", "map"})


def export_dagster(plan: ExportPlan) -> Exported:
    """Return a pipeline as a Python file with Dagster's Definitions."""
    notes = find_notes(plan, ENGINE, _CARRIES)
    text = fill(
        "dagster.py.jinja",
        plan=plan,
        head=head_lines(plan, ENGINE, notes),
        maps=[task for task in plan.tasks if task.is_map],
        options=_options,
    )
    return Exported("dagster", f"{plan.id}_dagster.py", text, tuple(notes))


def _options(task: Task) -> str:
    options = task.options
    if not options.max_retries:
        return ""
    backoff = ", backoff=dagster.Backoff.EXPONENTIAL" if options.backoff > 1 else ""
    policy = f"max_retries={options.max_retries}, delay={options.delay_s:g}{backoff}"
    return f", retries=dagster.RetryPolicy({policy})"
