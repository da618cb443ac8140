"""Table of the requests that a server has done, with their answers, for repetitions."""

from sqlalchemy import Index, Table

from penstock.stores.metadata.schema._columns import (
    integer_column,
    key_column,
    metadata,
    text_column,
)

_requests = Table(
    "requests", metadata, key_column("request"), integer_column("at"), text_column("answer")
)
Index("requests_by_time", _requests.c.at)
