"""Entity: the owner of features, and the key columns that identify an owner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from penstock.core import DefinitionError, require_name
from penstock.features.views._dtypes import require_key_dtype
from penstock.tables import dtype_name

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Entity:
    """The owner of features: a customer, a card, a shop and a product.

    >>> import polars as pl
    >>> Entity("customer", {"customer_id": pl.Int64}).key_columns
    ('customer_id',)

    Args:
        name: Name of the entity.
        keys: Columns that identify an owner, with dtypes: integers, text, dates or booleans.

    Raises:
        ParameterError: If the name is not legal.
        DefinitionError: If there is no key, or a dtype cannot identify anything.
    """

    name: str
    keys: "Mapping[str, pl.DataType | type[pl.DataType]]" = field(hash=False)

    def __post_init__(self) -> None:
        require_name(self.name, "entity")
        if not isinstance(cast("object", self.keys), Mapping) or not self.keys:
            raise DefinitionError(
                what=f"Entity {self.name!r} has keys {self.keys!r}.",
                why="Without key columns no row belongs to anything.",
                fix='Write for example keys={"customer_id": pl.Int64}.',
            )
        owner = f"entity {self.name!r}"
        checked = {name: require_key_dtype(name, kind, owner) for name, kind in self.keys.items()}
        object.__setattr__(self, "keys", checked)

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The names of the key columns, in order."""
        return tuple(self.keys)

    @property
    def dtypes(self) -> "dict[str, pl.DataType]":
        """The dtypes of the key columns, by name."""
        return cast("dict[str, pl.DataType]", self.keys)

    def describe(self) -> dict[str, Any]:
        """Return the entity as plain JSON."""
        keys = {name: dtype_name(kind) for name, kind in self.dtypes.items()}
        return {"name": self.name, "keys": keys}
