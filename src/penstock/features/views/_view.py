"""FeatureView: the definition of features of an entity; apart from the rows, which a history has."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, cast

from penstock.core import (
    DefinitionError,
    ParameterError,
    digest_json,
    parse_duration,
    require_choice,
    require_name,
)
from penstock.features.views._dtypes import read_dtype, require_feature_dtype
from penstock.features.views._entity import Entity
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import polars as pl

EVENT_TIME, AVAILABLE_AT, SEQ, IS_DELETED = "event_time", "available_at", "seq", "is_deleted"
SYSTEM_COLUMNS = (EVENT_TIME, AVAILABLE_AT, SEQ, IS_DELETED)
"""Columns of every history beside the keys and the features."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Named features of an entity that change over time, readable offline and online.

    >>> import polars as pl
    >>> customer = Entity("customer", {"customer_id": pl.Int64})
    >>> spend = FeatureView("spend", customer, {"amount_30d": pl.Float64}, ttl="30d")
    >>> spend.feature_names, spend.ttl
    (('amount_30d',), datetime.timedelta(days=30))

    Args:
        name: Name of the view.
        entity: Owner of the features.
        features: Names with dtypes; rows with a different dtype are refused.
        ttl: Maximum age of a value, counted from the event time; older ones are missing, offline
            and online. By default values do not expire.
        event_time: Column of written rows with the time at which the values began to hold.
        available_at: When a row became known: a column of the written rows, or a delay after the
            event (``"1h"`` as a timedelta). By default the time of the write. ``timedelta(0)``
            means that rows were known when they happened.
        as_of: Whether a row of exactly the label's time counts (``"<="``) or not (``"<"``).
        description: Text for people.

    Raises:
        DefinitionError: If a column name or dtype cannot be used.
        ParameterError: If a name, ``ttl`` or ``as_of`` cannot be used.
    """

    name: str
    entity: Entity
    features: "Mapping[str, pl.DataType | type[pl.DataType]]" = field(hash=False)
    ttl: timedelta | str | None = field(default=None, kw_only=True)
    event_time: str = field(default=EVENT_TIME, kw_only=True)
    available_at: str | timedelta | None = field(default=None, kw_only=True)
    as_of: Literal["<=", "<"] = field(default="<=", kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        require_name(self.name, "feature view")
        require_choice("as_of", self.as_of, ("<=", "<"))
        owner = f"feature view {self.name!r}"
        if not isinstance(cast("object", self.features), Mapping) or not self.features:
            raise DefinitionError(
                what=f"{owner.capitalize()} has features {self.features!r}.",
                fix='Write for example features={"amount_30d": pl.Float64}.',
            )
        taken = {*self.entity.key_columns, *SYSTEM_COLUMNS} & set(self.features)
        if taken:
            raise DefinitionError(
                what=f"{owner.capitalize()} has a feature named {min(taken)!r}.",
                why="That column is a key, or one of the columns that every history has.",
                fix=f"Give it another name: {min(taken)}_value.",
            )
        kinds = {
            name: require_feature_dtype(name, kind, owner) for name, kind in self.features.items()
        }
        object.__setattr__(self, "features", kinds)
        object.__setattr__(self, "ttl", _positive("ttl", self.ttl, owner))
        if not isinstance(self.available_at, str | None):
            object.__setattr__(
                self, "available_at", _positive("available_at", self.available_at, owner)
            )

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The names of the entity's key columns."""
        return self.entity.key_columns

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of the features, in order."""
        return tuple(self.features)

    @property
    def dtypes(self) -> "dict[str, pl.DataType]":
        """The dtypes of the features, by name."""
        return cast("dict[str, pl.DataType]", self.features)

    @property
    def ttl_us(self) -> int | None:
        """The maximum age of a value in microseconds."""
        return None if self.ttl is None else cast("timedelta", self.ttl) // _MICROSECOND

    @property
    def schema(self) -> "pl.Schema":
        """The columns of the history: keys, the four system columns, features."""
        import polars as pl

        moment = pl.Datetime("us", "UTC")
        system = {
            EVENT_TIME: moment,
            AVAILABLE_AT: moment,
            SEQ: pl.Int64(),
            IS_DELETED: pl.Boolean(),
        }
        return pl.Schema({**self.entity.dtypes, **system, **self.dtypes})

    @property
    def digest(self) -> str:
        """Digest of the definition: equal for views whose rows have the same meaning."""
        described = self.describe()
        del described["description"]
        return digest_json(described)

    def fingerprint(self) -> str:
        """Return the digest, for step keys."""
        return self.digest

    def describe(self) -> dict[str, Any]:
        """Return the definition as plain JSON."""
        features = {name: dtype_name(kind) for name, kind in self.dtypes.items()}
        delay = self.available_at
        return {
            "name": self.name,
            "entity": self.entity.describe(),
            "features": features,
            "ttl_us": self.ttl_us,
            "event_time": self.event_time,
            "available_at": delay // _MICROSECOND if isinstance(delay, timedelta) else delay,
            "as_of": self.as_of,
            "description": self.description,
        }

    @classmethod
    def from_json(cls, described: Mapping[str, Any]) -> Self:
        """Return the view that ``describe`` wrote.

        >>> import polars as pl
        >>> shop = Entity("shop", {"shop_id": pl.String})
        >>> view = FeatureView("sales", shop, {"tags": pl.List(pl.String)}, ttl="1d")
        >>> FeatureView.from_json(view.describe()) == view
        True
        """
        entity, ttl, known = (described[name] for name in ("entity", "ttl_us", "available_at"))
        return cls(
            described["name"],
            Entity(entity["name"], _kinds(entity["keys"])),
            _kinds(described["features"]),
            ttl=None if ttl is None else timedelta(microseconds=ttl),
            event_time=described["event_time"],
            available_at=timedelta(microseconds=known) if isinstance(known, int) else known,
            as_of=described["as_of"],
            description=described["description"],
        )


def _kinds(names: Mapping[str, str]) -> "dict[str, pl.DataType]":
    return {name: read_dtype(text) for name, text in names.items()}


def _positive(name: str, value: Any, owner: str) -> timedelta | None:
    if value is None:
        return None
    duration = parse_duration(value)
    if duration < timedelta(0):
        raise ParameterError(
            what=f"{name} of {owner} is {duration}.", fix="Give a duration of 0 or more."
        )
    return duration
