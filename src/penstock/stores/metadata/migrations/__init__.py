"""Numbered migrations of the tables, run by Alembic; see penstock.stores.metadata._migrations."""
