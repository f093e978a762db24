"""What all tables belong to, and which installation they are of."""

from typing import Final

import sqlalchemy as sa
from sqlalchemy import Column, Table

metadata: Final = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

installation: Final = Table(
    "installation",
    metadata,
    Column("id", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    Column("uuid", sa.Uuid, nullable=False),
)
