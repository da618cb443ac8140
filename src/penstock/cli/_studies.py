"""``penstock studies``: list and show hyperparameter searches."""

import click

from penstock.cli._help import examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.cli._tune import say_best
from penstock.tuning import Study, StudySummary, Trial, TrialState, get_study, list_studies


@click.group()
def studies() -> None:
    """List and show hyperparameter searches."""


@studies.command("list", epilog=examples("penstock studies list"))
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@json_option
@click.pass_context
def list_(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List studies, newest first."""
    studies = list_studies(limit=limit, store=current_store(ctx))
    if as_json:
        emit([study.to_json() for study in studies])
        return
    if not studies:
        say("No studies. Start one with: penstock tune FILE.py --search NAME=RANGE --metric METRIC")
        return
    show_table(
        ["study", "name", "state", "started", "trials", "objective", "best"],
        [
            [
                study.study_id,
                study.name,
                study.state,
                ago(study.run.started_at),
                study.trial_count,
                ", ".join(f"{each.metric} ({each.direction})" for each in study.spec.objectives),
                _best(study),
            ]
            for study in studies
        ],
    )


@studies.command(epilog=examples("penstock studies show churn", "penstock studies show last"))
@click.argument("study")
@click.option("--limit", default=50, show_default=True, help="Trials shown, best first.")
@json_option
@click.pass_context
def show(ctx: click.Context, study: str, limit: int, as_json: bool) -> None:
    """Show STUDY (an id, a name or `last`): the best trials, importance, failures."""
    details = get_study(study, store=current_store(ctx))
    if as_json:
        shares = {each.parameter: each.share for each in details.importance()}
        emit({**details.to_json(), "importance": shares})
        return
    spec = details.spec
    space = " ".join(f"{name}={each}" for name, each in spec.space.items())
    say(
        f"[bold]{plain(details.name)}[/]  {details.study_id}  {details.state}  {plain(spec.sampler)}"
    )
    say(f"[dim]Search:[/] {plain(space)}")
    show_table(
        ["trial", "state", *(each.metric for each in spec.objectives), *spec.space, "run"],
        [
            [
                trial.number,
                trial.state.value,
                *(trial.values or [None] * len(spec.objectives)),
                *(trial.params.get(name) for name in spec.space),
                trial.run_id,
            ]
            for trial in _best_first(details)[:limit]
        ],
    )
    for trial in [t for t in details.trials if t.state is TrialState.FAILED][:5]:
        say(f"[red]✗[/] trial {trial.number}: {plain(str(trial.error))}")
    if importance := details.importance():
        text = " ".join(f"{each.parameter} {each.share:.0%}" for each in importance)
        say(f"[dim]Importance:[/] {plain(text)}")
    say_best(details)


def _best(study: StudySummary) -> str:
    if study.spec.is_multi and study.front_size:
        return f"{study.front_size} on the front"
    return f"{study.best_values[0]:.6g}" if study.best_values else ""


def _best_first(study: Study) -> list[Trial]:
    sign = -1.0 if study.spec.objectives[0].direction == "maximize" else 1.0

    def rank(trial: Trial) -> tuple[bool, float]:
        return not trial.values, sign * trial.values[0] if trial.values else trial.number

    return sorted(study.trials, key=rank)
