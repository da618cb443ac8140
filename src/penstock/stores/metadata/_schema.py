"""The tables, database-neutral; separate because only creation and migrations need SQLAlchemy.

Times are whole microseconds since 1970 (exact, sortable, the same in every database); structures
are JSON text (see penstock.stores._json); NaN is NULL. Importing SQLAlchemy takes 0.2 s, so the
statements of daily work are plain SQL for both SQLite and PostgreSQL, and a fresh
SQLite store is made from ``fresh_sqlite.sql``, which `fresh_sqlite` writes and a test compares.
"""

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from penstock.stores.metadata.schema import (
    _artifacts,
    _deployments,
    _documents,
    _hooks,
    _metrics,
    _models,
    _people,
    _predictions,
    _requests,
    _runs,
    _schedules,
    _settings,
    _steps,
)
from penstock.stores.metadata.schema._columns import metadata

NOUNS = (
    _artifacts,
    _deployments,
    _documents,
    _hooks,
    _metrics,
    _models,
    _people,
    _predictions,
    _requests,
    _runs,
    _schedules,
    _settings,
    _steps,
)
"""The modules with the tables; each adds its own to ``metadata``."""

__all__ = ["NOUNS", "fresh_sqlite", "metadata"]


def fresh_sqlite() -> str:
    """Return the SQL that creates all tables in SQLite, a paragraph for each statement."""
    dialect = sqlite.dialect()
    statements = []
    for table in metadata.sorted_tables:
        statements.append(CreateTable(table).compile(dialect=dialect))
        statements += [
            CreateIndex(index).compile(dialect=dialect)
            for index in sorted(table.indexes, key=lambda index: str(index.name))
        ]
    text_of = [
        "\n".join(line.rstrip() for line in str(statement).strip().splitlines() if line.strip())
        for statement in statements
    ]
    return ";\n\n".join(text_of) + ";\n"
