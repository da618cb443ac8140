"""Arrow batches of drivers: stored values of foreign types, and times that a frame would drop."""

from typing import TYPE_CHECKING, Any

from penstock.core import require
from penstock.data.sources.sql._columns import no_such_values

if TYPE_CHECKING:
    import polars as pl

_DAY_US = 86_400_000_000


def to_frame(batch: Any, title: str) -> "pl.DataFrame":
    """Return a batch or table as a frame.

    Raises:
        SchemaError: If a time of day is 24:00.
    """
    import polars as pl

    pa = require("pyarrow", extra="sql", purpose="rows from a database")
    table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
    for place, field in enumerate(table.schema):
        if isinstance(field.type, pa.BaseExtensionType):
            chunks = [chunk.storage for chunk in table.column(place).chunks]
            stored = pa.chunked_array(chunks, field.type.storage_type)
            table = table.set_column(place, field.name, stored)
        elif pa.types.is_time64(field.type):
            _require_clock(pa, table.column(place), field.name, title)
    return pl.DataFrame(table)


def _require_clock(pa: Any, values: Any, name: str, title: str) -> None:
    compute = require("pyarrow.compute", extra="sql", purpose="rows from a database")
    micro = values.cast(pa.time64("us")).cast(pa.int64())
    odd = compute.sum(compute.greater_equal(micro, _DAY_US)).as_py()
    if odd:
        fix = f'Replace it in query=: NULLIF("{name}", \'24:00\'), if that means "no value".'
        raise no_such_values(name, odd, "24:00", title, fix)
