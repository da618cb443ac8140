"""``penstock notebook``: notebooks checked, executed, promoted to pipelines, and kept in step with scripts."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click

import penstock
from penstock.cli._help import examples
from penstock.cli._output import current_store, duration, emit, json_option, plain, say
from penstock.cli._run import pairs
from penstock.core import ConflictError, RunState, StepState
from penstock.notebooks import (
    FindingLevel,
    NotebookFinding,
    NotebookReport,
    NotebookResult,
    PromotedNotebook,
    SyncSide,
    check_notebooks,
    cleaned,
    percent_text,
    promote_notebook,
    run_notebook,
    set_up_git,
    sync_notebook,
    to_sarif,
)

_MARKS: dict[FindingLevel, str] = {
    "error": "[bold red]✗[/]",
    "warning": "[yellow]![/]",
    "info": "·",
}
_STATES = {StepState.FINISHED: "[bold green]✓[/]", StepState.FAILED: "[bold red]✗[/]"}
_NOUNS: dict[FindingLevel, str] = {"error": "error", "warning": "warning", "info": "remark"}


@click.group()
def notebook() -> None:
    """Check, run, promote and sync notebooks."""


@notebook.command(
    epilog=examples(
        "penstock notebook check analysis.ipynb",
        "penstock notebook check notebooks/ --fail-on warning",
        "penstock notebook check notebooks/ --sarif > notebooks.sarif",
    )
)
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warning", "info"]),
    default="error",
    show_default=True,
    help="Least severe level that counts as a negative result.",
)
@click.option("--sarif", "as_sarif", is_flag=True, help="Print a SARIF 2.1.0 log only.")
@json_option
def check(paths: Sequence[Path], fail_on: FindingLevel, as_sarif: bool, as_json: bool) -> None:
    """Check the notebooks of PATHS: order, hidden state, leakage, seeds, paths, packages.

    A comment "# penstock: ignore NB5 REASON" suppresses a rule for that line; alone on a line,
    for the cell.
    """
    if as_json and as_sarif:
        raise click.UsageError("--json and --sarif exclude each other.")
    reports = check_notebooks(paths)
    failed = any(report.counting(fail_on) for report in reports)
    if as_sarif:
        emit(to_sarif(reports, penstock.__version__))
    elif as_json:
        emit({"ok": not failed, "notebooks": [report.to_json() for report in reports]})
    else:
        _say_reports(reports)
    sys.exit(1 if failed else 0)


def _say_reports(reports: Sequence[NotebookReport]) -> None:
    for report in reports:
        counting = report.counting()
        if counting:
            say(f"[bold]{plain(report.path)}[/]")
        for finding in counting:
            _say_finding(finding)
    counts = Counter(finding.level for report in reports for finding in report.counting())
    hidden = sum(
        finding.suppressed is not None for report in reports for finding in report.findings
    )
    parts = [
        f"{counts[level]} {noun}{'s' * (counts[level] != 1)}" for level, noun in _NOUNS.items()
    ]
    parts += [f"{hidden} suppressed"] if hidden else []
    say(f"{len(reports)} notebook{'s' * (len(reports) != 1)}: {', '.join(parts)}")


def _say_finding(finding: NotebookFinding) -> None:
    place = f"cell {finding.cell}, line {finding.line}: " if finding.cell else ""
    say(f"  {_MARKS[finding.level]} {finding.rule} {place}{plain(finding.message)}")
    if finding.level != "info":
        say(f"      [dim]{plain(finding.why)}[/]")
    say(f"      {plain(finding.repair)}")


@notebook.command(
    epilog=examples(
        "penstock notebook run analysis.ipynb",
        "penstock notebook run analysis.ipynb -p size=0.3 -o out/analysis.ipynb",
        "penstock notebook run analysis.ipynb --twice",
    )
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-p", "--param", "params", multiple=True, metavar="NAME=VALUE",
    help="Value of a parameter: a name in the cell tagged parameters; repeatable.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the executed notebook."
)
@click.option("--keep-going", is_flag=True, help="Execute the cells after a failed one too.")
@click.option(
    "--twice", is_flag=True, help="Execute in two fresh kernels; compare outputs and values."
)
@click.option("--timeout", metavar="SECONDS", type=float, help="Longest duration of a cell.")
@click.option("--kernel", default="python3", show_default=True, help="Name of the Jupyter kernel.")
@click.option("--name", help="Name of the run; default: the file's.")
@click.option("--experiment", default="notebooks", show_default=True, help="Experiment of the run.")
@json_option
@click.pass_context
def run(
    ctx: click.Context,
    path: Path,
    params: tuple[str, ...],
    output: Path | None,
    keep_going: bool,
    twice: bool,
    timeout: float | None,
    kernel: str,
    name: str | None,
    experiment: str,
    as_json: bool,
) -> None:
    """Execute the notebook PATH in a fresh kernel, and record each cell on a run."""
    result = run_notebook(
        path,
        parameters=pairs(params, "-p"),
        keep_going=keep_going,
        twice=twice,
        output=output,
        timeout_s=timeout,
        kernel=kernel,
        name=name,
        experiment=experiment,
        store=current_store(ctx, create=True),
    )
    if as_json:
        emit(result.to_json())
    else:
        _say_result(result)
    sys.exit(3 if result.state is RunState.FAILED else int(not result.ok))


def _say_result(result: NotebookResult) -> None:
    for cell in result.cells:
        name = f"cell {cell.cell}" if cell.cell else "parameters"
        took = duration(cell.seconds) if cell.state is not StepState.SKIPPED else ""
        say(f"  {_STATES.get(cell.state, '·')} {name:<12} {cell.state:<9} {took:>9}")
        if cell.error:
            say(f"      {plain(cell.error)}")
    finished = sum(cell.state is StepState.FINISHED for cell in result.cells)
    say(f"{finished} of {len(result.cells)} cells finished; run {result.run_id}")
    if result.differing is not None:
        _say_comparison(result)
    if result.output is not None:
        say(f"written: {plain(result.output)}")


def _say_comparison(result: NotebookResult) -> None:
    """Print what two fresh kernels have not in common."""
    values = result.differing_values
    if result.differing:
        cells = ", ".join(map(str, result.differing))
        say(f"[bold red]✗[/] two fresh kernels differ in the outputs of cell {cells}")
    if values:
        say(f"[bold red]✗[/] two fresh kernels differ in the values of {plain(', '.join(values))}")
    if not result.differing and not values:
        what = "outputs" if values is None else "outputs and values"
        say(f"[bold green]✓[/] two fresh kernels gave the same {what}")
    if values is None:
        say("  values were not compared: install penstock in the kernel's environment")
    if result.uncompared:
        say(f"  without a digest, so not compared: {plain(', '.join(result.uncompared))}")


@notebook.command(
    epilog=examples(
        "penstock notebook promote analysis.ipynb -o analysis/ --plan",
        "penstock notebook promote analysis.ipynb -o analysis/",
    )
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write to."
)  # fmt: skip
@click.option("--plan", "plan_only", is_flag=True, help="Write only plan.toml, to be edited.")
@click.option("--overwrite", is_flag=True, help="Replace files that were changed by hand.")
@click.option("--force", is_flag=True, help="Leave out magics without a form in Python.")
@click.option("--timeout", metavar="SECONDS", type=float, help="Longest duration of a cell.")
@json_option
def promote(
    path: Path,
    folder: Path,
    plan_only: bool,
    overwrite: bool,
    force: bool,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Write the notebook PATH as a pipeline with tests, proved equal by running both.

    A plan.toml in the folder decides which cells make which step.
    """
    promoted = promote_notebook(
        path,
        folder,
        plan_only=plan_only,
        overwrite=overwrite,
        force=force,
        timeout_s=timeout,
    )
    if as_json:
        emit(promoted.to_json())
    else:
        _say_promoted(promoted, plan_only=plan_only)


def _say_promoted(promoted: PromotedNotebook, *, plan_only: bool) -> None:
    say(f"[bold]{plain(promoted.plan.pipeline)}[/]")
    for step in promoted.plan.steps:
        cells = ", ".join(map(str, step.cells))
        arrow = f"{', '.join(step.inputs) or '·'} → {', '.join(step.outputs) or '·'}"
        say(f"  {plain(step.name):<20} cells {cells:<12} {plain(arrow)}")
    if promoted.left_out:
        cells = ", ".join(map(str, promoted.left_out))
        say(f"  in no step: cells {cells} (imports, definitions, what is only shown)")
    if not plan_only:
        say(
            f"[bold green]✓[/] {promoted.compared} values are equal in the pipeline and in the notebook"
        )
    say(f"written: {plain(', '.join(str(file) for file in promoted.files))}")
    next_command = f"penstock run {promoted.files[0]}"
    say(f"Next:  {plain('edit the plan, and promote again' if plan_only else next_command)}")


@notebook.command(
    epilog=examples(
        "penstock notebook sync analysis.ipynb",
        "penstock notebook sync analysis.ipynb --use script",
    )
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--script", type=click.Path(path_type=Path), help="The script; default: PATH with .py."
)
@click.option(
    "--use", type=click.Choice(["notebook", "script"]), help="The side to take in a conflict."
)
@json_option
def sync(path: Path, script: Path | None, use: SyncSide | None, as_json: bool) -> None:
    """Bring the notebook PATH and its percent script to the same cells.

    The side that changed since the last sync is written to the second file. If both changed,
    nothing is written, and the changes of both are shown.
    """
    try:
        result = sync_notebook(path, script=script, use=use)
    except ConflictError as error:
        for line in [line for lines in error.differences.values() for line in lines]:
            say(plain(line), stderr=True)
        raise
    if as_json:
        emit(result)
        return
    written = result.script if result.action == "script written" else result.notebook
    same = f"{result.notebook} and {result.script} have the same cells"
    say(plain(same if result.action == "unchanged" else f"written: {written}"))
    if result.outputs_dropped:
        cells = ", ".join(map(str, result.outputs_dropped))
        say(f"  outputs of changed cells are gone: cell {cells}")


@notebook.command(epilog=examples("penstock notebook clean < analysis.ipynb"))
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True))
@click.option("--text", "as_text", is_flag=True, help="Print a percent script, for readable diffs.")
def clean(path: Path | None, as_text: bool) -> None:
    """Print a notebook, of PATH or standard input, without outputs, counts and times.

    This is git's filter; see: penstock notebook git.
    """
    data = path.read_bytes() if path is not None else sys.stdin.buffer.read()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:  # no notebook: as it is
        sys.stdout.buffer.write(data)
        return
    shown = percent_text(cleaned(text)) if as_text else cleaned(text)
    sys.stdout.buffer.write(shown.encode("utf-8"))


@notebook.command(epilog=examples("penstock notebook git"))
@json_option
def git(as_json: bool) -> None:
    """Keep outputs out of this repository's commits, and diffs readable."""
    files = set_up_git(Path.cwd())
    if as_json:
        emit({"files": [str(file) for file in files]})
        return
    say(f"written: {plain(', '.join(str(file) for file in files))}")
    say("From now on git stores notebooks without outputs; your files keep theirs.")
