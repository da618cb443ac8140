"""Arguments of ``penstock features``: the feature store, keys as COLUMN=VALUE, times."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import click
import polars as pl

from penstock.cli._output import current_store
from penstock.core import ParameterError
from penstock.features import FeatureStore, FeatureView


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--online",
            metavar="URL",
            help="Online store; default: PENSTOCK_ONLINE_STORE, else beside the tables.",
        ),
        click.option(
            "--path", metavar="PATH", help="Folder or URL of the tables; default: the project's."
        ),
    ):
        command = option(command)
    return command


def open_features(ctx: click.Context, path: str | None, online: str | None) -> FeatureStore:
    # Views may be written before the first run, and a path needs no project at all.
    store = None if path else current_store(ctx, create=True)
    return FeatureStore(path, online=online, store=store)


def read_key(view: FeatureView, parts: tuple[str, ...], *, whole: bool = True) -> pl.DataFrame:
    """Read ``COLUMN=VALUE`` texts as the declared dtypes."""
    values = dict(part.partition("=")[::2] for part in parts)
    dtypes = view.entity.dtypes
    wrong = [name for name in values if name not in dtypes]
    absent = [name for name in dtypes if name not in values] if whole else []
    if wrong or absent or not all("=" in part for part in parts):
        raise ParameterError(
            what=f"{' '.join(parts)!r} is no key of feature view {view.name!r}.",
            why=f"Its key columns are {', '.join(dtypes)}.",
            fix="Write " + " ".join(f"{name}=VALUE" for name in dtypes) + ".",
        )
    columns = []
    for name, text in values.items():
        try:
            columns.append(_read_value(name, text, dtypes[name]))
        except (pl.exceptions.PolarsError, ValueError) as error:
            raise ParameterError(
                what=f"{text!r} is no {dtypes[name]}, the dtype of key {name!r}.",
                fix=f"Give {name} as it is in the data.",
            ) from error
    return pl.DataFrame(columns)


def _read_value(name: str, text: str, kind: pl.DataType) -> pl.Series:
    if kind == pl.Boolean:
        return pl.Series(name, [{"true": True, "false": False}[text.lower()]])
    column = pl.Series(name, [text])
    return column.str.to_date() if kind == pl.Date else column.cast(kind)


def read_time(text: str, option: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ParameterError(
            what=f"{option} {text!r} is no time.", fix="Write for example 2026-03-01T12:00Z."
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
