"""``penstock features materialize``, ``backfill``, ``erase``: the commands that write."""

from dataclasses import asdict
from datetime import datetime

import click
import polars as pl

from penstock.cli._feature_arguments import open_features, read_key, read_time, store_options
from penstock.cli._help import examples
from penstock.cli._output import current_store, emit, json_option, plain, say
from penstock.core import NoStoreError, NotFoundError, parse_duration
from penstock.execution import load_function
from penstock.features import FeatureStore, FeatureView
from penstock.features.online import Erasure, PredictionFeatureLog, split_time


@click.command(
    epilog=examples("penstock features materialize", "penstock features materialize spend")
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--rebuild", is_flag=True, help="Write all entries anew; the present ones answer.")
@store_options
@json_option
@click.pass_context
def materialize(
    ctx: click.Context,
    names: tuple[str, ...],
    rebuild: bool,
    path: str | None,
    online: str | None,
    as_json: bool,
) -> None:
    """Bring the online store up to the newest version of views NAME; by default of all."""
    opened = open_features(ctx, path, online)
    chosen = names or tuple(view.name for view in opened.list_views())
    done = []
    for name in chosen:
        say(f"{plain(name)}: reading …", stderr=True)
        result = opened.materialize(name, rebuild=rebuild)
        done.append(asdict(result))
        if not as_json:
            again = ", written anew" if result.is_rebuilt else ""
            say(
                f"[green]✓[/] {plain(name)} version {result.version}: {result.rows:,} rows, "
                f"{result.changed:,} entries changed{again}"
            )
    if as_json:
        emit(done)
    elif not chosen:
        say("There are no feature views.")


@click.command(
    epilog=examples(
        "penstock features backfill spend spend.py:compute --start 2026-01-01 --end 2026-02-01"
    )
)
@click.argument("name")
@click.argument("function", metavar="FILE.py:NAME")
@click.option("--start", required=True, metavar="TIME", help="Start of the first interval.")
@click.option(
    "--end", required=True, metavar="TIME", help="End of the last interval, not included."
)
@click.option("--every", default="1d", show_default=True, help="Length of an interval.")
@click.option(
    "--as", "label", default="1", show_default=True, metavar="LABEL",
    help="Name of the backfill: under another name intervals are computed again.",
)  # fmt: skip
@store_options
@json_option
@click.pass_context
def backfill(
    ctx: click.Context,
    name: str,
    function: str,
    start: str,
    end: str,
    every: str,
    label: str,
    path: str | None,
    online: str | None,
    as_json: bool,
) -> None:
    """Compute past rows of view NAME: FUNCTION(start, end) returns the rows of an interval.

    Intervals that are there already are not computed again, so a backfill that was killed is
    continued by the same command.
    """
    opened = open_features(ctx, path, online)
    compute = load_function(function)
    first, last = read_time(start, "--start"), read_time(end, "--end")
    count = len(split_time(first, last, parse_duration(every)))

    def told(begin: datetime, until: datetime) -> object:
        say(f"{plain(name)}: {begin:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} …", stderr=True)
        return compute(begin, until)

    done = opened.backfill(name, told, start=first, end=last, every=every, name=label)
    if as_json:
        emit({**asdict(done), "intervals": count})
        return
    say(
        f"[green]✓[/] {plain(name)}: {done.written:,} of {count:,} intervals were computed, the"
        " others were there already"
    )
    say(f"Bring them online: penstock features materialize {plain(name)}")


@click.command(
    epilog=examples("penstock features erase card_id=7", "penstock features erase card_id=7 --yes")
)
@click.argument("key", nargs=-1, required=True, metavar="COLUMN=VALUE...")
@click.option("--view", "views", multiple=True, metavar="NAME", help="Only this view; repeatable.")
@click.option("--yes", is_flag=True, help="Erase; without it, say what would be erased.")
@store_options
@json_option
@click.pass_context
def erase(
    ctx: click.Context,
    key: tuple[str, ...],
    views: tuple[str, ...],
    yes: bool,
    path: str | None,
    online: str | None,
    as_json: bool,
) -> None:
    """Erase all rows of a key for good: histories, online store, predictions with that key.

    Exit code 1 if a file that no commit has yet may have rows of the key: erase again later.
    """
    opened = open_features(ctx, path, online)
    names = {part.partition("=")[0] for part in key}
    every = [opened.get_view(each) for each in views] or opened.list_views()
    chosen = [view for view in every if names <= set(view.key_columns)]
    if not chosen:
        raise NotFoundError(
            what=f"No feature view has the key {', '.join(sorted(names))}.",
            fix="Name key columns of a view: penstock features list.",
        )
    keys = read_key(chosen[0], key, whole=False)
    if not yes:
        rows = {view.name: _count(opened, view, keys) for view in chosen}
        if as_json:
            emit({"erased": False, "rows": rows})
        else:
            for name, count in rows.items():
                say(f"{plain(name)}: {count:,} rows")
            say("Nothing was erased. With --yes they are, for good.")
        return
    done = opened.erase(keys, views=[view.name for view in chosen], logs=_logs(ctx))
    if as_json:
        emit({"erased": True, **done.to_json()})
    else:
        _say_erased(done)
    if done.files_pending:
        ctx.exit(1)


def _say_erased(done: Erasure) -> None:
    for each in done.places:
        say(f"[green]✓[/] {plain(each.kind)} {plain(each.view)}: {each.rows:,} rows erased")
    for file in done.files_pending:
        say(f"[bold red]✗[/] {plain(file)} has rows of the key, and no commit has it yet.")
    if done.files_pending:
        say("A writer will commit it, or was killed. Erase again in an hour: then it is removed.")


def _logs(ctx: click.Context) -> list[PredictionFeatureLog]:
    try:
        return [PredictionFeatureLog(store=current_store(ctx))]
    except NoStoreError:
        return []  # feature store without a project: nothing was served from here


def _count(opened: FeatureStore, view: FeatureView, keys: pl.DataFrame) -> int:
    rows = opened.history(view).scan(list(keys.columns))
    counted = rows.join(keys.lazy(), on=keys.columns, how="semi").select(pl.len()).collect()
    return int(counted.item())
