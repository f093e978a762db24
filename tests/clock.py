"""A clock that tests turn by hand."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Callable as `now`: the moment at which it stands, which only `advance` moves."""

    def __init__(self, at: datetime = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)) -> None:
        self.now = at

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.now

    def advance(self, span: timedelta | None = None, **units: float) -> datetime:
        """Move on by a span, or by `timedelta(**units)`, and return the new moment."""
        self.now += span or timedelta(**units)
        return self.now
