"""Options that commands share, and the configuration that they name."""

from pathlib import Path
from typing import Annotated

import typer

from agent.config import LoadedConfig, load_config

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
Overrides = Annotated[
    list[Path] | None, typer.Option("--overrides", help="A file laid over the configuration; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of a table.")]
DEFAULT = Path("config.yaml")


def load(config: Path, overrides: list[Path] | None) -> LoadedConfig:
    """Read the configuration. Raises ConfigError."""
    return load_config(config, overrides or ())
