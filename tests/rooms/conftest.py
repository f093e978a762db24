"""Fixtures of the rooms' tests."""

import pytest

from agent.infer.engine import Engine
from tests.infer_scene import Scene, load_engine


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The tiny demonstration bundle, loaded."""
    return load_engine(tmp_path_factory.mktemp("bundle") / "tiny-1.0.0")


@pytest.fixture
def scene(tiny_engine: Engine) -> Scene:
    """A worker with nothing to do yet."""
    return Scene(tiny_engine)
