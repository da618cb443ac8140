"""``penstock runs``, ``show`` and ``compare``: list, show and compare runs."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import click

from penstock.cli._findings import say_findings
from penstock.cli._help import examples
from penstock.cli._manifest_facts import manifest_facts
from penstock.cli._output import (
    ago,
    current_store,
    duration,
    emit,
    json_option,
    plain,
    say,
    show_table,
)
from penstock.core import (
    LogLine,
    NotFoundError,
    RunRecord,
    RunState,
    StepRunRecord,
    StepState,
    did_you_mean,
    short,
    to_json,
)
from penstock.execution import training_facts
from penstock.tracking import (
    SYSTEM,
    compare_runs,
    explain_no_match,
    search_experiments,
    search_runs,
)

if TYPE_CHECKING:
    from penstock.stores import Store

_MAX_CHARACTERS = 200  # characters of a parameter
_FEW_ITEMS = 12
_FINDINGS = 50
_MARKS = {
    "finished": "[green]✓[/]",
    "cached": "[cyan]≡[/]",
    "failed": "[red]✗[/]",
    "killed": "[red]☠[/]",
    "running": "[yellow]▶[/]",
    "skipped": "[dim]-[/]",
    "queued": "[dim]…[/]",
}


@click.command(
    epilog=examples(
        "penstock runs",
        "penstock runs \"metrics.roc_auc > 0.7 and state = 'finished'\"",
        'penstock runs --experiment churn --order-by "metrics.roc_auc desc" --limit 5',
    )
)
@click.argument("filter", required=False, default="")
@click.option("--order-by", default="created_at desc", show_default=True, help="Sort order.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Page size."
)
@click.option("--after", metavar="RUN", help="Last run of the previous page.")
@click.option("--experiment", help="Only runs of this experiment.")
@json_option
@click.pass_context
def runs(
    ctx: click.Context,
    filter: str,
    order_by: str,
    limit: int,
    after: str | None,
    experiment: str | None,
    as_json: bool,
) -> None:
    """Search runs by FILTER: conditions on fields, params., metrics. and tags."""
    store = current_store(ctx)
    # A killed process cannot record its end.
    store.metadata.runs.kill_dead()
    listed = [
        run.record
        for run in search_runs(
            filter,
            order_by=order_by,
            limit=limit,
            after=after,
            experiment=experiment,
            store=store,
        )
    ]
    if as_json:
        emit(listed)
        return
    if not listed:
        say("No runs." if not filter else f"No run matches {plain(repr(filter))}.")
        if reason := explain_no_match(filter, store=store) if filter else "":
            say(plain(reason))
        return
    names = _common_metrics(listed)
    show_table(
        ["run", "state", "name", "experiment", "started", "took", *names],
        [
            [
                run.run_id,
                run.state.value,
                run.name,
                run.experiment,
                ago(run.started_at),
                duration(_seconds(run)),
                *(run.metrics[name].last if name in run.metrics else None for name in names),
            ]
            for run in listed
        ],
    )


@click.command(epilog=examples("penstock experiments \"runs > 10 and tags.team = 'risk'\""))
@click.argument("filter", required=False, default="")
@click.option("--order-by", default="last_run_at desc", show_default=True, help="Sort order.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="Page size."
)
@click.option("--after", metavar="NAME", help="Last experiment of the previous page.")
@json_option
@click.pass_context
def experiments(
    ctx: click.Context, filter: str, order_by: str, limit: int, after: str | None, as_json: bool
) -> None:
    """Search experiments by FILTER: name, note, tags, dates and number of runs."""
    listed = search_experiments(
        filter, order_by=order_by, limit=limit, after=after, store=current_store(ctx)
    )
    if as_json:
        emit(listed)
        return
    if not listed:
        say("No experiments." if not filter else f"No experiment matches {plain(repr(filter))}.")
        return
    show_table(
        ["experiment", "runs", "last run", "tags", "note"],
        [
            [
                experiment.name,
                experiment.runs,
                ago(experiment.last_run_at),
                " ".join(f"{name}={value}" for name, value in experiment.tags.items()),
                experiment.note.partition("\n")[0][:60],
            ]
            for experiment in listed
        ],
    )


@click.command(epilog=examples("penstock show last", "penstock show last --logs train"))
@click.argument("run")
@click.option("--logs", metavar="STEP", help="Print the log of this step.")
@click.option("--console", is_flag=True, help="Print the console output of a tracked script.")
@json_option
@click.pass_context
def show(ctx: click.Context, run: str, logs: str | None, console: bool, as_json: bool) -> None:
    """Show RUN (an id, a unique prefix of an id, or `last`): steps, metrics, provenance."""
    store = current_store(ctx)
    # A killed process cannot record its end.
    store.metadata.runs.kill_dead()
    record = store.metadata.runs.get(run)
    steps = store.metadata.steps.list(record.run_id)
    if console:
        _show_lines(
            store.metadata.steps.list_logs(record.run_id), f"Run {record.name}", as_json=as_json
        )
    elif logs:
        step = _step(steps, logs)
        # A cached step's log is that of the execution.
        lines = store.metadata.steps.list_logs(step.cached_from or step.step_run_id)
        _show_lines(lines, f"Step {step.step}", as_json=as_json)
    elif as_json:
        proofs = store.metadata.artifacts.list_proofs(record.run_id)
        emit(
            {
                **to_json(record),
                "steps": [_step_json(step) for step in steps],
                "artifacts": {
                    name: item.digest
                    for name, item in store.metadata.artifacts.list(record.run_id).items()
                },
                "proofs": proofs,
            }
        )
    else:
        _show_run(store, record, steps)


@click.command(epilog=examples("penstock compare 06h2cc last"))
@click.argument("a")
@click.argument("b")
@json_option
@click.pass_context
def compare(ctx: click.Context, a: str, b: str, as_json: bool) -> None:
    """Compare runs A and B: parameters, metrics, tags, steps and provenance."""
    comparison = compare_runs(a, b, store=current_store(ctx))
    if as_json:
        emit(comparison.to_json())
        return
    for part in ("params", "metrics", "tags"):
        pairs = getattr(comparison, part).items()
        rows = [[name, *pair] for name, pair in pairs if pair[0] != pair[1]]
        if rows:
            show_table([part, "a", "b"], rows)
    steps = [[name, how] for name, how in comparison.steps.items() if how != "same"]
    if steps:
        show_table(["step", "difference"], steps)
    for sentence in comparison.provenance:
        say(plain(sentence))
    if not comparison.differences:
        say("No differences in parameters, metrics, steps, code and environment.")


def _common_metrics(records: list[RunRecord]) -> list[str]:
    """Choose the three metrics that most of the runs have, in the order of logging."""
    names = (name for run in records for name in run.metrics if not name.startswith(SYSTEM))
    counts = Counter(names)
    return [name for name, _ in counts.most_common(3)]


def _short(value: Any) -> str:
    """Format a parameter for people; the JSON form has long values in full."""
    text = str(value)
    if len(text) <= _MAX_CHARACTERS:
        return text
    items = f" ({len(value):,} items)" if isinstance(value, list | tuple | dict) else ""
    return f"{text[:_MAX_CHARACTERS]}…{items}"


def _show_run(store: "Store", run: RunRecord, steps: list[StepRunRecord]) -> None:
    say(
        f"{_MARKS[run.state.value]} [bold]{run.run_id}[/] {plain(run.pipeline or run.name)}  "
        f"{run.state.value}, {ago(run.started_at)}, took {duration(_seconds(run))}"
    )
    _show_description(run)
    if run.params:
        params = ", ".join(f"{name}={_short(value)}" for name, value in run.params.items())
        say(f"  parameters  {plain(params)}")
    if run.error:
        say(f"  [red]{plain(run.error)}[/]")
    for sentence in run.missed:
        say(f"  [yellow]not recorded[/]  {plain(sentence)}")
    items = _items(steps)
    for step in steps:
        if "[" not in step.step:
            _show_step(step)
            _show_items(items.get(step.step, ()))
    say_findings(store, run.run_id, limit=_FINDINGS)
    if run.metrics:
        show_table(
            ["metric", "last", "min", "max", "points"],
            [[name, m.last, m.min, m.max, m.count] for name, m in sorted(run.metrics.items())],
        )
    for word, sentence in manifest_facts(store, run):
        say(f"  {word:<10}  {plain(sentence)}")
    for proof in store.metadata.artifacts.list_proofs(run.run_id)[-1:]:
        say(f"  {proof.kind}: [bold]{proof.verdict.value}[/] ({ago(proof.at)})")
    if run.state in {RunState.FAILED, RunState.KILLED} and run.pipeline:
        say(f"  Resume with:  penstock run --resume {run.run_id}")


def _step_json(step: StepRunRecord) -> dict[str, Any]:
    """Return a step's record, with the course of training."""
    trained = training_facts(step)
    return {**to_json(step), **({"training": trained} if trained else {})}


def _show_training(step: StepRunRecord) -> None:
    trained = training_facts(step)
    if "mode" in trained:
        counts = [f"{trained[name]} {name}" for name in ("workers", "shards") if name in trained]
        say(f"      {', '.join(counts)} ({trained['mode']})")
    if trained.get("deterministic") is False:
        say(f"      [yellow]![/] deterministic=False: {trained['price']}")
    for switch in trained.get("switched", ()):
        say(f"      [yellow]![/] changed while it ran: {plain(switch)}")


def _show_step(step: StepRunRecord) -> None:
    outputs = " ".join(f"{name}:{short(digest)}" for name, digest in step.outputs.items())
    took = duration(_seconds(step))
    say(
        f"  {_MARKS[step.state.value]} {plain(step.step):<22} {step.state.value:<9} {took:>9}"
        f"  {plain(outputs)}"
    )
    _show_training(step)
    if step.state is StepState.FAILED and step.traceback:
        for line in step.traceback.rstrip().splitlines()[-6:]:
            click.echo(f"      {line}")


def _items(steps: Iterable[StepRunRecord]) -> dict[str, list[StepRunRecord]]:
    """Group the items by map and loop."""
    items: dict[str, list[StepRunRecord]] = defaultdict(list)
    for step in steps:
        whole, bracket, _ = step.step.partition("[")
        if bracket:
            items[whole].append(step)
    return items


def _show_items(items: Sequence[StepRunRecord]) -> None:
    """Print few items singly, many as counts and the first failed items."""
    if len(items) <= _FEW_ITEMS:
        for item in items:
            _show_step(item)
        return
    counts = Counter(item.state.value for item in items)
    states = ", ".join(f"{count:,} {state}" for state, count in counts.most_common())
    say(f"      {len(items):,} items: {states}")
    failed = [item for item in items if item.state is StepState.FAILED]
    for item in failed[:_FEW_ITEMS]:
        say(f"      [red]✗[/] {plain(item.step):<18} {plain(item.error or '')}")
    if len(failed) > _FEW_ITEMS:
        say(f"      and {len(failed) - _FEW_ITEMS:,} more: penstock ui lists all")


def _show_description(run: RunRecord) -> None:
    facts = {"group": run.group, "parent": run.parent_run_id, "note": run.note}
    if run.forked_from:
        end = "" if run.forked_at is None else f" at step {run.forked_at:g}"
        facts["forked from"] = f"{run.forked_from}{end}"
    facts["tags"] = " ".join(f"{name}={value}" for name, value in run.tags.items())
    for name, value in facts.items():
        if value:
            say(f"  {name:<10}  {plain(str(value))}")
    if run.deleted_at:
        say(f"  [red]deleted {ago(run.deleted_at)}[/]; restore with: penstock restore {run.run_id}")
    elif run.archived_at:
        say(
            f"  archived {ago(run.archived_at)}; unarchive with: penstock edit {run.run_id} --unarchive"
        )


def _step(steps: list[StepRunRecord], name: str) -> StepRunRecord:
    for step in steps:
        if step.step == name:
            return step
    raise NotFoundError(
        what=f"The run has no step {name!r}.", fix=did_you_mean(name, [step.step for step in steps])
    )


def _show_lines(lines: list[LogLine], what: str, *, as_json: bool) -> None:
    if as_json:
        emit(lines)
        return
    for line in lines:
        click.echo(f"{line.time:%H:%M:%S} {line.stream:<7} {line.text}")
    if not lines:
        say(f"{plain(what)} has no output.", stderr=True)


def _seconds(record: RunRecord | StepRunRecord) -> float | None:
    if record.started_at is None or record.ended_at is None:
        return None
    return (record.ended_at - record.started_at).total_seconds()
