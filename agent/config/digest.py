"""What of a configuration may change an answer, as digests: two of them tell whether, and by which key, it changed."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from agent.config.schema import Config

WITHOUT_EFFECT: Final = frozenset(
    {
        "site.name",
        "dicom.bind",
        "dicom.port",
        "dicom.max_associations",
        "dicom.max_associations_per_peer",
        "dicom.max_waiting",
        "dicom.max_pdu_bytes",
        "dicom.idle_timeout_s",
        "dicom.pdu_timeout_s",
        "dicom.message_timeout_s",
        "dicom.accept_from",
        "dicom.peers",
        "dicom.tls",
        "hl7.bind",
        "hl7.port",
        "hl7.accept_from",
        "hl7.max_message_bytes",
        "hl7.max_connections",
        "hl7.idle_timeout_s",
        "storage",
        "database",
        "ehr.outcomes_query",
        "ehr.timeout_s",
        "ehr.password_env",
        "destinations.ae_title",
        "destinations.host",
        "destinations.port",
        "destinations.confirm",
        "destinations.tls",
        "destinations.retry",
        "operate",
    }
)
"""Keys that say how the agent runs and whom it reaches, not what it answers. A new key counts until it stands here."""

_PASSWORD: Final = re.compile(r"(?<=://)([^/@:]*):[^@]*@")


def answer_keys(config: Config) -> dict[str, str]:
    """Return a digest of 16 hexadecimal digits for each key of two levels ("site.prevalence") that may matter.

    A list counts as one value. Of a path the last part alone counts, so a moved installation is the same; of a URL all
    but the password.
    """
    keys: dict[str, str] = {}
    for section, values in _plain(config, "").items():
        inner = values if isinstance(values, Mapping) else {"": values}
        for name, value in inner.items():
            keys[f"{section}.{name}".rstrip(".")] = _sha256(value)[:16]
    return keys


def answer_digest(config: Config) -> str:
    """Return the SHA-256 of all that `answer_keys` looks at."""
    return _sha256(_plain(config, ""))


def _sha256(value: Any) -> str:
    return sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any, key: str) -> Any:
    """Turn a value into JSON that is the same in every process: sets are sorted."""
    if isinstance(value, BaseModel):
        named = {name: f"{key}.{name}".lstrip(".") for name in type(value).model_fields}
        kept = {name: where for name, where in named.items() if where not in WITHOUT_EFFECT}
        return {name: _plain(getattr(value, name), where) for name, where in kept.items()}
    if isinstance(value, Mapping):
        return {str(name): _plain(one, key) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, key) for one in value]
    if isinstance(value, frozenset):
        return sorted(_plain(one, key) for one in value)
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path):
        return value.name
    return _PASSWORD.sub(r"\1@", value) if isinstance(value, str) else value
