"""``penstock data``: data sets, their versions over all readings, and the difference of two."""

from dataclasses import asdict

import click

from penstock.cli._help import actor_option, examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import did_you_mean, short
from penstock.data import (
    Dataset,
    DatasetVersion,
    LearnedExpectations,
    Level,
    TableDiff,
    accept_rows,
    diff_tables,
    findings_to_json,
    get_dataset,
    get_dataset_version,
    list_datasets,
    load_snapshot,
)
from penstock.monitoring import ColumnDrift, compare_snapshots

_MARKS: dict[Level, str] = {"fail": "[bold red]✗[/]", "warn": "[yellow]![/]", "info": "·"}


@click.group()
def data() -> None:
    """List data sets, show their versions, and compare two of them."""


@data.command("list", epilog=examples("penstock data list"))
@json_option
@click.pass_context
def list_command(ctx: click.Context, as_json: bool) -> None:
    """List the data sets that runs have ingested."""
    datasets = list_datasets(store=current_store(ctx))
    if as_json:
        emit(
            [
                {"name": one.name, "versions": len(one.versions), "latest": one.latest.to_json()}
                for one in datasets
            ]
        )
    elif not datasets:
        say("No data set was ingested. A pipeline ingests one with ps.steps.ingest.")
    else:
        show_table(
            ["data set", "versions", "rows", "columns", "digest", "last read"],
            [_row(one.name, len(one.versions), one.latest) for one in datasets],
        )


@data.command(epilog=examples("penstock data show rides", "penstock data show rides@3"))
@click.argument("name")
@json_option
@click.pass_context
def show(ctx: click.Context, name: str, as_json: bool) -> None:
    """Show the versions of data set NAME; for NAME@VERSION, columns and reading."""
    store = current_store(ctx)
    if "@" not in name:
        dataset = get_dataset(name, store=store)
        if as_json:
            emit({"name": dataset.name, "versions": [one.to_json() for one in dataset.versions]})
        else:
            _show_versions(dataset)
        return
    version = get_dataset_version(name, store=store)
    if as_json:
        emit(version.to_json())
    else:
        _show_version(version)


@data.command(
    epilog=examples(
        "penstock data diff rides@1 rides@2", "penstock data diff rides@1 rides --key ride_id"
    )
)
@click.argument("before")
@click.argument("after")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="COLUMN",
    help="Column that identifies a row, so that changed rows are found; repeatable.",
)
@json_option
@click.pass_context
def diff(ctx: click.Context, before: str, after: str, keys: tuple[str, ...], as_json: bool) -> None:
    """Compare two versions, NAME@VERSION or NAME: rows, columns, and drift of each column.

    Exit code 1 if they differ.
    """
    store = current_store(ctx)
    versions = [get_dataset_version(ref, store=store) for ref in (before, after)]
    first, second = (load_snapshot(version, store=store) for version in versions)
    difference = diff_tables(first.table, second.table, keys)
    drifts = compare_snapshots(first, second)
    if as_json:
        emit(
            {
                "versions": [version.ref for version in versions],
                **difference.to_json(),
                "drift": [drift.to_json() for drift in drifts],
            }
        )
    else:
        _show_diff(versions[0], versions[1], difference)
        _show_drift(drifts)
    if not difference.is_equal:
        ctx.exit(1)


def _row(name: str, versions: int, version: DatasetVersion) -> list[object]:
    return [
        name, versions, version.rows, len(version.schema.columns), short(version.ordered_digest),
        ago(version.last_at),
    ]  # fmt: skip


def _show_versions(dataset: Dataset) -> None:
    show_table(
        ["version", "rows", "columns", "window", "digest", "first read", "last read", "readings"],
        [
            [
                version.number,
                version.rows,
                len(version.schema.columns),
                _window(version),
                short(version.ordered_digest),
                ago(version.first_at),
                ago(version.last_at),
                version.readings,
            ]
            for version in dataset.versions
        ],
    )
    if len(dataset.versions) > 1:
        last = dataset.versions[-1].number
        say(f"Compare two: penstock data diff {plain(dataset.name)}@{last - 1} "
            f"{plain(dataset.name)}@{last}")  # fmt: skip


def _window(version: DatasetVersion) -> str:
    since, cutoff = version.read.get("since"), version.read.get("cutoff")
    limits = [
        *([f"since {str(since)[:16]}"] if since else []),
        *([f"before {str(cutoff)[:16]}"] if cutoff else []),
    ]
    return ", ".join(limits) or "all"


def _show_version(version: DatasetVersion) -> None:
    say(
        f"{plain(version.ref)}  {version.rows:,} rows  {short(version.ordered_digest)}  "
        f"readings {version.readings}, last {ago(version.last_at)}"
    )
    if version.run_ids:
        say(f"  runs      {' '.join(version.run_ids[-5:])}")
    for name, value in version.read.items():
        shown = f"{len(value):,} files" if name == "files" else str(value)
        say(f"  {name:<9} {plain(shown)}")
    show_table(
        ["column", "kind", "type", "distinct", "missing values"],
        [
            [
                column.name,
                column.kind,
                column.dtype,
                column.distinct,
                "yes" if column.nullable else "",
            ]
            for column in version.schema
        ],
    )


def _show_diff(before: DatasetVersion, after: DatasetVersion, difference: TableDiff) -> None:
    say(
        f"{plain(before.ref)} → {plain(after.ref)}: {difference.before:,} → {difference.after:,} rows"
    )
    if difference.is_equal:
        say("  equal rows" if before.number == after.number else "  equal rows in another order")
    for count, what in (
        (difference.added, "added"),
        (difference.deleted, "deleted"),
        (difference.changed, "changed"),
    ):
        if count:
            say(f"  {count:,} rows {what}")
    for name, count in difference.columns_changed.items():
        say(f"    {count:,} in {plain(name)}")
    for finding in difference.findings:
        say(f"  {plain(finding.message)}")
    if not difference.key and difference.added and difference.deleted:
        say("  With --key COLUMN, changed rows are told from added and deleted ones.")
    for kind, rows in difference.examples.items():
        columns = rows.columns[:8]
        say(f"\n{kind}, the first {rows.height}:")
        show_table(columns, rows.select(columns).iter_rows())


def _show_drift(drifts: tuple[ColumnDrift, ...]) -> None:
    drifted = [drift for drift in drifts if drift.drifted]
    if not drifted:
        say(f"No drift in {len(drifts)} columns.")
        return
    say(f"\nDrift in {len(drifted)} of {len(drifts)} columns:")
    for drift in drifted:
        reasons = [check.reason for check in drift.checks if check.drifted]
        say(f"  {plain(drift.column)}: {plain(' '.join(reasons))}")


@data.command(epilog=examples("penstock data check rides", "penstock data check rides@7"))
@click.argument("name")
@json_option
@click.pass_context
def check(ctx: click.Context, name: str, as_json: bool) -> None:
    """Compare a version, NAME@VERSION or NAME, with earlier versions, and list what is not normal.

    Exit code 1 if a pipeline with expect="learned" would have stopped.
    """
    store = current_store(ctx)
    version = get_dataset_version(name, store=store)
    before = get_dataset(version.dataset, store=store).versions[: version.number - 1]
    snapshot = load_snapshot(version, store=store)
    findings = LearnedExpectations().check(snapshot, before, store=store)
    if as_json:
        emit({"version": version.ref, "findings": findings_to_json(findings)})
    else:
        say(f"{plain(version.ref)}, compared with {len(before)} versions before it:")
        for finding in findings:
            say(f"  {_MARKS[finding.level]} {plain(finding.message)}")
        if not findings:
            say("  nothing is unusual")
    if any(finding.level == "fail" for finding in findings):
        ctx.exit(1)


@data.command(
    epilog=examples('penstock data accept rides 5a414644adcf --reason "new tariff from March on"')
)
@click.argument("name")
@click.argument("digest")
@click.option("--reason", required=True, help="Why the rows are right; recorded.")
@actor_option("accepts")
@json_option
@click.pass_context
def accept(
    ctx: click.Context, name: str, digest: str, reason: str, actor: str | None, as_json: bool
) -> None:
    """Accept refused rows of data set NAME, named by the DIGEST that the refusal shows."""
    acceptance = accept_rows(name, digest, reason, actor=actor, store=current_store(ctx))
    if as_json:
        emit({"name": name, "digest": digest, **asdict(acceptance)})
    else:
        say(
            f"Rows {plain(digest)} of {plain(name)} are accepted by {plain(acceptance.by)}. Run the pipeline again."
        )
        known = [one.name for one in list_datasets(store=current_store(ctx))]
        if name not in known:
            say(
                f"No data set {plain(name)} was ingested so far. {plain(did_you_mean(name, known))}"
            )
