"""Fixtures of the rooms' tests."""

import pytest

from agent.infer.engine import Engine
from tests.builders_bundle import ALL
from tests.infer_scene import Scene, load_engine


@pytest.fixture(scope="session")
def tiny_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The tiny demonstration bundle, loaded."""
    return load_engine(tmp_path_factory.mktemp("bundle") / "tiny-1.0.0")


@pytest.fixture(scope="session")
def wide_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The tiny demonstration bundle of all four modalities, loaded."""
    return load_engine(tmp_path_factory.mktemp("bundle") / "tiny-2.0.0", images=ALL)


@pytest.fixture
def wide(wide_engine: Engine) -> Scene:
    """A worker with the bundle of all four modalities and nothing to do yet."""
    return Scene(wide_engine)


@pytest.fixture
def scene(tiny_engine: Engine) -> Scene:
    """A worker with nothing to do yet."""
    return Scene(tiny_engine)
