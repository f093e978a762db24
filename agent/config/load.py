"""Read, merge and validate; say every mistake with its place."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from agent.config.network import TlsFiles
from agent.config.schema import Config
from agent.config.yaml_places import Document, Key, Place, YamlError, dotted, merge, read_yaml
from agent.core.errors import Permanent

Tls = TypeVar("Tls", bound=TlsFiles)


class ConfigError(Permanent):
    """The configuration cannot be used; each line of the message is one mistake with its place."""


@dataclass(frozen=True)
class LoadedConfig:
    """The validated configuration and where each key stands."""

    config: Config
    places: Mapping[Key, Place]

    def problem(self, key: Key, what: str) -> str:
        """Write one line about a key: file:line:column: key: what is wrong."""
        return f"{nearest(self.places, key)}: {dotted(key)}: {what}"


def load_config(path: Path, overrides: Sequence[Path] = ()) -> LoadedConfig:
    """Read the file, lay the overrides over it, resolve relative paths and validate.

    Raises
    ------
    ConfigError
        With one line for each mistake.
    """
    try:
        document = read_yaml(path)
        for over in overrides:
            document = merge(document, read_yaml(over))
    except YamlError as exc:
        raise ConfigError(str(exc)) from exc
    try:
        config = Config.model_validate(document.content)
    except ValidationError as exc:
        raise ConfigError("\n".join(_lines(exc, document))) from exc
    return LoadedConfig(_resolve(config, path.resolve().parent), document.places)


def nearest(places: Mapping[Key, Place], key: Key) -> Place:
    """Return the place of a key, or of the closest part of the file that would hold it."""
    while key and key not in places:
        key = key[:-1]
    return places[key]


def _lines(exc: ValidationError, document: Document) -> list[str]:
    errors = exc.errors()
    missing = {tuple(e["loc"]) for e in errors if e["type"] == "missing"}
    keys = [tuple(e["loc"]) for e in errors]
    lines, guessed = [], set()
    for error in errors:
        key = tuple(error["loc"])
        if error["type"] == "extra_forbidden":
            near = _meant(key, missing)
            guessed |= {(*key[:-1], near)} if near else set()
            hint = f"; did you mean {near!r}?" if near else ""
            lines.append(f"{nearest(document.places, key)}: {dotted(key)}: unknown key{hint}")
    for error in errors:
        key = tuple(error["loc"])
        follows = any(key == other[: len(key)] and key != other for other in keys)  # a list made short by its bad items
        if error["type"] != "extra_forbidden" and key not in guessed and not follows:
            known = key if key in document.places else key[:-1]
            lines.append(f"{nearest(document.places, known)}: {dotted(key)}: {_words(error)}")
    return lines


def _words(error: Any) -> str:
    if error["type"] == "missing":
        return "this key is required"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _meant(key: Key, missing: set[Key]) -> str | None:
    siblings = [str(k[-1]) for k in missing if k[:-1] == key[:-1]] + _known_names(key[:-1])
    found = difflib.get_close_matches(str(key[-1]), siblings, n=1, cutoff=0.6)
    return found[0] if found else None


def _known_names(key: Key) -> list[str]:
    model: Any = Config
    for part in key:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = _model_of(field.annotation) if field else None
    return list(model.model_fields) if model else []


def _model_of(annotation: Any) -> Any:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if hasattr(candidate, "model_fields"):
            return candidate
    return None


def _resolve(config: Config, folder: Path) -> Config:
    """Let relative paths, those inside sqlite:/// URLs too, start at the folder of the file."""
    storage, ehr, dicom = config.storage, config.ehr, config.dicom
    queries = {"query": folder / ehr.query, "outcomes_query": ehr.outcomes_query and folder / ehr.outcomes_query}
    return config.model_copy(
        update={
            "dicom": dicom.model_copy(update={"tls": _resolve_tls(dicom.tls, folder)}),
            "destinations": tuple(
                d.model_copy(update={"tls": _resolve_tls(d.tls, folder)}) for d in config.destinations
            ),
            "storage": storage.model_copy(
                update={"spool": folder / storage.spool, "quarantine": folder / storage.quarantine}
            ),
            "database": config.database.model_copy(update={"url": _resolve_url(config.database.url, folder)}),
            "ehr": ehr.model_copy(update={"url": _resolve_url(ehr.url, folder), **queries}),
            "models": tuple(m.model_copy(update={"bundle": folder / m.bundle}) for m in config.models),
        }
    )


def _resolve_tls(tls: Tls | None, folder: Path) -> Tls | None:
    if tls is None:
        return None
    files = {"certificate": folder / tls.certificate, "key": folder / tls.key, "ca": folder / tls.ca}
    return tls.model_copy(update=files)


def _resolve_url(url: str, folder: Path) -> str:
    scheme, mark, rest = url.partition(":///")
    if scheme.startswith("sqlite") and mark and rest and rest != ":memory:":
        return f"{scheme}:///{folder / rest}"
    return url
