"""A model that names data outside itself is found without an ONNX library."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.infer.external_data import names_external_data

onnx = pytest.importorskip("onnx")


def external(location: str = "weights.data", *, by_location: bool = True) -> Any:
    """A tensor whose values stand elsewhere."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[2])
    if by_location:
        tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def inline() -> Any:
    """A tensor with its values inside."""
    return onnx.helper.make_tensor("w", 1, [2], [1.0, 2.0])


def model(**graph: Any) -> Any:
    """A model around a graph."""
    return onnx.ModelProto(ir_version=10, graph=onnx.GraphProto(name="g", **graph))


def node(tensor: Any) -> Any:
    """A node with the tensor as an attribute."""
    return onnx.helper.make_node("Constant", [], ["y"], value=tensor)


def branch(tensor: Any) -> Any:
    """A node with the tensor in the graph of an attribute."""
    graph = onnx.GraphProto(name="then", initializer=[tensor])
    return onnx.helper.make_node("If", ["c"], ["y"], then_branch=graph)


def sparse(tensor: Any) -> Any:
    """A sparse tensor with these values."""
    return onnx.SparseTensorProto(values=tensor, dims=[9])


PLACES = {
    "initializer": lambda t: model(initializer=[t]),
    "attribute": lambda t: model(node=[node(t)]),
    "graph of an attribute": lambda t: model(node=[branch(t)]),
    "sparse initializer": lambda t: model(sparse_initializer=[sparse(t)]),
    "function": lambda t: onnx.ModelProto(functions=[onnx.FunctionProto(name="f", node=[node(t)])]),
    "training": lambda t: onnx.ModelProto(
        training_info=[onnx.TrainingInfoProto(algorithm=onnx.GraphProto(initializer=[t]))]
    ),
}


@pytest.mark.parametrize("place", PLACES)
def test_external_data_is_found_wherever_a_tensor_can_stand(place: str) -> None:
    """And the same model with its data inside passes."""
    assert names_external_data(PLACES[place](external()).SerializeToString())
    assert not names_external_data(PLACES[place](inline()).SerializeToString())


def test_a_location_without_the_flag_counts_as_well() -> None:
    """A lenient reader might follow it."""
    assert names_external_data(model(initializer=[external(by_location=False)]).SerializeToString())


def test_the_word_inside_a_text_does_not_count() -> None:
    """Only the structure does."""
    assert not names_external_data(model(doc_string="external_data location weights.data").SerializeToString())


def test_numbers_of_every_width_are_passed_over() -> None:
    """Fields that are not known are skipped by their wire type."""
    fixed = b"\xad\x06" + bytes(4) + b"\xb1\x06" + bytes(8)  # field 101 as 32 bit, field 102 as 64 bit
    assert names_external_data(fixed + model(initializer=[external()]).SerializeToString())


@pytest.mark.parametrize("broken", [b"\x3a", b"\x3a\x05ab", b"\x80", b"\xff" * 12, b"\x0b", b"\x3d\x00"])
def test_what_is_no_protobuf_raises(broken: bytes) -> None:
    """A number without an end, a field longer than the file, a wire type that nobody uses."""
    with pytest.raises(ValueError, match=r".+"):
        names_external_data(broken)


@given(st.binary(max_size=300))
def test_any_bytes_are_walked_or_refused(content: bytes) -> None:
    """Nothing but ValueError is raised, and it comes to an end."""
    try:
        assert names_external_data(content) in (True, False)
    except ValueError:
        return
