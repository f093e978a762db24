"""Fixtures of the infer room's unit tests."""

import pytest

from tests.builders_bundle import onnx_model


@pytest.fixture(scope="session")
def tiny_model() -> bytes:
    """The tiny graph as an ONNX file."""
    return onnx_model()
