"""A query file as SQLAlchemy text: comments gone, so that only real parameters are bound."""

import re
from typing import Final

from sqlalchemy import DateTime, TextClause, bindparam, text

PARAMETERS: Final = ("patient_id", "issuer", "as_of")

_TOKEN: Final = re.compile(r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")|--[^\n]*|/\*.*?\*/""", re.DOTALL)

_AS_OF_NAMED: Final = re.compile(
    r"""(?<![:\w\\]) :as_of\b
        (?: \s | \) | ::\s*\w+ | \bAS\s+(?:DATE|TIMESTAMP|DATETIME\w*)\s*(?=\)) )*  # casts and the ends of calls
        (?: \bAS\s+ )? ["\[]? (?P<name> \w+_date | date ) \b (?!\s*[()])""",
    re.IGNORECASE | re.VERBOSE,
)


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


def dated_by_parameter(query: TextClause) -> tuple[str, ...]:
    """Name the dates that a query takes from :as_of: every fact would have become known just now, whatever its age."""
    return tuple(dict.fromkeys(found["name"].lower() for found in _AS_OF_NAMED.finditer(query.text)))
