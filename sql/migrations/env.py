"""Run by Alembic: the migrations, on the connection and inside the transaction of `agent.state.migrate`."""

from alembic import context

from agent.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can, too, if the transaction was begun explicitly
)
with context.begin_transaction():
    context.run_migrations()
