"""YAML read with the place of every key, by the rules that an admin expects.

PyYAML follows YAML 1.1, where `off` is False, `0777` is 511 and `12:30:00` is 45000, and it keeps the last of two
equal keys. Here only true and false are booleans, numbers are decimal, and a repeated key is an error.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Document:
    """The content of a YAML file and where each key stands."""

    content: dict[str, Any]
    places: Mapping[Key, Place]


class YamlError(ValueError):
    """The file cannot be read as a YAML mapping; the message begins with the place."""


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of the YAML 1.2 core schema."""


_SCALARS = (
    ("tag:yaml.org,2002:null", r"~|null|", "~n\0"),
    ("tag:yaml.org,2002:bool", r"true|false", "tf"),
    ("tag:yaml.org,2002:int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("tag:yaml.org,2002:float", r"[-+]?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?", "-+0123456789"),
)
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(
        _tag,
        re.compile(f"^(?:{_pattern})$"),
        ["" if c == "\0" else c for c in _first],
    )


def read_yaml(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises
    ------
    YamlError
        If the file is missing, is not YAML, repeats a key or is not a mapping.
    """
    places: dict[Key, Place] = {}
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
    except OSError as exc:
        raise YamlError(f"{path}: {exc.strerror}") from exc
    except (yaml.YAMLError, UnicodeDecodeError) as exc:
        raise YamlError(_yaml_message(path, exc)) from exc
    if not isinstance(node, yaml.MappingNode):
        raise YamlError(f"{path}:1:1: the file must be a mapping of keys to values")
    return Document(_build(node, (), path, loader, places), places)


def _yaml_message(path: Path, exc: Exception) -> str:
    mark = getattr(exc, "problem_mark", None)
    if mark is None:
        return f"{path}: not readable as UTF-8 YAML"
    return f"{path}:{mark.line + 1}:{mark.column + 1}: {getattr(exc, 'problem', 'not YAML')}"


def _place(path: Path, node: yaml.Node) -> Place:
    return Place(str(path), node.start_mark.line + 1, node.start_mark.column + 1)


def _build(node: yaml.Node, key: Key, path: Path, loader: _Loader, places: dict[Key, Place]) -> Any:
    places.setdefault(key, _place(path, node))
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, key, path, loader, places)
    if isinstance(node, yaml.SequenceNode):
        return [_build(child, (*key, n), path, loader, places) for n, child in enumerate(node.value)]
    return loader.construct_object(node)


def _build_mapping(
    node: yaml.MappingNode, key: Key, path: Path, loader: _Loader, places: dict[Key, Place]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key_node, value_node in node.value:
        name = str(loader.construct_object(key_node))
        if name in made:
            raise YamlError(f"{_place(path, key_node)}: {dotted((*key, name))}: this key stands here twice")
        places[(*key, name)] = _place(path, key_node)
        made[name] = _build(value_node, (*key, name), path, loader, places)
    return made


def dotted(key: Key) -> str:
    """Write a key as an admin reads it: dicom.peers[1].host."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def merge(base: Document, over: Document) -> Document:
    """Lay one document over another: mappings are merged key by key, everything else is replaced."""
    places = dict(base.places)
    return Document(_merge(base.content, over.content, (), places, over.places), places)


def _merge(base: Any, over: Any, key: Key, places: dict[Key, Place], new: Mapping[Key, Place]) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        places |= {k: p for k, p in new.items() if k == key and k}
        return base | {n: _merge(base.get(n), v, (*key, n), places, new) for n, v in over.items()}
    places |= {k: p for k, p in new.items() if k[: len(key)] == key}
    return over
