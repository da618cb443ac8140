"""Alembic's entry point: runs the migrations on the store's connection."""

from alembic import context

from penstock.stores.metadata._schema import metadata

if hasattr(context, "config"):  # not where a tool imports this file directly
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        transactional_ddl=False,  # the store has begun the transaction, and ends it
    )
    context.run_migrations()
