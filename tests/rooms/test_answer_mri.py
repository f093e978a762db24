"""A dynamic MR of both breasts serves each axilla; what of it cannot be used is left out in words."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from agent.core.prediction import Side
from agent.core.result import Influence
from agent.core.usable import ONE_BREAST
from agent.infer.dynamic import EARLIER, NOT_IN_ALL, ONE_PHASE
from agent.infer.mri import OLDER, OTHER_PHASE, OTHER_SLICE, PARTNER
from tests.builders import uid
from tests.builders_us_mr import LESIONS, MR_COLUMNS, MR_ROWS, dynamic, enhanced, mr_image
from tests.infer_scene import BOTH_SIDES, KNOWN, Scene, findings

OLD, NEW = date(2025, 12, 1), date(2026, 1, 5)


def name(phase: int, place: int, study: str = "m1", series: str = "") -> str:
    """SOP Instance UID of a slice of a phase."""
    return uid(study, series, phase, place)


def names(phases: Sequence[int], places: Sequence[int], study: str = "m1") -> set[str]:
    """SOP Instance UIDs of slices of phases."""
    return {name(phase, place, study) for phase in phases for place in places}


def peak(influence: Influence) -> tuple[int, int]:
    """Row and column of the greatest influence."""
    row, column = np.unravel_index(influence.saliency_hw.argmax(), influence.saliency_hw.shape)
    return int(row), int(column)


def answer(scene: Scene, images: Sequence[Dataset], **known: Any) -> Any:
    """Answer a case and return it."""
    case = scene.ready(images, findings(KNOWN, **known))
    assert scene.worker().step() is True
    return case


@pytest.mark.parametrize("side", ["L", "R"])
def test_the_key_slice_is_the_one_that_enhances_most(wide: Scene, side: str) -> None:
    """All that MR contributed is said of its first image after contrast; the map lies on the lesion of that side."""
    case = answer(wide, dynamic(), axillae=[{"side": side, "reason": ""}])
    (influence,) = wide.result.influences
    row, column, place = LESIONS[side]
    assert influence.sop_instance_uid == name(1, place)
    assert (influence.modality, influence.side) == ("MR", side)
    assert influence.contribution == pytest.approx(wide.result.estimates[0].contributions["MR"])
    assert influence.contribution > 0
    assert influence.saliency_hw.shape == (MR_ROWS, MR_COLUMNS)
    assert np.hypot(*(np.array(peak(influence)) - (row, column))) <= 9  # a block of the tiny graph is 6 pixels wide
    other = influence.saliency_hw[:, : MR_COLUMNS // 2] if side == "L" else influence.saliency_hw[:, MR_COLUMNS // 2 :]
    assert other.max() == 0
    assert wide.used(case) == names(range(4), range(4))


def test_both_axillae_share_the_images_and_each_counts_once(wide: Scene) -> None:
    """Each has its own key slice."""
    case = answer(wide, dynamic(), axillae=BOTH_SIDES)
    assert {i.side: i.sop_instance_uid for i in wide.result.influences} == {
        side: name(1, LESIONS[side][2]) for side in "LR"
    }
    used = [i.sop_instance_uid for i in wide.result.used]
    assert len(used) == len(set(used)) == 16
    assert len({s.instance.sop_instance_uid for s in wide.sources}) == len(wide.sources) == 16
    assert wide.used(case) == set(used)
    assert wide.result.modalities_used == ("clinical", "MR")


def test_the_first_image_after_contrast_is_shown_and_the_others_lend_headers(wide: Scene) -> None:
    """Pixels are kept of what may be looked at alone."""
    answer(wide, dynamic())
    shown = {s.instance.sop_instance_uid for s in wide.sources if s.image_hw.size}
    assert shown == names([1], range(4))
    assert all(s.header[128:132] == b"DICM" for s in wide.sources)


@pytest.mark.parametrize("attributes", [{"Laterality": "B"}, {"Laterality": None}])
def test_an_examination_of_both_breasts_may_say_so_or_not(wide: Scene, attributes: dict[str, Any]) -> None:
    """Most say nothing."""
    answer(wide, dynamic(**attributes))
    assert wide.result.modalities_used == ("clinical", "MR")


def test_phases_may_lie_in_one_series(wide: Scene) -> None:
    """Told apart by when they were taken."""
    answer(wide, dynamic(series="all"))
    (influence,) = wide.result.influences
    assert influence.sop_instance_uid == name(1, LESIONS["L"][2], series="all")


def test_two_phases_are_enough_and_of_many_four_are_used(wide: Scene) -> None:
    """The first, the first after contrast, one between and the last; the others are named."""
    case = answer(wide, dynamic(phases=2))
    assert wide.used(case) == names(range(2), range(4))
    case = wide.ready(dynamic(phases=6, study="m2"), number=1)
    wide.worker().step()
    assert wide.used(case) == names([0, 1, 3, 5], range(4), "m2")
    assert wide.left_out(case) == dict.fromkeys(names([2, 4], range(4), "m2"), OTHER_PHASE)


def test_other_series_of_the_examination_are_left_out_in_words(wide: Scene) -> None:
    """A scout in another plane, a subtraction, a series without a second phase: sound, and so not quarantined."""
    scout = mr_image(0, 0, series="scout", ImageOrientationPatient=[0, 1, 0, 0, 0, -1])
    subtraction = mr_image(1, 0, series="sub", ImageType=["DERIVED", "SECONDARY", "SUBTRACTION"])
    fluid = mr_image(0, 1, series="t2", PixelSpacing=[1.0, 1.0])
    case = answer(wide, [*dynamic(), scout, subtraction, fluid])
    left_out = wide.left_out(case)
    assert "axial" in left_out[name(0, 0, series="scout")]
    assert left_out[name(1, 0, series="sub")] == "a subtraction: the model subtracts the phases itself [MR-6]"
    assert left_out[name(0, 1, series="t2")] == ONE_PHASE
    assert len(left_out) == 3
    assert wide.quarantined == []


def test_an_examination_without_a_dynamic_series_is_not_used(wide: Scene) -> None:
    """One phase shows nothing of contrast; an older examination that has more stands in."""
    older = dynamic(phases=2, slices=1, study="old", day=OLD)
    case = answer(wide, [*dynamic(phases=1, slices=2, study="new", day=NEW), *older])
    assert wide.left_out(case) == dict.fromkeys(names([0], range(2), "new"), ONE_PHASE)
    assert wide.used(case) == names(range(2), [0], "old")


def test_a_damaged_slice_costs_its_slice_position(wide: Scene) -> None:
    """The object is quarantined, its partners are named, the rest answers."""
    images = dynamic()
    images[4 + 2].PixelData = b"\0\0"  # phase 1, slice 2
    case = answer(wide, images)
    assert [uid_ for uid_, _, _ in wide.quarantined] == [name(1, 2)]
    assert wide.used(case) == names(range(4), (0, 1, 3))
    partners = {name(phase, 2): PARTNER for phase in (0, 2, 3)}
    assert {n: r for n, r in wide.left_out(case).items() if n != name(1, 2)} == partners


def test_a_slice_whose_bytes_are_gone_costs_its_slice_position(wide: Scene) -> None:
    """It is left out, not quarantined; so is one whose bytes go while the examination is read."""
    case = wide.ready(dynamic())
    with wide.store.unit() as unit:
        stored = {one.instance.sop_instance_uid: one for one in unit.instances(case.id)}
    wide.spool.lose(stored[name(0, 3)].ref)
    worker = wide.worker()
    read, reads = wide.spool.read, []

    def losing(ref: Any) -> Any:
        reads.append(ref)
        if ref == stored[name(2, 1)].ref and reads.count(ref) == 2:
            wide.spool.lose(ref)
        return read(ref)

    wide.spool.read = losing  # type: ignore[method-assign]
    worker.step()
    left_out = wide.left_out(case)
    assert left_out[name(0, 3)].endswith("is gone")
    assert left_out[name(2, 1)].endswith("is gone")
    assert left_out[name(1, 3)] == NOT_IN_ALL
    assert left_out[name(1, 1)] == PARTNER
    assert wide.used(case) == names(range(4), (0, 2))
    assert wide.quarantined == []


def test_phases_that_do_not_match_are_used_where_they_do(wide: Scene) -> None:
    """A phase that lacks a slice costs the others that slice."""
    case = answer(wide, [ds for ds in dynamic() if ds.SOPInstanceUID != name(3, 0)])
    assert wide.used(case) == names(range(4), (1, 2, 3))
    assert wide.left_out(case) == dict.fromkeys(names(range(3), [0]), NOT_IN_ALL)


def test_the_newest_examination_is_used(wide: Scene) -> None:
    """The older one is named."""
    case = answer(wide, [*dynamic(phases=2, study="old", day=OLD), *dynamic(phases=2, study="new", day=NEW)])
    assert wide.used(case) == names(range(2), range(4), "new")
    assert wide.left_out(case) == dict.fromkeys(names(range(2), range(4), "old"), OLDER)


@pytest.mark.parametrize("flaw", [{"PixelData": b"\0\0"}, {"PixelData": bytes(2 * MR_ROWS * MR_COLUMNS)}])
def test_an_older_examination_stands_in_for_one_that_cannot_be_used(wide: Scene, flaw: dict[str, Any]) -> None:
    """Because none of its slices can be decoded, or because they show nothing."""
    damaged = dynamic(phases=2, study="new", day=NEW, **flaw)
    case = answer(wide, [*dynamic(phases=2, study="old", day=OLD), *damaged])
    assert wide.used(case) == names(range(2), range(4), "old")
    assert set(wide.left_out(case)) == names(range(2), range(4), "new")


def test_an_examination_after_the_cutoff_is_left_out(wide: Scene) -> None:
    """As any other image."""
    case = answer(wide, dynamic(phases=2, day=NEW), cutoff="2026-01-05")
    assert wide.result.modalities_used == ("clinical",)
    assert all("before surgery" in reason for reason in wide.left_out(case).values())


def test_of_many_slices_48_are_used(wide: Scene) -> None:
    """Evenly spaced, the first and the last among them."""
    case = answer(wide, dynamic(phases=2, slices=60))
    used = sorted(place for place in range(60) if name(0, place) in wide.used(case))
    assert (len(used), used[0], used[-1]) == (48, 0, 59)
    assert max(b - a for a, b in pairwise(used)) == 2
    assert set(wide.left_out(case).values()) == {OTHER_SLICE}


def test_an_examination_of_one_breast_is_left_out_in_words(wide: Scene) -> None:
    """Sound, and so not quarantined."""
    case = answer(wide, dynamic(phases=2, Laterality="L"))
    assert set(wide.left_out(case).values()) == {ONE_BREAST}
    assert wide.quarantined == []
    assert [a.side for a in wide.result.estimates] == [Side.L]


def test_scaled_values_are_compared_as_intensities(wide: Scene) -> None:
    """A scanner that chooses its slope anew for each series changes nothing."""
    answer(wide, dynamic(phases=2))
    plain = wide.result.estimates[0].contributions["MR"]
    doubled = [mr_image(0, place, study="m2") for place in range(4)]
    for place in range(4):
        ds = mr_image(1, place, study="m2", RescaleSlope=2, RescaleIntercept=0)
        ds.PixelData = (np.frombuffer(ds.PixelData, np.uint16) // 2).astype(np.uint16).tobytes()
        doubled.append(ds)
    wide.ready(doubled, number=1)
    wide.worker().step()
    assert wide.result.estimates[0].contributions["MR"] == pytest.approx(plain, abs=0.02)


def test_rows_that_count_towards_the_front_are_turned(wide: Scene) -> None:
    """As in many images taken prone: the map still lies on the lesion."""
    images = dynamic(phases=2)
    for ds in images:
        pixels = np.frombuffer(ds.PixelData, np.uint16).reshape(MR_ROWS, MR_COLUMNS)
        ds.PixelData = pixels[::-1, ::-1].tobytes()
        ds.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
        ds.ImagePositionPatient = [160, 100, ds.ImagePositionPatient[2]]
    answer(wide, images)
    row, column, _ = LESIONS["L"]
    (influence,) = wide.result.influences
    turned = (MR_ROWS - 1 - row, MR_COLUMNS - 1 - column)
    assert np.hypot(*(np.array(peak(influence)) - turned)) <= 9


def phases(*agents: str) -> list[Dataset]:
    """Phases of two slices, with what each states as contrast agent."""
    return [mr_image(n, place, ContrastBolusAgent=agent) for n, agent in enumerate(agents) for place in range(2)]


def test_the_last_image_without_contrast_is_the_one_before_it(wide: Scene) -> None:
    """Where two are; the earlier one is named."""
    case = answer(wide, phases("", "NONE", "Gd", "Gd"))
    assert wide.used(case) == names([1, 2, 3], range(2))
    assert wide.left_out(case) == dict.fromkeys(names([0], range(2)), EARLIER)


@pytest.mark.parametrize("agents", [("Gd",) * 4, ("", "Gd", "Gd", "Gd"), ("", "", "Gd", ""), ("",) * 4])
def test_contrast_that_is_stated_of_all_or_in_disorder_says_nothing(wide: Scene, agents: tuple[str, ...]) -> None:
    """Time alone decides which is the first."""
    case = answer(wide, phases(*agents))
    assert wide.used(case) == names(range(4), range(2))


def test_an_original_that_was_compressed_is_a_phase(wide: Scene) -> None:
    """Though its Image Type says DERIVED."""
    case = answer(wide, dynamic(phases=2, ImageType=["DERIVED", "PRIMARY", "OTHER"]))
    assert wide.used(case) == names(range(2), range(4))


def of_each_phase(images: Sequence[Dataset], phases: int) -> list[Dataset]:
    """Enhanced objects, one of each phase."""
    slices = len(images) // phases
    return [enhanced(images[n * slices : (n + 1) * slices], f"e{n}", StudyInstanceUID=uid("e")) for n in range(phases)]


@pytest.mark.parametrize("split", [False, True])
def test_an_enhanced_object_says_the_same_as_classic_images(wide: Scene, split: bool) -> None:
    """All phases in one object, or one object of each; each axilla has the frame that enhances most as its key."""
    answer(wide, dynamic(), axillae=BOTH_SIDES)
    plain = {e.side: e.contributions["MR"] for e in wide.result.estimates}
    objects = of_each_phase(dynamic(), 4) if split else [enhanced(dynamic())]
    case = wide.ready(objects, findings(KNOWN, axillae=BOTH_SIDES), number=1)
    wide.worker().step()
    assert {e.side: e.contributions["MR"] for e in wide.result.estimates} == pytest.approx(plain)
    assert wide.used(case) == {ds.SOPInstanceUID for ds in objects}
    assert wide.left_out(case) == {}
    assert sorted(i.sop_instance_uid for i in wide.result.used) == sorted(ds.SOPInstanceUID for ds in objects)
    after_contrast = 1 if split else 5  # number of the first frame after contrast, in its object
    assert {i.side: (i.sop_instance_uid, i.frame) for i in wide.result.influences} == {
        side: (objects[1 if split else 0].SOPInstanceUID, after_contrast + LESIONS[side][2]) for side in "LR"
    }
    shown = {(s.instance.sop_instance_uid, s.frame) for s in wide.sources if s.image_hw.size}
    assert shown == {(i.sop_instance_uid, i.frame) for i in wide.result.influences}
    assert all(peak(i)[0] == pytest.approx(LESIONS[i.side][0], abs=9) for i in wide.result.influences)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"NumberOfFrames": 3}, "4 frames are described, the image has 3"),
        ({"PerFrameFunctionalGroupsSequence": None}, "a multi-frame image, where a single one is expected"),
    ],
)
def test_an_enhanced_object_that_contradicts_itself_is_left_out(
    wide: Scene, attributes: dict[str, Any], reason: str
) -> None:
    """In words; it is not quarantined, since other systems may read it."""
    ds = enhanced(dynamic(phases=2, slices=2), **attributes)
    case = answer(wide, [ds])
    assert wide.left_out(case) == {ds.SOPInstanceUID: reason}


def test_an_enhanced_object_of_one_phase_is_left_out_once(wide: Scene) -> None:
    """Not once for each frame."""
    ds = enhanced(dynamic(phases=1))
    case = answer(wide, [ds])
    assert wide.left_out(case) == {ds.SOPInstanceUID: ONE_PHASE}
    assert [one.reason for one in wide.result.left_out] == [ONE_PHASE]


def test_an_enhanced_object_whose_pixels_are_cut_off_is_quarantined(wide: Scene) -> None:
    """The older examination stands in."""
    ds = enhanced(dynamic(phases=2, slices=2), PixelData=b"\0\0")
    case = answer(wide, [ds, *dynamic(phases=2, study="old", day=OLD)])
    assert [name_ for name_, _, _ in wide.quarantined] == [ds.SOPInstanceUID]
    assert wide.used(case) == names(range(2), range(4), "old")
