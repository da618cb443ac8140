"""Prefect: a flow file with a task per step."""

from penstock.exporters._exported import Exported
from penstock.exporters._notes import find_notes
from penstock.exporters._plan import ExportPlan, Task
from penstock.exporters._text import fill, head_lines, literal

ENGINE = "Prefect"
_CARRIES = frozenset({"retries", "timeout", "schedule", "timezone", "partition", "map", "skip"})
_MOST_DELAYS = 50  # more are refused by Prefect; the last one is used for further retries


def export_prefect(plan: ExportPlan) -> Exported:
    """Return a pipeline as a Python file with a flow, for Prefect 3."""
    notes = find_notes(plan, ENGINE, _CARRIES)
    text = fill(
        "prefect.py.jinja",
        plan=plan,
        head=head_lines(plan, ENGINE, notes),
        steps=[task.name for task in plan.tasks],
        tasks=_in_order(plan.tasks),
        names=_names(plan),
        arguments=_arguments(plan),
        maps=[task for task in plan.tasks if task.is_map],
        start=str((plan.partitions or {}).get("start", ""))[:10],
        options=_options,
        waits=_waits,
    )
    return Exported("prefect", f"{plan.id}_prefect.py", text, tuple(notes))


def _names(plan: ExportPlan) -> list[str]:
    return [each.name for each in plan.inputs] + (["partition"] if plan.partitions else [])


def _arguments(plan: ExportPlan) -> list[str]:
    """Return the arguments of the flow: texts, of which empty ones are the pipeline's defaults."""
    found = [f"{each.name}: str = {literal(each.default)}" for each in plan.inputs]
    return found + (['partition: str = ""'] if plan.partitions else [])


def _in_order(tasks: tuple[Task, ...]) -> list[Task]:
    """Return the tasks with those behind a map last: the flow waits for the list of a map's items."""
    maps = dict[str, int]()
    for task in tasks:
        maps[task.id] = max((maps[need] for need in task.needs), default=0) + task.is_map
    return sorted(tasks, key=lambda task: maps[task.id])


def _options(task: Task, name: str) -> str:
    """Return the arguments of ``with_options``, on lines of their own if there are several."""
    options, found = task.options, [f"name={literal(name)}"]
    if options.max_retries:
        found += [
            f"retries={options.max_retries}",
            f"retry_delay_seconds={literal(_delays(task))}",
        ]
    if task.limit_s is not None:
        found.append(f"timeout_seconds={task.limit_s}")
    if len(found) == 1:
        return found[0]
    return "".join(f"\n        {each}," for each in found) + "\n    "


def _waits(task: Task) -> str:
    return f", wait_for=[{', '.join(task.needs)}]" if task.needs else ""


def _delays(task: Task) -> list[float]:
    """Return the seconds before each retry."""
    options, found, delay = task.options, list[float](), task.options.delay_s
    for _ in range(min(options.max_retries, _MOST_DELAYS)):
        found.append(round(min(delay, options.max_delay_s), 3))
        delay = min(delay * options.backoff, options.max_delay_s)
    return found
