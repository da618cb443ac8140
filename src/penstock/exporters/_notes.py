"""What an engine does not carry over of a pipeline, as sentences for the file's head and for people."""

from collections.abc import Iterator

from penstock.exporters._plan import ExportPlan, Task


def find_notes(plan: ExportPlan, engine: str, carries: frozenset[str]) -> list[str]:
    """Return what the exported file does differently from `penstock run`.

    Args:
        plan: The pipeline.
        engine: The engine's name, for people.
        carries: What the exporter carries over: retries, timeout, cpu, gpu, memory, schedule,
            timezone, interval (of since, cutoff and partitions), partition (of these alone), map,
            skip, environment.
    """
    notes = [note for task in plan.tasks for note in _of_task(task, engine, carries)]
    if plan.cron is not None:
        if "schedule" not in carries:
            notes.append(
                f"The schedule {plan.cron!r} is not in the file: {engine} keeps schedules apart."
            )
        elif plan.timezone != "UTC" and "timezone" not in carries:
            notes.append(f"{engine} reads {plan.cron!r} as UTC, not as {plan.timezone}.")
        if missing := _of_interval(plan, carries):
            notes.append(f"{engine} has no data interval: {missing} must be given.")
    if plan.has_conditions and "skip" not in carries:
        notes.append("A step of a branch not taken shows as succeeded; its output says skipped.")
    return notes


def _of_interval(plan: ExportPlan, carries: frozenset[str]) -> str:
    """Return what the engine's clock does not fill, for people."""
    if "interval" in carries:
        return ""
    if plan.time_unit and "partition" not in carries:
        return "partition"
    return " and ".join(each.name for each in plan.inputs if each.of_interval)


def _of_task(task: Task, engine: str, carries: frozenset[str]) -> Iterator[str]:
    options, name = task.options, task.name
    if options.max_retries:
        if "retries" not in carries:
            yield f"{name}: penstock retries within the task, since {engine} does not."
        elif options.retry_on or options.never_on:
            which = ", ".join(
                [
                    *(each.rpartition(".")[2] for each in options.retry_on),
                    *(f"not {each.rpartition('.')[2]}" for each in options.never_on),
                ]
            )
            yield f"{name}: {engine} retries after every error, not only after: {which}."
    if options.timeout_s is not None and "timeout" not in carries:
        yield f"{name}: penstock keeps the limit of {options.timeout_s:g} s, not {engine}."
    asked = {"cpu": options.cpu, "gpu": options.gpu or None, "memory": options.memory}
    missing = [f"{key}={value}" for key, value in asked.items() if value and key not in carries]
    if missing:
        yield f"{name}: {', '.join(missing)} is not requested from {engine}."
    if options.environment and "environment" not in carries:
        yield f"{name}: {engine} executes it where it runs, not in {options.environment}."
    if options.approval:
        yield f"{name}: the task fails until somebody approves the step; then retry the task."
    if task.is_map and "map" not in carries:
        yield f"{name}: the items are executed in one task."
