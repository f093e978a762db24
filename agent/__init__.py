"""Sentinode: the agent beside the PACS. Research software. Not cleared or CE-marked. Not for clinical use."""

from importlib.metadata import version

__version__ = version("sentinode")
