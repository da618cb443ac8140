"""Point-in-time join: for each label the values that were known at the label's time, never later ones.

A history without the rows that lose when they become known is a step function of knowledge time
(``leading``): a plain as-of search over ``available_at`` finds the winner among the known rows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import (
    DataError,
    LeakageError,
    NotFoundError,
    SchemaError,
    StoreError,
    did_you_mean,
)
from penstock.features.views._dtypes import fit_column
from penstock.features.views._fold import is_missing, leading
from penstock.features.views._rows import read_moments
from penstock.features.views._search import last_known
from penstock.features.views._view import (
    AVAILABLE_AT,
    EVENT_TIME,
    IS_DELETED,
    SEQ,
    SYSTEM_COLUMNS,
    FeatureView,
)
from penstock.tables import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import polars as pl

_AT, _ROW = "__at", "__row"
_BLOCK = 20


@dataclass(frozen=True, slots=True)
class ViewSelection:
    """Features of a view that a join reads.

    Args:
        view: The view.
        features: Names of the features, in order.
    """

    view: FeatureView
    features: tuple[str, ...]


def select(view: FeatureView, names: "list[str] | None" = None) -> ViewSelection:
    """Return a selection of features; by default all.

    Raises:
        NotFoundError: If there is no such feature.
    """
    for name in names or ():
        if name not in view.features:
            raise NotFoundError(
                what=f"Feature view {view.name!r} has no feature {name!r}.",
                fix=did_you_mean(name, view.feature_names),
            )
    return ViewSelection(view, tuple(names or view.feature_names))


def read_labels(frame: Any, time: str, selections: "list[ViewSelection]") -> "pl.DataFrame":
    """Return the labels as a polars frame, with keys as declared; the time is unchanged.

    Raises:
        SchemaError: If a key or the time is missing or has the wrong dtype.
        DataError: If a label has no time, or a feature has the name of a column of the labels.
    """
    import polars as pl

    labels = pl.DataFrame(columns_of(frame))
    for selection in selections:
        owner = f"labels of entity {selection.view.entity.name!r}"
        for name, kind in selection.view.entity.dtypes.items():
            if name not in labels.columns:
                raise SchemaError(
                    what=f"The labels have no column {name!r}.",
                    why=f"It is a key of feature view {selection.view.name!r}.",
                    fix=did_you_mean(name, labels.columns),
                    column=name,
                )
            labels = labels.with_columns(fit_column(labels[name], kind, owner))
    moments = read_moments({each.name: each for each in labels}, time, "labels")
    taken = dict.fromkeys(labels.columns, "the labels")
    for selection in selections:
        require_free(selection.features, f"feature view {selection.view.name!r}", taken)
    return labels.with_columns(moments.alias(_AT))


def as_of(
    labels: "pl.DataFrame", rows: "pl.LazyFrame", selection: ViewSelection, *, event_time_only: bool
) -> "pl.DataFrame":
    """Return the selected features for each label, in the order of the labels.

    Args:
        labels: Labels as ``read_labels`` returns them.
        rows: Rows of the history.
        selection: The features to read.
        event_time_only: Whether rows count from their event on, even if they were known later.
    """
    import polars as pl

    blocks = as_of_blocks(labels, rows, selection, event_time_only=event_time_only)
    return pl.concat(list(blocks), how="horizontal")


def as_of_blocks(
    labels: "pl.DataFrame", rows: "pl.LazyFrame", selection: ViewSelection, *, event_time_only: bool
) -> "Iterator[pl.DataFrame]":
    """Yield the features of ``as_of`` some columns at a time: a wide history needs little memory.

    Raises:
        StoreError: If two readings give the rows in different orders.
    """
    first, *others = _blocks(selection.features)
    # Rows of several files stand in several pieces, from which gathering costs four times as much.
    read = rows.select(*selection.view.key_columns, *SYSTEM_COLUMNS, *first).collect().rechunk()
    places = find_rows(labels, read, selection.view, event_time_only=event_time_only)
    seq, read = read[SEQ], read.select(first)
    yield read[places]
    for names in others:
        read = rows.select(SEQ, *names).collect().rechunk()
        if not read[SEQ].equals(seq):
            raise StoreError(
                what=f"The history of feature view {selection.view.name!r} gave its rows in another "
                "order when it was read for more features.",
                why="The files are read in one order as long as they are not rewritten. Features of "
                "one row would come from another.",
                fix="Read again when nothing compacts the table. If this stays, read at most "
                f"{_BLOCK} features at a time.",
                view=selection.view.name,
            )
        yield read.select(names)[places]


def find_rows(
    labels: "pl.DataFrame", rows: "pl.DataFrame", view: FeatureView, *, event_time_only: bool
) -> "pl.Series":
    """Return the place in ``rows`` of each label's answer; null for a label without values.

    Args:
        labels: Labels as ``read_labels`` returns them.
        rows: Rows of the history, with at least keys and system columns.
        view: The view.
        event_time_only: Whether rows count from their event on.
    """
    import polars as pl

    _require_possible(rows, view)
    keys = list(view.key_columns)
    steps = leading(
        rows.select(*keys, *SYSTEM_COLUMNS).with_row_index(_ROW),
        keys,
        event_time_only=event_time_only,
    )
    known = steps[EVENT_TIME if event_time_only else AVAILABLE_AT]
    included = view.as_of == "<="
    places = last_known(labels, labels[_AT], steps, known, keys, included=included)
    steps = steps.select(_ROW, EVENT_TIME, IS_DELETED).rechunk()
    winners = steps[places].with_columns(labels[_AT])
    return winners.select(pl.when(~is_missing(view, pl.col(_AT))).then(_ROW)).to_series()


def _require_possible(rows: "pl.DataFrame", view: FeatureView) -> None:
    """Check that no row is known before the event; foreign writers may have left such rows."""
    early = int((rows[EVENT_TIME] > rows[AVAILABLE_AT]).sum())
    if early:
        raise LeakageError(
            what=f"{early:,} rows of feature view {view.name!r} happen after they are known.",
            why="Labels would get values that did not hold yet.",
            fix="Write the history with FeatureStore.write, which refuses such rows.",
            rows=early,
        )


def _blocks(names: tuple[str, ...]) -> list[list[str]]:
    return [list(names[start : start + _BLOCK]) for start in range(0, len(names), _BLOCK)]


def require_free(names: "Iterable[str]", owner: str, taken: "Mapping[str, str]") -> None:
    """Check that columns have names of their own.

    Args:
        names: Names of the columns.
        owner: Owner of the names, for messages.
        taken: Names that are taken, each with the owner.

    Raises:
        DataError: If a name is taken.
    """
    for name in names:
        if name in taken:
            raise DataError(
                what=f"Column {name!r} of {owner} is in {taken[name]}, too.",
                why="A table has one column of a name.",
                fix="Rename the column, or select features: 'view:feature'.",
                column=name,
            )
