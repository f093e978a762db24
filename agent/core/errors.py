"""Every error the agent raises on purpose; its class decides what happens next."""


class SentinodeError(Exception):
    """Root of all errors raised on purpose. The message never holds patient data."""


class Transient(SentinodeError):
    """It may work later with the same input: retry with backoff."""


class Unreadable(Transient):
    """The disk does not give back some of what it holds. Of one record it may never: it must not hold up others."""


class Unreachable(Transient):
    """A peer could not be reached or refused the association: whatever else is for it would fail as well."""


class Unanswered(Unreachable):
    """A peer was reached and then did not answer in time: whatever else is for it would wait as long."""


class Permanent(SentinodeError):
    """It will not work with this input, however often it is tried: give up and say why."""


class Rejected(SentinodeError):
    """An object that cannot be used: it is quarantined with this reason, everything else goes on."""


class StaleCase(SentinodeError):
    """The case moved on meanwhile (another state or another attempt): discard what was computed."""
