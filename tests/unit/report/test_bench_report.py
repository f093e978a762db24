"""The benchmark of the report, in small: it measures the agent, both bare scripts and growth."""

import pytest

from bench import report as bench

SMALL = (512, 416)


def test_it_states_every_figure() -> None:
    """Four views of both sides, all of whose objects it names; the bare script is the cheaper one."""
    found = bench.bench(runs=1, full=SMALL, counts=(1, 8))
    assert found["objects"] == {"sr": 2, "sr in reserve": 2, "text_sr": 1, "secondary_capture": 5}
    assert found["captures_by_images"] == {1: 2, 8: 7}
    assert found["ms_by_images"][1] < found["ms_by_images"][8]
    assert found["bare_ratio"] > 1
    assert min(found[name] for name in found if name.endswith("_ms")) > 0


def test_images_are_reduced_as_the_worker_does_it() -> None:
    """A full-size mammogram comes as pixels of a third of its size, with its own header."""
    (image,) = bench.sources(1, (4096, 3328))
    assert (image.image_hw.shape, image.reduction) == ((1365, 1109), 3)
    assert (image.instance.rows, image.instance.columns) == (4096, 3328)
    assert image.image_hw.std() > 10


@pytest.mark.parametrize(("ms", "enough"), [(bench.MOST_MS, True), (bench.MOST_MS + 1, False)])
def test_above_the_bound_fails(ms: float, *, enough: bool) -> None:
    """The bound itself is within it."""
    assert bench.is_enough({"sr_text_4captures_ms": ms}) is enough
