"""``penstock run``: run a pipeline, or resume a run."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from penstock.cli._findings import say_findings
from penstock.cli._help import examples, runner_options, set_option
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import (
    ParameterError,
    RunState,
    to_json,
)
from penstock.core import settings as settings_of
from penstock.execution import (
    LineReporter,
    OnFailure,
    PipelineResult,
    QuietReporter,
    Reporter,
    RichReporter,
    RunnerName,
    RunOptions,
    load_pipeline,
    prepare_pipeline,
    project_of,
    resume_run,
    run_pipeline,
)
from penstock.pipelines import PipelineSpec

if TYPE_CHECKING:
    from penstock.stores import Store

_FINDINGS = 8  # the most severe; `show` prints more
_FIXED_OPTIONS = (
    "seed", "no_cache", "refresh", "only", "from_step", "until", "name", "experiment", "tags",
    "partition", "run_id",
)  # fmt: skip


class _Run(click.Command):
    """A command whose arguments include pipeline parameters: values are passed unchanged."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, _joined(args, self._own_options()))

    def _own_options(self) -> dict[str, bool]:
        """Return the command's own options, and whether each takes a value."""
        return {
            name: not getattr(option, "is_flag", False) and not option.count
            for option in self.params
            if isinstance(option, click.Option)
            for name in option.opts
        } | {"--help": False, "-h": False}


def _joined(args: Sequence[str], own: Mapping[str, bool]) -> list[str]:
    """Join ``--parameter value`` to a single word, so that a value such as ``-q1`` is no option.

    >>> _joined(["a.py", "--text", "-q1", "--seed", "3", "-q"], {"--seed": True, "-q": False})
    ['a.py', '--text=-q1', '--seed', '3', '-q']
    """
    words: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        takes = own.get(word)
        if takes and rest:
            words += [word, rest.pop(0)]
        elif (
            takes is None
            and word.startswith("--")
            and len(word) > len("--")
            and "=" not in word
            and rest
            and not rest[0].startswith("--")
        ):
            words.append(f"{word}={rest.pop(0)}")
        else:
            words.append(word)
    return words


@click.command(
    cls=_Run,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": True},
    epilog=examples(
        "penstock run churn.py",
        "penstock run churn.py --cutoff 2026-01-31 --refresh train",
        "penstock run churn.py:job --runner processes --workers 4 --tag team=risk",
        "penstock run --resume last",
    ),
)
@click.argument(
    "words", nargs=-1, type=click.UNPROCESSED, metavar="[TARGET] [--PARAMETER VALUE]..."
)
@click.option("--resume", metavar="RUN", help="Resume a failed or killed run; `last` works.")
@set_option
@runner_options
@click.option(
    "--on-failure",
    type=click.Choice(get_args(OnFailure)),
    default="finish_independent",
    show_default=True,
    help="Failure policy: finish the steps that do not depend on it, or stop.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the run.")
@click.option("--no-cache", is_flag=True, help="Execute every step, even if cached.")
@click.option("--refresh", multiple=True, metavar="STEP", help="Execute this step even if cached.")
@click.option("--only", multiple=True, metavar="STEP", help="Execute only this step.")
@click.option("--from", "from_step", metavar="STEP", help="Execute this step and its descendants.")
@click.option("--until", metavar="STEP", help="Execute this step and its ancestors.")
@click.option("--name", help="Name of the run, or the pipeline's parameter of that name.")
@click.option("--experiment", help="Experiment of the run.")
@click.option(
    "--tag", "tags", multiple=True, metavar="NAME=VALUE", help="Set a tag on the run; repeatable."
)
@click.option("--partition", metavar="KEY", help="Partition to run the pipeline for.")
@click.option("--run-id", metavar="ID", help="Id of the run; default: a new one.")
@click.option(
    "--prepare", is_flag=True, help="Record the run without executing; see `penstock step`."
)
@click.option(
    "--require-steps",
    metavar="A,B",
    help="With --prepare: refuse if the run would have other steps than these.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print no progress.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    words: tuple[str, ...],
    resume: str | None,
    settings: tuple[str, ...],
    runner: RunnerName,
    workers: int | None,
    on_failure: OnFailure,
    seed: int,
    no_cache: bool,
    refresh: tuple[str, ...],
    only: tuple[str, ...],
    from_step: str | None,
    until: str | None,
    name: str | None,
    experiment: str | None,
    tags: tuple[str, ...],
    partition: str | None,
    run_id: str | None,
    prepare: bool,
    require_steps: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run the pipeline in TARGET: FILE.py, FILE.py:NAME or module:NAME.

    The pipeline's parameters are options: `--cutoff 2016-06-30`, or `--set cutoff=2016-06-30`.
    """
    reporter = _reporter(quiet=quiet or as_json)
    target, params = _parse_words(words)
    params.update(pairs(settings, "--set"))
    options = RunOptions(
        runner=runner,
        workers=workers,
        on_failure=on_failure,
        seed=seed,
        use_cache=not no_cache,
        refresh=refresh,
        only=only,
        from_step=from_step,
        until=until,
        name=name,
        experiment=experiment,
        tags=pairs(tags, "--tag"),
        partition=partition,
        run_id=run_id,
        reporter=reporter,
    )
    if resume:
        _refuse_fixed_options(ctx)
        store = current_store(ctx)
        options = replace(options, store=store)
        result = resume_run(resume, target=target, params=params, options=options)
    elif target is None:
        raise ParameterError(
            what="No pipeline is named.",
            why="There is nothing to run.",
            fix="Use: penstock run FILE.py, or penstock run --resume RUN.",
        )
    else:
        pipeline = load_pipeline(target)
        project = project_of(pipeline.file)
        store = current_store(ctx, project=project, create=True)
        _report_store(project, store, chosen=ctx.find_root().obj)
        options = replace(options, store=store)
        if prepare:
            steps = None if require_steps is None else require_steps.split(",")
            prepared = prepare_pipeline(pipeline, params, options, steps=steps)
            _show_prepared(store, prepared, quiet=quiet, as_json=as_json)
            return
        result = run_pipeline(pipeline, params, options)
    _report_result(store, result, quiet=quiet, as_json=as_json)
    sys.exit(_exit_code(result))


def _report_result(store: "Store", result: PipelineResult, *, quiet: bool, as_json: bool) -> None:
    """Print the result as JSON, or the findings; the error, if no progress line has shown the error yet."""
    if as_json:
        emit(result.to_json())
    elif not quiet:
        say_findings(store, result.run_id, limit=_FINDINGS, stderr=True, brief=True)
    if (quiet or as_json) and not result.ok:
        say(f"[bold red]✗[/] {plain(result.error or f'The run is {result.state}.')}", stderr=True)
        say(f"  Resume with:  {result.resume_command}", stderr=True)


def _report_store(project: Path, store: "Store", *, chosen: str | None) -> None:
    """Print where the run is recorded, if commands in this folder would use a different store."""
    if chosen is None and settings_of().store.value != settings_of(project=project).store.value:
        say(
            f"[dim]The project is {plain(project)}; its store is {plain(store.url)}.[/]\n"
            f"[dim]The commands that follow find it there:[/]  cd {plain(shlex.quote(str(project)))}",
            stderr=True,
        )


def _show_prepared(store: "Store", run_id: str, *, quiet: bool, as_json: bool) -> None:
    """Print the run and the steps in the order in which they can be executed."""
    run = store.metadata.runs.get(run_id)
    steps = [step.name for step in PipelineSpec.from_json(run.graph).steps]
    if as_json:
        emit({**to_json(run), "steps": [{"name": name} for name in steps]})
        return
    click.echo(run_id)
    for name in () if quiet else steps:
        say(f"  penstock step {run_id} {plain(name)}", stderr=True)


def _reporter(*, quiet: bool) -> Reporter:
    if quiet:
        return QuietReporter()
    return RichReporter() if sys.stderr.isatty() else LineReporter()


def _exit_code(result: PipelineResult) -> int:
    if result.state is RunState.KILLED:
        return 130
    if result.state is RunState.QUEUED:
        return 1  # the run waits for a decision
    if result.state is not RunState.FINISHED:
        return 3
    return 1 if result.refused else 0


def _refuse_fixed_options(ctx: click.Context) -> None:
    """Refuse the options that a resumed run has fixed at the start."""
    for name in _FIXED_OPTIONS:
        if ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(param.opts[0] for param in ctx.command.params if param.name == name)
            raise ParameterError(
                what=f"{option} cannot be used with --resume.",
                why="A resumed run keeps the options of its start.",
                fix=f"Leave {option} out, or start a new run.",
            )


def _parse_words(words: tuple[str, ...]) -> tuple[str | None, dict[str, Any]]:
    """Parse the target and ``--name value`` and ``--name=value`` pairs, in any order."""
    target: str | None = None
    params: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            if target is None:
                target = word
                continue
            raise ParameterError(
                what=f"Unexpected argument {word!r}.",
                why="Parameters of a pipeline are passed by name.",
                fix=f"Write --NAME {word}, or --set NAME={word}.",
            )
        name, equals, value = word[2:].partition("=")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ParameterError(
                    what=f"{word} has no value.", fix=f"Write {word} VALUE or {word}=VALUE."
                )
            value = rest.pop(0)
        params[name.replace("-", "_")] = value
    return target, params


def pairs(words: tuple[str, ...], option: str) -> dict[str, str]:
    """Parse ``NAME=VALUE`` words of an option.

    Raises:
        ParameterError: If a word has no ``=``.
    """
    pairs = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ParameterError(
                what=f"{option} {word!r} has no '='.", fix=f"Write {option} NAME=VALUE."
            )
        pairs[name] = value
    return pairs
