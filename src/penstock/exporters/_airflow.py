"""Airflow: a DAG file with a task per step."""

from datetime import date

from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import ExportPlan, Task
from penstock.exporters._text import fill, head_lines, literal

ENGINE = "Airflow"
_CARRIES = frozenset({"retries", "timeout", "schedule", "timezone", "interval", "map", "skip"})
_PARTITION_FORMS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%Y-%m-%d", "month": "%Y-%m"}
_START = date(2026, 1, 1)


def export_airflow(plan: ExportPlan) -> Exported:
    """Return a pipeline as an Airflow DAG file, for Airflow 3."""
    notes = find_notes(plan, ENGINE, _CARRIES)
    start = _START
    if plan.time_unit:
        start = date.fromisoformat(str((plan.partitions or {})["start"])[:10])
    text = fill(
        "airflow.py.jinja",
        plan=plan,
        head=head_lines(plan, ENGINE, notes),
        steps=[task.name for task in plan.tasks],
        maps=[task for task in plan.tasks if task.is_map],
        start=f"{start.year}, {start.month}, {start.day}",
        partition_form=_PARTITION_FORMS.get(plan.time_unit or "", ""),
        options=_options,
    )
    return Exported("airflow", f"{plan.id}_airflow.py", text, tuple(notes))


def _options(task: Task, task_id: str) -> str:
    """Return the arguments of ``override``, on lines of their own if there are several."""
    options, found = task.options, [f"task_id={literal(task_id)}"]
    if options.max_retries:
        found += [
            f"retries={options.max_retries}",
            f"retry_delay=timedelta(seconds={options.delay_s:g})",
            f"retry_exponential_backoff={options.backoff:g}",
            f"max_retry_delay=timedelta(seconds={options.max_delay_s:g})",
        ]
    if task.limit_s is not None:
        found.append(f"execution_timeout=timedelta(seconds={task.limit_s})")
    if len(found) == 1:
        return found[0]
    return "".join(f"\n            {each}," for each in found) + "\n        "
