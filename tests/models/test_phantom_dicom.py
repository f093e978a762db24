"""Synthetic mammograms as DICOM: valid, complete and reproducible."""

import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pydicom
import pytest

from models import phantom
from models.phantom.mammogram import render
from tests.peers import program

SOMEONE = phantom.patient(1, "P-1", sides=("R",), name="Παπαδοπούλου^Ελένη")


@pytest.mark.parametrize("inverted", [False, True])
def test_every_view_is_valid(tmp_path: Path, inverted: bool) -> None:
    """The validator finds no error in any of the four views."""
    dciodvfy = program("dciodvfy")
    for i, ds in enumerate(phantom.mammography(SOMEONE, inverted=inverted, rows=160, columns=128)):
        path = tmp_path / f"{i}.dcm"
        ds.save_as(path, enforce_file_format=True)
        said = subprocess.run([dciodvfy, str(path)], capture_output=True, text=True, check=False)
        assert "MammographyImageForPresentation" in said.stderr
        assert "Error" not in said.stderr


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
