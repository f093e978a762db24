"""A query file as SQLAlchemy text: comments gone, so that only real parameters are bound."""

import re
from typing import Final

from sqlalchemy import DateTime, TextClause, bindparam, text

PARAMETERS: Final = ("patient_id", "issuer", "as_of")

_TOKEN: Final = re.compile(r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")|--[^\n]*|/\*.*?\*/""", re.DOTALL)


def clinical_query(sql: str) -> TextClause:
    """Return a query with its parameters; a colon in a comment or in quotes is none."""
    statement = _TOKEN.sub(lambda m: m["quoted"].replace(":", r"\:") if m["quoted"] else " ", sql)
    query = text(statement.strip().rstrip(";"))
    if "as_of" in parameters(query):
        return query.bindparams(bindparam("as_of", type_=DateTime(timezone=True)))
    return query


def parameters(query: TextClause) -> frozenset[str]:
    """Return the names of a query's parameters."""
    return frozenset(query.compile().params)
