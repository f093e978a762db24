"""A codec that crashes, hangs or eats memory costs one image: the case is answered from the others."""

from dataclasses import replace

import pytest

from agent.core.case import CaseState
from agent.dicom.decoding import Bounds, Decoder
from tests.builders import mammogram, uid
from tests.fakes.bad_codecs import MODULE
from tests.infer_scene import Scene


@pytest.mark.parametrize("deed", ["segfault", "loop", "eat"])
def test_a_bad_codec_costs_one_image_of_a_case(scene: Scene, deed: str) -> None:
    """It is quarantined with the reason; no attempt is lost, and the answer rests on the other view."""
    bad = mammogram("L", "CC", ImageComments=f"deed: {deed}")
    case = scene.ready([bad, mammogram("L", "MLO")])
    with Decoder(Bounds(cpu_s=0.5), MODULE) as decoder:
        worker = scene.worker()
        replace(worker, reader=replace(worker.reader, decode=decoder.decode, open_frames=decoder.open_frames)).step()
    assert scene.case(case).state is CaseState.DELIVERING
    ((name, _, reason),) = scene.quarantined
    assert name == uid("s1", "L", "CC")
    assert reason.startswith("the image cannot be decoded: ")
    assert scene.used(case) == {uid("s1", "L", "MLO")}
