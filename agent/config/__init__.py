"""config.yaml → a frozen, validated Config; every mistake is one line with its place in the file."""

from agent.config.load import ConfigError, LoadedConfig, load_config
from agent.config.schema import Config

__all__ = ["Config", "ConfigError", "LoadedConfig", "load_config"]
