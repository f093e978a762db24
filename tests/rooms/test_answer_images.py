"""An image that cannot be used is left out with its reason, and the case goes on."""

from datetime import date
from typing import Any

import pytest

from agent.core.case import CaseState
from agent.core.errors import Permanent
from tests.builders import mammogram, uid
from tests.infer_scene import Scene


def broken(view: str, **attributes: Any) -> Any:
    """An image whose pixels cannot be decoded."""
    return mammogram("L", view, **{"SamplesPerPixel": 3} | attributes)


def test_an_undecodable_image_is_quarantined_and_the_case_goes_on(scene: Scene) -> None:
    """The copy and its reason are kept, the other view answers."""
    case = scene.ready([broken("CC"), mammogram("L", "MLO")])
    scene.worker().step()
    assert scene.case(case).state is CaseState.DELIVERING
    ((name, whole, reason),) = scene.quarantined
    assert name == uid("s1", "L", "CC")
    assert whole[128:132] == b"DICM"
    assert reason == "a colour image, where a greyscale one is expected"
    assert scene.used(case) == {uid("s1", "L", "MLO")}
    with scene.store.unit() as unit:
        assert {a.sop_instance_uid: a.end for a in unit.arrivals()}[name] == "quarantined"


def test_an_older_image_stands_in_for_an_undecodable_one(scene: Scene) -> None:
    """Of each view the newest that can be decoded is used."""
    case = scene.ready([mammogram("L", "CC", study="old", day=date(2025, 1, 1)), broken("CC", study="new")])
    scene.worker().step()
    assert scene.used(case) == {uid("old", "L", "CC")}
    assert len(scene.quarantined) == 1


def test_an_image_too_small_to_be_prepared_is_quarantined(scene: Scene) -> None:
    """Preprocessing's refusal ends the image, not the case."""
    small = mammogram("L", "CC", rows=1, columns=1, PixelData=b"\0\0", Rows=1, Columns=1)
    scene.ready([small])
    scene.worker().step()
    assert [reason for _, _, reason in scene.quarantined] == ["the image is too small to be a mammogram"]
    assert scene.result.estimates[0].contributions["MG"] == 0


def test_a_blank_image_is_quarantined(scene: Scene) -> None:
    """There is nothing to see."""
    scene.ready([mammogram("L", "CC", PixelData=bytes(2 * 250 * 200))])
    scene.worker().step()
    assert [reason for _, _, reason in scene.quarantined] == ["the image is blank"]


def test_an_image_whose_bytes_are_gone_is_left_out(scene: Scene) -> None:
    """It is listed as such, neither used nor quarantined, and lends no header."""
    case = scene.ready([mammogram("L", "CC"), mammogram("L", "MLO")])
    with scene.store.unit() as unit:
        gone, there = unit.instances(case.id)
    scene.spool.lose(gone.ref)
    scene.worker().step()
    assert scene.left_out(case) == {gone.instance.sop_instance_uid: f"the record at {gone.ref} is gone"}
    assert scene.used(case) == {there.instance.sop_instance_uid}
    assert scene.quarantined == []


def test_an_image_whose_bytes_are_damaged_is_said_to_be(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Damage is not called absence: a person looks for something else then."""
    case = scene.ready([mammogram("L", "CC")])
    name = uid("s1", "L", "CC")

    def damaged(ref: object) -> None:
        raise Permanent(f"the record at {ref} is damaged")

    monkeypatch.setattr(scene.spool, "read", damaged)
    scene.worker().step()
    assert scene.left_out(case)[name].endswith("is damaged")


def test_headers_are_lent_only_by_images_that_are_there(scene: Scene) -> None:
    """A report without images still needs a study, and takes it from what can be read."""
    case = scene.ready([mammogram("R", "CC"), mammogram("R", "MLO")])
    with scene.store.unit() as unit:
        gone, there = unit.instances(case.id)
    scene.spool.lose(gone.ref)
    scene.worker().step()
    assert [s.instance for s in scene.sources] == [there.instance]


def test_images_for_processing_are_left_out(scene: Scene) -> None:
    """With the reason."""
    case = scene.ready([mammogram("L", "CC", PresentationIntentType="FOR PROCESSING")])
    scene.worker().step()
    assert scene.left_out(case)[uid("s1", "L", "CC")].startswith("FOR PROCESSING")
