"""Counts that are kept while rows change."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORDS = sa.Text()


def upgrade() -> None:
    """Go to this schema."""
    op.create_table(
        "tally",
        *(sa.Column(name, WORDS) for name in ("subject", "name", "detail")),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("subject", "name", "detail", name="pk_tally"),
    )
    op.execute("INSERT INTO tally SELECT 'cases', state, '', count(*) FROM cases GROUP BY state")
    op.execute(
        "INSERT INTO tally SELECT 'arrivals', ending, substr(reason, 1, 256), count(*) FROM arrival GROUP BY 2, 3"
    )
    op.execute("INSERT INTO tally SELECT 'outbox', destination, status, count(*) FROM outbox GROUP BY 2, 3")
