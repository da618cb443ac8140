"""Point-in-time join: for each label the values that were known at its time, never later ones.

A history without the rows that lose when they become known is a step function of knowledge time
(``leading``): a plain as-of search over ``available_at`` then finds the winner among the known rows.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, NotFoundError, SchemaError, did_you_mean
from penstock.features.views._dtypes import fit_column
from penstock.features.views._fold import leading, values_at
from penstock.features.views._rows import read_moments
from penstock.features.views._view import AVAILABLE_AT, EVENT_TIME, SYSTEM_COLUMNS, FeatureView
from penstock.tables import columns_of

if TYPE_CHECKING:
    import polars as pl

_AT, _ROW = "__at", "__row"


@dataclass(frozen=True, slots=True)
class Selection:
    """Features of a view that a join reads.

    Args:
        view: The view.
        features: Names of the features, in order.
    """

    view: FeatureView
    features: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Columns of the history that are needed."""
        return [*self.view.key_columns, *SYSTEM_COLUMNS, *self.features]


def select(view: FeatureView, names: "list[str] | None" = None) -> Selection:
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
    return Selection(view, tuple(names or view.feature_names))


def read_labels(frame: Any, time: str, selections: "list[Selection]") -> "pl.DataFrame":
    """Return the labels as a polars frame, with keys as declared; the time stays as it is.

    Raises:
        SchemaError: If a key or the time is missing or has another dtype.
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
    _require_free([*labels.columns], selections)
    return labels.with_columns(moments.alias(_AT))


def as_of(
    labels: "pl.DataFrame", rows: "pl.DataFrame", selection: Selection, *, event_time_only: bool
) -> "pl.DataFrame":
    """Return the selected features for each label, in the order of the labels.

    Args:
        labels: Labels as ``read_labels`` returns them.
        rows: Rows of the history, with the selection's columns.
        selection: The view and its features.
        event_time_only: Whether rows count from their event on, even if they were known later.
    """
    import polars as pl

    view, keys = selection.view, list(selection.view.key_columns)
    asked = labels.select(*keys, _AT).with_row_index(_ROW).sort(_AT)
    if event_time_only:
        steps, on = rows.sort(EVENT_TIME, AVAILABLE_AT, "seq"), EVENT_TIME
    else:
        steps, on = leading(rows, keys), AVAILABLE_AT
    steps = steps.with_columns(pl.col(on).alias("__known"))
    found = asked.join_asof(
        steps,
        left_on=_AT,
        right_on="__known",
        by=keys,
        strategy="backward",
        allow_exact_matches=view.as_of == "<=",
        check_sortedness=False,
    ).sort(_ROW)
    return values_at(view, found, pl.col(_AT), selection.features).select(selection.features)


def _require_free(taken: list[str], selections: "list[Selection]") -> None:
    seen = dict.fromkeys(taken, "the labels")
    for selection in selections:
        for name in selection.features:
            if name in seen:
                raise DataError(
                    what=f"Column {name!r} of feature view {selection.view.name!r} is in"
                    f" {seen[name]}, too.",
                    why="A table has one column of a name.",
                    fix="Rename the column, or select features: 'view:feature'.",
                    column=name,
                )
            seen[name] = f"feature view {selection.view.name!r}"
