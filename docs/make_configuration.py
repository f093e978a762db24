"""Render docs/configuration.md from the model that validates config.yaml: python docs/make_configuration.py."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from agent.config import Config

PAGE = Path(__file__).with_name("configuration.md")
HEAD = """# Configuration

One file, `config.yaml`. `sentinode check-config` says every mistake with its line. Unknown keys are errors. Relative
paths start at the folder of the file. `--overrides FILE` lays a second file over it, key by key.

This page is rendered from the model that validates the file.
"""


def render() -> str:
    """Return the whole page."""
    return HEAD + "".join(_sections(Config, ""))


def _sections(model: type[BaseModel], prefix: str) -> list[str]:
    rows, deeper = [], []
    for name, field in model.model_fields.items():
        nested = _model(field.annotation)
        many = "[]" if "tuple" in str(field.annotation) else ""
        if nested:
            deeper += _sections(nested, f"{prefix}{name}{many}.")
        else:
            rows.append(f"| `{name}` | {_type(field.annotation)} | {_default(field)} | {field.description or ''} |\n")
    head = f"\n## {prefix.rstrip('.') or 'Sections'}\n\n{(model.__doc__ or '').strip()}\n"
    table = ["\n| key | type | default | meaning |\n|-|-|-|-|\n", *rows] if rows else []
    return ([head, *table] if rows else []) + deeper


def _model(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _type(annotation: Any) -> str:
    text = str(annotation).replace("typing.", "")
    text = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", text)
    for found, word in (
        (r".*timedelta.*MG.*|dict\[Literal\['MG'.*", "modality: duration"),
        (r".*timedelta.*", "duration"),
        (r"(?:\w+\[)?Literal\[(.*?)\].*", r"\1"),
        (r".*ByteSize.*", "bytes"),
        (r".*Path.*", "path"),
        (r"tuple\[(Annotated\[)?str.*", "list of text"),
        (r"dict\[str, str\]", "text: text"),
        (r"(\w+) \| None", r"\1"),
    ):
        if re.fullmatch(found, text):
            text = re.sub(found, word, text)
            break
    return re.sub(r"Annotated\[(\w+).*", r"\1", text).replace("|", "or").replace("'", "`")


def _default(field: Any) -> str:
    if field.default is PydanticUndefined:
        return "required"
    value = field.default
    if isinstance(value, frozenset | tuple):
        value = f"[{', '.join(sorted(map(str, value)))}]"
    if isinstance(value, timedelta):
        days = value / timedelta(days=1)
        return f"`{days:g}d`" if days >= 1 else f"`{days * 24:g}h`"
    return "`null`" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
