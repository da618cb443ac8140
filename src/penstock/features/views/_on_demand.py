"""OnDemandView: features computed from stored features and the request, the same in training and serving.

Training computes a batch, serving one row, with the same function and the same engine. That both
give the same bits is checked where the view is defined, on drawn rows.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, cast

from penstock.core import (
    DefinitionError,
    SchemaError,
    digest_json,
    find_project,
    require_name,
    summarize_error,
)
from penstock.features.views._dtypes import fit_column, read_dtype, require_feature_dtype
from penstock.features.views._row_wise import constants_of, require_pure, require_row_wise
from penstock.features.views._view import FeatureView
from penstock.provenance import code_digest
from penstock.tables import columns_of, dtype_name

if TYPE_CHECKING:
    import polars as pl

    Transform = Mapping[str, pl.Expr] | Callable[[pl.DataFrame], pl.DataFrame]


# Expressions that call Python: their stored form is code.
_CODE = ("AnonymousFunction", "AnonymousAgg", "PythonUdf", "PLPY")


@dataclass(frozen=True, slots=True)
class OnDemandView:
    """Features that are computed on demand, from stored features and the request.

    >>> import polars as pl
    >>> from datetime import timedelta
    >>> from penstock.features.views import Entity
    >>> spend = FeatureView("spend", Entity("card", {"card_id": pl.Int64}), {"usual": pl.Float64})
    >>> ratio = OnDemandView(
    ...     "ratio",
    ...     {"times_usual": pl.col("amount") / pl.col("usual")},
    ...     features={"times_usual": pl.Float64},
    ...     request={"amount": pl.Float64},
    ...     views=[spend],
    ... )
    >>> ratio.compute(pl.DataFrame({"amount": [30.0], "usual": [12.0]})).item()
    2.5

    Args:
        name: Name of the view.
        transform: Expressions by feature, or a function from a polars frame of the inputs to a
            frame with a row for each. Each row must depend on the same row's inputs only.
        features: Names with their dtypes.
        request: Inputs that come with the request, or stand in the labels; with dtypes.
        views: Feature views whose features are inputs.
        description: Text for people.

    Raises:
        DefinitionError: If the transform reads the clock, random numbers, files or the environment;
            if a row's result depends on further rows, or differs when computed again.
    """

    name: str
    transform: "Transform" = field(hash=False, compare=False)
    features: "Mapping[str, pl.DataType | type[pl.DataType]]" = field(kw_only=True, hash=False)
    request: "Mapping[str, pl.DataType | type[pl.DataType]]" = field(
        default_factory=dict, kw_only=True, hash=False
    )
    views: Sequence[FeatureView] = field(default=(), kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        require_name(self.name, "on-demand view")
        owner = f"on-demand view {self.name!r}"
        for part in ("features", "request"):
            named = {
                name: require_feature_dtype(name, kind, owner)
                for name, kind in getattr(self, part).items()
            }
            object.__setattr__(self, part, named)
        object.__setattr__(self, "views", tuple(self.views))
        if not self.features or not self.inputs:
            raise DefinitionError(
                what=f"{owner.capitalize()} has {len(self.features)} features of {len(self.inputs)}"
                " inputs.",
                fix="Declare features=, and request= or views= for the inputs.",
            )
        require_pure(self.transform, owner)
        require_row_wise(self.compute, self.inputs, owner, constants_of(self.transform))

    @property
    def inputs(self) -> "dict[str, pl.DataType]":
        """The dtypes of all inputs, by name."""
        stored = {name: kind for view in self.views for name, kind in view.dtypes.items()}
        return {**stored, **cast("dict[str, pl.DataType]", self.request)}

    @property
    def dtypes(self) -> "dict[str, pl.DataType]":
        """The dtypes of the features, by name."""
        return cast("dict[str, pl.DataType]", self.features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(self.features)

    @property
    def digest(self) -> str:
        """Digest of the definition, the transform's code included."""
        described = self.describe()
        del described["description"]
        return digest_json(described)

    def fingerprint(self) -> str | None:
        """Return the digest for step keys; None if code cannot be followed."""
        if not isinstance(self.transform, Mapping):
            code = code_digest(self.transform, find_project())
            if not code.complete or code.unfollowed:
                return None
        return self.digest

    def describe(self) -> dict[str, Any]:
        """Return the definition as plain JSON; a function is described by the digest of the code."""
        return {
            "name": self.name,
            "transform": self._describe_transform(),
            "features": {name: dtype_name(kind) for name, kind in self.dtypes.items()},
            "request": {name: dtype_name(self.inputs[name]) for name in self.request},
            "views": {view.name: view.digest for view in self.views},
            "description": self.description,
        }

    @classmethod
    def from_json(cls, described: Mapping[str, Any], views: Sequence[FeatureView]) -> Self:
        """Return the view that ``describe`` wrote, if the transform is expressions.

        Args:
            described: The definition.
            views: The feature views with the inputs.

        Raises:
            DefinitionError: If the transform is a function, or would run a function.
        """
        import polars as pl

        transform = described["transform"]
        text = json.dumps(transform)
        if not isinstance(transform, dict) or any(word in text for word in _CODE):
            raise DefinitionError(
                what=f"The transform of on-demand view {described['name']!r} is a Python function.",
                why="Its code is not stored with a definition, and stored code is not run.",
                fix="Write the transform as polars expressions.",
            )
        expressions = {
            name: pl.Expr.deserialize(io.StringIO(json.dumps(each)), format="json")
            for name, each in transform.items()
        }
        kinds = {
            part: {name: read_dtype(dtype) for name, dtype in described[part].items()}
            for part in ("features", "request")
        }
        return cls(described["name"], expressions, views=views, **kinds)  # type: ignore[arg-type] # dtypes

    def compute(self, frame: object) -> "pl.DataFrame":
        """Return the features for rows of inputs: a batch in training, a single row in serving.

        Args:
            frame: A polars or pandas frame with the inputs; further columns are ignored.

        Raises:
            SchemaError: If an input is missing, or a dtype differs from the declared dtype.
            DefinitionError: If the transform fails, or returns more or fewer rows.
        """
        import polars as pl

        owner = f"on-demand view {self.name!r}"
        columns_by_name = {column.name: column for column in columns_of(frame)}
        _require_columns(columns_by_name, self.inputs, f"Rows for {owner}")
        rows = pl.DataFrame(
            [fit_column(columns_by_name[name], kind, owner) for name, kind in self.inputs.items()]
        )
        computed = self._transformed(rows, owner)
        _require_columns(computed.columns, self.dtypes, f"The result of {owner}")
        if computed.height != rows.height:
            raise DefinitionError(
                what=f"{owner.capitalize()} returned {computed.height:,} rows for {rows.height:,}.",
                why="Each row of inputs has one row of features.",
                fix="Do not filter or group in the transform.",
            )
        return pl.DataFrame(
            [fit_column(computed[name], kind, owner) for name, kind in self.dtypes.items()]
        )

    def _transformed(self, rows: "pl.DataFrame", owner: str) -> "pl.DataFrame":
        import polars as pl

        try:
            if isinstance(self.transform, Mapping):
                return rows.select(each.alias(name) for name, each in self.transform.items())
            computed = self.transform(rows)
        except Exception as error:
            raise DefinitionError(
                what=f"{owner.capitalize()} failed: {summarize_error(error)}.",
                why="It must return a value, or null, for all inputs, missing ones included.",
                fix="Handle such rows in the transform.",
            ) from error
        if not isinstance(computed, pl.DataFrame):
            raise SchemaError(
                what=f"{owner.capitalize()} returned a {type(computed).__name__}.",
                fix="Return a polars DataFrame.",
            )
        return computed

    def _describe_transform(self) -> Any:
        if isinstance(self.transform, Mapping):
            return {
                name: json.loads(each.meta.serialize(format="json"))
                for name, each in self.transform.items()
            }
        return code_digest(self.transform, find_project()).digest


def _require_columns(present: Any, declared: Mapping[str, Any], what: str) -> None:
    missing = [name for name in declared if name not in present]
    if missing:
        raise SchemaError(
            what=f"{what} has no column {missing[0]!r}."
            if what.startswith("The")
            else f"{what} have no column {missing[0]!r}.",
            why="It was declared.",
            fix=f"Known: {', '.join(present)}.",
            column=missing[0],
        )
