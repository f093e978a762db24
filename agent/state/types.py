"""Column types: times that are always UTC, words that any database takes, and enumerations by value."""

from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import sqlalchemy as sa

_LONGEST_KEY: Final = 256


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment, stored in UTC and returned timezone-aware; to the microsecond."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the database UTC. Raises ValueError for a time without a zone."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """SQLite forgets the zone; PostgreSQL returns its session's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(sa.TypeDecorator[str]):
    """Text out of received objects: what no database stores (NUL, lone surrogates) becomes U+FFFD."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Replace what cannot be stored."""
        if not value or (value.isascii() and "\0" not in value):
            return value
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "�")


class Key(Words):
    """A short text that is looked up by. An index holds no long ones: what no standard allows is cut and hashed."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """Keep up to 256 characters; DICOM's longest identifiers have 64 (PS3.5 6.2)."""
        whole = super().process_bind_param(value, dialect)
        if whole and len(whole) > _LONGEST_KEY:
            return f"{whole[:64]}…{sha256(whole.encode()).hexdigest()}"
        return whole


BigId: Final = sa.BigInteger().with_variant(sa.Integer, "sqlite")
"""A 64-bit key; SQLite numbers rows by itself only where the type is called INTEGER."""


def enumeration(kind: type[StrEnum]) -> sa.Enum:
    """Return the column type of an enumeration, stored by value in a text column."""
    return sa.Enum(kind, native_enum=False, length=32, values_callable=_values)


def _values(kind: Any) -> list[str]:
    return [str(member.value) for member in kind]
