"""Tables of settings of the store, and counters."""

from sqlalchemy import Table

from penstock.stores.metadata.schema._columns import (
    integer_column,
    key_column,
    metadata,
    text_column,
)

Table("settings", metadata, key_column("name"), text_column("value"))
Table("counters", metadata, key_column("name"), integer_column("value"))
