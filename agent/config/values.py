"""What a value of the configuration may be, with an error that says what to write instead."""

import re
from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import BeforeValidator, Field

from agent.core.roles import ROLES
from agent.core.writable import is_writable

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _duration(value: Any) -> Any:
    match = re.fullmatch(r"(\d+)\s*([smhd])", value) if isinstance(value, str) else None
    if match:
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return timedelta(seconds=value)
    raise ValueError("write a duration as 90s, 10m, 4h or 7d")


def _network(value: Any) -> Any:
    try:
        ip_network(str(value), strict=False)
    except ValueError:
        raise ValueError("write an IP address or a network such as 192.0.2.0/24") from None
    return value


def _time_zone(value: Any) -> Any:
    if value not in available_timezones():
        raise ValueError("write an IANA time zone such as Europe/Berlin")
    return value


def _role(value: Any) -> Any:
    if value not in (*ROLES, "refused"):
        raise ValueError(f"write refused or one of {', '.join(ROLES)}")
    return value


def _words(value: Any) -> Any:
    if isinstance(value, str) and not is_writable(value):
        raise ValueError("write it without control characters: no report can repeat it")
    return value


def _tls_version(value: Any) -> Any:
    return str(value) if isinstance(value, float) else value  # what YAML makes of 1.3


TlsVersion = Annotated[Literal["1.2", "1.3"], BeforeValidator(_tls_version)]
Words = Annotated[str, BeforeValidator(_words)]
Role = Annotated[str, BeforeValidator(_role)]
TimeZone = Annotated[str, BeforeValidator(_time_zone)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Network = Annotated[str, BeforeValidator(_network)]
AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]*[!-\[\]-~][ -\[\]-~]*$")]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Modality = Literal["MG", "US", "MR"]
