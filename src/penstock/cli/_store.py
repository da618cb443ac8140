"""``penstock store`` and ``gc``: settings of the store, checks, backups and retention."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from penstock import stores
from penstock.cli._help import actor_option, examples
from penstock.cli._output import current_store, emit, json_option, plain, say, show_table
from penstock.core import NoStoreError, ParameterError, parse_duration, settings
from penstock.registry import set_approval_rules
from penstock.stores import UNSAFE_POLICIES

if TYPE_CHECKING:
    from penstock.stores import GarbageReport

_MAX_ROWS = 20


@click.group()
def store() -> None:
    """Check, back up, copy and configure the store."""


@store.command()
@json_option
@click.pass_context
def info(ctx: click.Context, as_json: bool) -> None:
    """Show the store's location, origin and contents."""
    chosen = settings(ctx.find_root().obj)
    try:
        opened = current_store(ctx)
    except NoStoreError as error:
        document = {"store": error.values["url"], "origin": chosen.store.origin, "exists": False}
    else:
        document = {
            "store": opened.url,
            "origin": chosen.store.origin,
            "exists": True,
            "artifacts": opened.artifacts.url,
            "single_user": opened.single_user,
            "unsafe_models": opened.unsafe_models,
            "runs": opened.metadata.runs.count(),
            "models": len(opened.metadata.models.list()),
            "deployments": len(opened.metadata.deployments.list()),
        }
    if as_json:
        emit(document)
        return
    width = max(map(len, document))
    for name, value in document.items():
        say(f"{name:<{width}} {plain(value)}")


@store.command(epilog=examples("penstock store users team"))
@click.argument("kind", type=click.Choice(["single", "team"]))
@actor_option("changes the setting")
@json_option
@click.pass_context
def users(ctx: click.Context, kind: str, actor: str | None, as_json: bool) -> None:
    """Set whether a `single` person or a `team` uses the store.

    In a team's store the trainer of a version cannot be the only approver. Every change is in the
    audit trail: `penstock history MODEL`.
    """
    setting = "true" if kind == "single" else "false"
    current_store(ctx, create=True).metadata.settings.set("single_user", setting, actor=actor)
    if as_json:
        emit({"single_user": kind == "single"})
        return
    say(f"[green]✓[/] The store is used by a {kind if kind == 'team' else 'single person'}.")


@store.command(epilog=examples("penstock store approvals --needed 2 --expires 7d"))
@click.option("--needed", type=int, metavar="N", help="Number of approvals.")
@click.option("--expires", metavar="TIME", help="How long an approval counts, e.g. 14d.")
@actor_option("changes the rules")
@json_option
@click.pass_context
def approvals(
    ctx: click.Context, needed: int | None, expires: str | None, actor: str | None, as_json: bool
) -> None:
    """Show or set how many people approve a version before production, and for how long.

    Only people other than the trainer count, and only for the gates and the report that the
    approver saw.
    """
    opened = current_store(ctx, create=True)
    rules = set_approval_rules(needed=needed, expires_after=expires, actor=actor, store=opened)
    if as_json:
        emit(rules)
        return
    people = "1 person" if rules.needed == 1 else f"{rules.needed} people"
    say(f"{people} other than the trainer; an approval counts for {rules.expires_after}.")


@store.command(
    name="unsafe-models",
    epilog=examples(
        "penstock store unsafe-models", "penstock store unsafe-models register --actor ana"
    ),
)
@click.argument("policy", type=click.Choice(UNSAFE_POLICIES), required=False)
@actor_option("changes the policy")
@json_option
@click.pass_context
def unsafe_models(ctx: click.Context, policy: str | None, actor: str | None, as_json: bool) -> None:
    """Show or set the store's rule for an UnsafeModel, which is a pickle.

    `refuse` (the default), `register`, or `production`: staging and production, too. Wherever a
    pickle is allowed, that model is loaded in an isolated process only. Every change is in the
    audit trail.
    """
    opened = current_store(ctx, create=policy is not None)
    if policy is not None:
        opened.allow_unsafe_models(policy, actor=actor)
    if as_json:
        emit({"unsafe_models": opened.unsafe_models})
        return
    answer = {
        "refuse": "refuses unsafe models",
        "register": "registers unsafe models; none goes to staging or production",
        "production": "lets unsafe models go to staging and production",
    }
    say(f"[green]✓[/] The store {answer[opened.unsafe_models]}.")


@store.command(epilog=examples("penstock store check", "penstock store check --quick"))
@click.option("--quick", is_flag=True, help="Check that the bytes exist, not their digests.")
@json_option
@click.pass_context
def check(ctx: click.Context, quick: bool, as_json: bool) -> None:
    """Check every artifact and reference.

    The digests of all bytes are computed again. Exits with 1 if the store is damaged.
    """
    with _progress("artifacts", quiet=as_json) as report:
        findings = stores.check_store(
            quick=quick,
            progress=lambda done, total: report("artifacts", done, total),
            store=current_store(ctx),
        )
    broken = [finding for finding in findings if not finding.harmless]
    if as_json:
        emit({"sound": not broken, "findings": findings})
    else:
        for finding in findings[:_MAX_ROWS]:
            mark = "[yellow]·[/]" if finding.harmless else "[red]✗[/]"
            say(f"{mark} {finding.kind:<10} {plain(finding.subject)}  {plain(finding.message)}")
        if len(findings) > _MAX_ROWS:
            say(f"… and {len(findings) - _MAX_ROWS} more; --json shows all.")
        say("[red]✗[/] The store is damaged." if broken else "[green]✓[/] The store is sound.")
    if broken:
        sys.exit(1)


@store.command(epilog=examples("penstock store backup /backups/penstock-2026-01-31"))
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def backup(ctx: click.Context, folder: Path, as_json: bool) -> None:
    """Back up the store to a new FOLDER.

    The store may be in use. The backup is checked, and is a store itself.
    """
    with _progress("artifacts", quiet=as_json) as report:
        findings = stores.backup_store(folder, progress=report, store=current_store(ctx))
    broken = [finding for finding in findings if not finding.harmless]
    if as_json:
        emit({"backup": str(folder), "sound": not broken, "findings": findings})
    elif broken:
        for finding in broken[:_MAX_ROWS]:
            say(f"[red]✗[/] {finding.kind:<10} {plain(finding.subject)}  {plain(finding.message)}")
    else:
        say(f"[green]✓[/] {plain(str(folder))} is complete. Open it with:")
        say(f"  PENSTOCK_ARTIFACTS={folder}/artifacts penstock --store {folder}/penstock.db runs")
    if broken:
        sys.exit(1)


@store.command(
    epilog=examples("penstock store copy .penstock/penstock.db postgresql://ml@db/penstock")
)
@click.argument("source")
@click.argument("target")
@click.option("--source-artifacts", metavar="URL", help="Artifacts of the source.")
@click.option("--target-artifacts", metavar="URL", help="Artifacts of the target.")
@click.option("--experiment", help="Copy only runs of this experiment, no models.")
@click.option("--since", metavar="DAY", help="Copy only runs from this day on, no models.")
@click.option(
    "--skip-conflicts",
    is_flag=True,
    help="Skip models whose name the target uses for another model.",
)
@json_option
def copy(
    source: str,
    target: str,
    source_artifacts: str | None,
    target_artifacts: str | None,
    experiment: str | None,
    since: str | None,
    skip_conflicts: bool,
    as_json: bool,
) -> None:
    """Copy or merge the store SOURCE into TARGET.

    Both may be of any kind. Repeat the command to continue an interrupted copy. By default the artifacts of a SQLite store are in the folder `artifacts` beside the file.
    """
    # A mistyped source must not become an empty store.
    first = stores.open_store(source, artifacts=source_artifacts or _beside(source), create=False)
    second = stores.open_store(target, artifacts=target_artifacts or _beside(target))
    with first, second, _progress("copy", quiet=as_json) as progress:
        report = stores.copy_store(
            first,
            second,
            experiment=experiment,
            since=None if since is None else _day(since),
            skip_conflicts=skip_conflicts,
            progress=progress,
        )
    if as_json:
        emit(report)
        return
    say(
        f"[green]✓[/] {report.changed} of {report.runs} runs were new or changed;"
        f" {report.artifacts} artifacts, {_size(report.bytes)}; models: "
        + plain(", ".join(report.models) or "none")
    )
    if report.skipped:
        say(
            f"Skipped, since the target has other versions under these names: {plain(', '.join(report.skipped))}"
        )


@click.command(
    epilog=examples("penstock gc", "penstock gc --keep-last 100 --outputs-older-than 90d --delete")
)
@click.option(
    "--older-than",
    default="30d",
    show_default=True,
    metavar="AGE",
    help="Retention of deleted runs.",
)
@click.option(
    "--keep-last", type=click.IntRange(1), metavar="N", help="Runs to keep of each experiment."
)
@click.option("--outputs-older-than", metavar="AGE", help="Retention of step outputs, e.g. 90d.")
@click.option(
    "--predictions-older-than", metavar="AGE", help="Retention of logged predictions, e.g. 180d."
)
@click.option(
    "--keep-predictions",
    type=click.IntRange(1),
    metavar="N",
    help="Logged predictions to keep of each deployment.",
)
@click.option("--delete", is_flag=True, help="Delete; by default a dry run.")
@json_option
@click.pass_context
def gc(
    ctx: click.Context,
    older_than: str,
    keep_last: int | None,
    outputs_older_than: str | None,
    predictions_older_than: str | None,
    keep_predictions: int | None,
    delete: bool,
    as_json: bool,
) -> None:
    """Delete deleted runs, unreferenced artifacts, and data beyond the retention.

    Everything a registered version needs is kept: run, rows, report and sources.
    """
    report = stores.collect_garbage(
        older_than=parse_duration(older_than),
        keep_last=keep_last,
        outputs_older_than=None
        if outputs_older_than is None
        else parse_duration(outputs_older_than),
        predictions_older_than=None
        if predictions_older_than is None
        else parse_duration(predictions_older_than),
        keep_predictions=keep_predictions,
        delete=delete,
        store=current_store(ctx),
    )
    if as_json:
        emit(report)
        return
    _show_garbage(report, delete=delete)


def _show_garbage(report: "GarbageReport", *, delete: bool) -> None:
    if report.runs:
        show_table(
            ["run", "name", "experiment", "reason"],
            [[run.run_id, run.name, run.experiment, run.why] for run in report.runs[:_MAX_ROWS]],
        )
        if len(report.runs) > _MAX_ROWS:
            say(f"… and {len(report.runs) - _MAX_ROWS} more; --json shows all.")
    for name, size in report.by_format.items():
        say(f"  {plain(name):<12} {_size(size):>10}")
    if report.shared_with:
        say(
            "Artifacts are kept, since other stores share the location: "
            + plain(", ".join(report.shared_with))
            + ". If one of these no longer exists, remove its file from the folder `stores` there."
        )
    if report.unrecorded:
        say(f"  {report.unrecorded} files without a record, left by a killed process")
    if report.without_outputs:
        verb = "lose" if delete else "would lose"
        say(f"  {len(report.without_outputs)} runs {verb} their step outputs")
    for name, count in report.predictions.items():
        say(f"  {count:,} predictions of deployment {plain(name)}")
    if report.ticks:
        say(f"  {report.ticks} schedule ticks older than 90 days")
    verb = "Deleted" if delete else "Would delete"
    say(
        f"{verb} {len(report.runs)} runs and {report.artifacts} artifacts, {_size(report.bytes)};"
        f" {_size(report.kept_bytes)} kept."
    )
    if not delete and (
        report.runs or report.artifacts or report.unrecorded or report.ticks or report.predictions
    ):
        say("Delete with: penstock gc --delete")


@contextmanager
def _progress(what: str, *, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Show the progress of long work, on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console, transient=True, disable=quiet) as bar:
        task = bar.add_task(what, total=None)

        def report(part: str, done: int, total: int) -> None:
            bar.update(task, description=part, completed=done, total=total)

        yield report


def _beside(url: str) -> str | None:
    """Return the folder beside a SQLite file; the project's setting belongs to a different store."""
    if "://" in url and not url.startswith("sqlite:///"):
        return None
    return str(Path(url.removeprefix("sqlite:///")).expanduser().absolute().parent / "artifacts")


def _day(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            what=f"{text!r} is not a day.", fix="Write --since 2026-01-31"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024 or unit == "GiB":  # noqa: PLR2004 - bytes per unit
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return ""
