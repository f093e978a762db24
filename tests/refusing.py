"""What checks that raise have against something, as words that a test can compare."""

from collections.abc import Callable
from typing import ParamSpec

from agent.core.errors import Permanent, Rejected

Given = ParamSpec("Given")


def refusal(check: Callable[Given, object], *given: Given.args, **named: Given.kwargs) -> str:
    """Return why a check refuses what it is given, empty where it has nothing against it."""
    try:
        check(*given, **named)
    except (Permanent, Rejected) as error:
        return str(error) or type(error).__name__
    return ""
