"""``penstock features``: feature views, their values by key, and their materialization online."""

from dataclasses import asdict
from typing import Any

import click
import polars as pl

from penstock.cli._feature_arguments import open_features, read_key, read_time, store_options
from penstock.cli._features_check import check
from penstock.cli._features_write import backfill, erase, materialize
from penstock.cli._help import examples
from penstock.cli._output import ago, current_store, emit, json_option, plain, say, show_table
from penstock.core import (
    NoStoreError,
    PenstockError,
    now,
    short,
)
from penstock.features import FeatureStore, FeatureView
from penstock.features.online import Freshness
from penstock.lineage import list_view_users


@click.group()
def features() -> None:
    """List feature views, read their values by key, and bring them online."""


for _command in (materialize, backfill, erase, check):
    features.add_command(_command)


@features.command("list", epilog=examples("penstock features list"))
@store_options
@json_option
@click.pass_context
def list_command(ctx: click.Context, path: str | None, online: str | None, as_json: bool) -> None:
    """List the feature views, with how far the online store is behind."""
    opened = open_features(ctx, path, online)
    views = [(view, _freshness(opened, view.name)) for view in opened.list_views()]
    if as_json:
        emit([_brief(view, fresh) for view, fresh in views])
    elif not views:
        say(
            "There are no feature views. Define one with ps.features.FeatureView and FeatureStore.apply."
        )
    else:
        show_table(
            ["view", "entity", "keys", "features", "ttl", "version", "online", "lag"],
            [
                [
                    view.name,
                    view.entity.name,
                    ", ".join(view.key_columns),
                    len(view.features),
                    view.ttl or "",
                    *_versions(fresh),
                ]
                for view, fresh in views
            ],
        )


@features.command(epilog=examples("penstock features show spend"))
@click.argument("name")
@store_options
@json_option
@click.pass_context
def show(
    ctx: click.Context, name: str, path: str | None, online: str | None, as_json: bool
) -> None:
    """Show feature view NAME: features, versions, freshness, and the models that use the view."""
    opened = open_features(ctx, path, online)
    view, fresh = opened.get_view(name), _freshness(opened, name)
    commits = opened.history(name).list_commits(20)
    models = _models(ctx, name)
    if as_json:
        emit(
            {
                **_brief(view, fresh),
                "definition": view.describe(),
                "versions": [asdict(each) for each in commits],
                "models": models,
            }
        )
        return
    say(f"{plain(view.name)} of entity {plain(view.entity.name)}  {short(view.digest)}")
    if view.description:
        say(f"  {plain(view.description)}")
    known = view.available_at
    when = "the time of the write" if known is None else known
    say(f"  ttl {view.ttl or 'none'}, available at {plain(when)}, as of {view.as_of}")
    version, at, lag = _versions(fresh)
    say(f"  version {version}, online {at or 'nothing'}{f', behind by {lag}' if lag else ''}")
    if models:
        say(f"  used by {plain(', '.join(models))}")
    described = view.describe()
    show_table(
        ["column", "type", "role"],
        [
            *([name, dtype, "key"] for name, dtype in described["entity"]["keys"].items()),
            *([name, dtype, "feature"] for name, dtype in described["features"].items()),
        ],
    )
    show_table(
        ["version", "made", "operation", "rows"],
        [[each.version, ago(each.at), each.operation, each.rows] for each in commits],
    )


@features.command(
    epilog=examples(
        "penstock features get spend card_id=7",
        "penstock features get spend card_id=7 --at 2026-03-01T12:00Z",
    )
)
@click.argument("name")
@click.argument("key", nargs=-1, required=True, metavar="COLUMN=VALUE...")
@click.option("--at", "at", metavar="TIME", help="Read the history as it was known at this time.")
@store_options
@json_option
@click.pass_context
def get(
    ctx: click.Context,
    name: str,
    key: tuple[str, ...],
    at: str | None,
    path: str | None,
    online: str | None,
    as_json: bool,
) -> None:
    """Show the values of a key in view NAME: as they are online now, or as they were at a time."""
    opened = open_features(ctx, path, online)
    view = opened.get_view(name)
    keys = read_key(view, key)
    if at is None:
        features = opened.look_up(name, keys)
        values, status = features.values, features.statuses[0].value
        origin = features.describe_origins()[0]
    else:
        moment = read_time(at, "--at")
        label = keys.with_columns(pl.lit(moment).cast(pl.Datetime("us", "UTC")).alias("__time"))
        joined = opened.join(label, [view], time="__time")
        values, status, origin = joined.select(view.feature_names), "", {}
    row = values.row(0, named=True)
    if as_json:
        document = {"view": name, "key": keys.row(0, named=True), "values": row}
        emit(document | ({"at": at} if at else {"status": status, **origin}))
        return
    if status:
        event = f", of {origin['event_time']}, version {origin['version']}" if origin else ""
        say(f"{plain(name)}  {plain(' '.join(key))}  {status}{plain(event)}")
    show_table(["feature", "value"], [[column, value] for column, value in row.items()])


def _models(ctx: click.Context, name: str) -> list[str]:
    try:
        return [version.ref for version in list_view_users(name, store=current_store(ctx))]
    except NoStoreError:  # a feature store by its path, without a project
        return []


def _freshness(opened: FeatureStore, name: str) -> Freshness | PenstockError:
    try:
        return opened.freshness(name)
    except PenstockError as error:  # the online store is away: the histories are listed
        return error


def _versions(fresh: Freshness | PenstockError) -> tuple[object, object, str]:
    if isinstance(fresh, PenstockError):
        return "", "unreachable", ""
    online = "" if fresh.online is None else fresh.online
    return fresh.newest, online, ago(now() - fresh.lag).removesuffix(" ago") if fresh.rows else ""


def _brief(view: FeatureView, fresh: Freshness | PenstockError) -> dict[str, Any]:
    state: dict[str, Any] = (
        {"error": fresh.to_json()}
        if isinstance(fresh, PenstockError)
        else {
            "version": fresh.newest,
            "online": fresh.online,
            "rows_behind": fresh.rows,
            "lag_s": fresh.lag.total_seconds(),
        }
    )
    return {
        "name": view.name,
        "entity": view.entity.name,
        "keys": list(view.key_columns),
        "features": list(view.feature_names),
        "digest": view.digest,
        **state,
    }
