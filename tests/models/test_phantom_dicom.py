"""Synthetic studies as DICOM: valid, complete and reproducible."""

import subprocess
from collections.abc import Sequence
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from agent.dicom.geometry import mr_slice, ultrasound_scale
from agent.dicom.pixels import decode
from models import phantom
from models.phantom import mri, ultrasound
from models.phantom.mammogram import render
from tests.peers import program

SOMEONE = phantom.patient(1, "P-1", sides=("R",), name="Παπαδοπούλου^Ελένη")


def faulty(folder: Path, kind: str, datasets: Sequence[Dataset]) -> list[str]:
    """Return what the validator says of each dataset that it finds an error in, or takes for another kind."""
    dciodvfy, told = program("dciodvfy"), []
    for i, ds in enumerate(datasets):
        path = folder / f"{i}.dcm"
        ds.save_as(path, enforce_file_format=True)
        told.append(subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, check=False).stderr)
    return [said for said in told if kind not in said or "Error" in said]


def part10(ds: Dataset) -> bytes:
    """Encode a dataset as a Part 10 file."""
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("inverted", [False, True])
def test_every_view_is_valid(tmp_path: Path, inverted: bool) -> None:
    """The validator finds no error in any of the four views."""
    views = phantom.mammography(SOMEONE, inverted=inverted, rows=160, columns=128)
    assert faulty(tmp_path, "MammographyImageForPresentation", views) == []


@pytest.mark.parametrize("colour", [False, True])
def test_ultrasound_is_valid(tmp_path: Path, colour: bool) -> None:
    """The validator finds no error in ultrasound of both sides, grey or in colour."""
    stills = phantom.ultrasound_study(SOMEONE, sides=("L", "R"), colour=colour)
    assert faulty(tmp_path, "USImage", stills) == []


def test_mr_is_valid(tmp_path: Path) -> None:
    """The validator finds no error in the first and last image of each phase."""
    images = phantom.mri_study(SOMEONE, rows=60, columns=96)
    assert faulty(tmp_path, "MRImage", images[::8] + images[7::8]) == []


def test_a_study_has_four_views_of_one_patient() -> None:
    """Four series of one study carry the patient's identity, side and view."""
    found = phantom.mammography(SOMEONE, rows=160, columns=128)
    assert {(ds.ImageLaterality, ds.ViewPosition) for ds in found} == {(s, v) for s in "LR" for v in ("CC", "MLO")}
    assert {(ds.IssuerOfPatientID, ds.PatientID, str(ds.PatientName)) for ds in found} == {
        ("PHANTOM", "P-1", "Παπαδοπούλου^Ελένη")
    }
    assert len({ds.StudyInstanceUID for ds in found}) == 1
    assert len({ds.SeriesInstanceUID for ds in found}) == len({ds.SOPInstanceUID for ds in found}) == 4
    assert all(ds.PresentationIntentType == "FOR PRESENTATION" for ds in found)


def test_uids_follow_from_seed_and_patient() -> None:
    """The same patient and day give the same UIDs, another day gives others."""
    first, again = (phantom.mammography(SOMEONE, views=[("L", "CC")], rows=160, columns=128)[0] for _ in range(2))
    assert first == again
    later = phantom.mammography(SOMEONE, date(2026, 3, 1), views=[("L", "CC")], rows=160, columns=128)[0]
    assert {first.StudyInstanceUID, first.SOPInstanceUID}.isdisjoint({later.StudyInstanceUID, later.SOPInstanceUID})
    assert later.StudyDate == "20260301"
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in (first.SOPInstanceUID, first.StudyInstanceUID))


def test_pixels_survive_a_file(tmp_path: Path) -> None:
    """What is read back is what was rendered, at full size, 12 of 16 bits."""
    ds = phantom.mammography(SOMEONE, views=[("R", "MLO")])[0]
    ds.save_as(tmp_path / "r.dcm", enforce_file_format=True)
    back = pydicom.dcmread(tmp_path / "r.dcm")
    assert (back.Rows, back.Columns, back.BitsStored) == (1280, 1024, 12)
    assert np.array_equal(back.pixel_array, render(SOMEONE, "R", "MLO"))


def test_inverted_pixels_are_the_negative() -> None:
    """MONOCHROME1 stores 4095 minus the value."""
    plain, inverted = (
        phantom.mammography(SOMEONE, views=[("L", "CC")], rows=160, columns=128, inverted=i)[0] for i in (False, True)
    )
    assert (plain.PhotometricInterpretation, inverted.PhotometricInterpretation) == ("MONOCHROME2", "MONOCHROME1")
    assert (plain.pixel_array + inverted.pixel_array == 4095).all()


def test_age_is_that_of_the_study() -> None:
    """Patient's Age has DICOM's form and agrees with the birth date."""
    ds = phantom.mammography(SOMEONE, views=[("L", "CC")], rows=160, columns=128)[0]
    assert ds.PatientBirthDate == SOMEONE.birth_date.strftime("%Y%m%d")
    assert abs(int(ds.PatientAge[:3]) - (SOMEONE.diagnosed_on - SOMEONE.birth_date).days / 365.25) <= 1


def test_ultrasound_shows_tumour_and_node() -> None:
    """One study, an image each of breast and axilla of the diseased side, without a mammogram's UIDs."""
    found = phantom.ultrasound_study(SOMEONE)
    assert [(ds.BodyPartExamined, ds.ImageLaterality) for ds in found] == [("BREAST", "R"), ("AXILLA", "R")]
    assert len({ds.StudyInstanceUID for ds in found}) == 1
    assert len({ds.SeriesInstanceUID for ds in found}) == len({ds.SOPInstanceUID for ds in found}) == 2
    assert [ds.BodyPartExamined for ds in phantom.ultrasound_study(SOMEONE, targets=("node",))] == ["AXILLA"]


@pytest.mark.parametrize("colour", [False, True])
def test_the_field_of_view_can_be_found(colour: bool) -> None:
    """The agent finds the field within the screen, its scale and its grey values, in colour too."""
    ds = phantom.ultrasound_study(SOMEONE, colour=colour)[1]
    scale, pixels = ultrasound_scale(part10(ds)), decode(part10(ds)).image_hw
    assert scale.region is not None
    assert scale.pixel_mm == pytest.approx(0.1)
    assert pixels.shape == (600, 800)
    shown = ultrasound.render(SOMEONE, "R", "node")
    assert np.abs(scale.region.of(pixels).astype(int) - shown).max() <= 1


def test_the_screen_around_the_field_is_dark_but_for_a_ruler() -> None:
    """There is a ruler at the side of the field, and nothing above or below it where names would be burnt in."""
    ds = phantom.ultrasound_study(SOMEONE)[0]
    pixels = ds.pixel_array
    assert ds.BurnedInAnnotation == "NO"
    assert pixels[:, 640:].max() == 200
    assert not pixels[:30].any()
    assert not pixels[560:].any()


def test_mr_has_a_series_a_phase() -> None:
    """Four series of eight slices in one frame of reference, later ones acquired later and with contrast."""
    found = phantom.mri_study(SOMEONE, rows=60, columns=96)
    series = list(dict.fromkeys(ds.SeriesInstanceUID for ds in found))
    assert (len(series), len(found), len({ds.SOPInstanceUID for ds in found})) == (4, 32, 32)
    assert len({ds.StudyInstanceUID for ds in found}) == len({ds.FrameOfReferenceUID for ds in found}) == 1
    times = [next(ds.AcquisitionTime for ds in found if ds.SeriesInstanceUID == uid) for uid in series]
    assert times == sorted(set(times))
    assert ["ContrastBolusAgent" in ds for ds in found] == [False] * 8 + [True] * 24
    assert all("dyn" in ds.SeriesDescription for ds in found)


def test_mr_lies_where_it_was_rendered() -> None:
    """The agent reads positions 5 mm apart, spacing and direction; the pixels are those of the volume."""
    found = phantom.mri_study(SOMEONE, rows=60, columns=96)
    slices = [mr_slice(part10(ds)) for ds in found]
    assert [s.position_mm for s in slices[:8]] == [s.position_mm for s in slices[24:]]
    assert np.allclose(np.diff([s.position_mm for s in slices[:8]]), mri.SLICE_MM)
    assert {(s.columns_to_left, s.derived) for s in slices} == {(True, False)}
    assert slices[0].pixel_mm == pytest.approx((200 / 60, 320 / 96))
    assert len({s.acquired for s in slices}) == 4
    volume = mri.volume(SOMEONE, 60, 96)
    assert all(np.array_equal(decode(part10(found[8 * p + 3])).image_hw, volume[p, 3]) for p in range(4))
    corner = np.array(found[0].ImagePositionPatient, float)
    assert np.allclose(corner[:2] * 2, [320 / 96 - 320, 200 / 60 - 200], atol=1e-4)


def test_studies_of_one_patient_are_apart() -> None:
    """Mammography, ultrasound and MR are studies of their own, with their own accession numbers, of one patient."""
    found = [
        phantom.mammography(SOMEONE, rows=160, columns=128)[0],
        phantom.ultrasound_study(SOMEONE)[0],
        phantom.mri_study(SOMEONE, rows=60, columns=96)[0],
        phantom.ultrasound_study(SOMEONE, date(2026, 2, 1))[0],
        phantom.ultrasound_study(phantom.patient(1, "P-2"))[0],
    ]
    assert [ds.Modality for ds in found[:3]] == ["MG", "US", "MR"]
    assert len({ds.StudyInstanceUID for ds in found}) == len({ds.AccessionNumber for ds in found}) == 5
    assert len({ds.PatientID for ds in found[:4]}) == 1
    assert all(len(ds.AccessionNumber) <= 16 for ds in found)
