"""Tables of documents of foreign protocols, and their files."""

from sqlalchemy import Index, Table

from penstock.stores.metadata.schema._columns import (
    integer_column,
    key_column,
    metadata,
    text_column,
)

Table(
    "documents",
    metadata,
    key_column("kind"),
    key_column("key"),
    text_column("owner"),
    integer_column("updated_at"),
    text_column("body"),
    integer_column("revision"),
    Index("documents_by_owner", "owner", "kind"),
)
Table(
    "document_files",
    metadata,
    key_column("kind"),
    key_column("key"),
    key_column("path"),
    text_column("digest"),
    text_column("content_digest"),
    integer_column("at"),
)
