"""The cast of the demo: whom it must hold, and what each patient is made of."""

import os
import subprocess
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from demo import reading
from demo.chest_ct import SLICES, chest_ct
from demo.expected import dormant, estimate, no_case, no_estimate
from demo.hospital import a40
from demo.patients import FEW, cut_off, make_patient, make_patients, part10
from demo.stories import DIAGNOSIS_AND_SIDE, STORIES, Story
from models import phantom
from tests.peers import program

TODAY = date(2026, 3, 2)
CT = Story("A title", "A text.", "FICTA^NORA", "CT", no_case(SLICES))


def test_cast_is_large_enough() -> None:
    """At least so many patients, and so many objects in all."""
    count: Counter[str] = Counter()
    for story in STORIES:
        for version in range(len(story.expected.versions)):
            count.update(story.expected.objects(version + 1))
    assert len(STORIES) >= 14
    assert count["sr"] >= 9
    assert count["text_sr"] >= 10
    assert count["secondary_capture"] >= 20
    assert sum(story.expected.total for story in STORIES) == count.total()


def test_cast_holds_every_kind_of_patient() -> None:
    """What is to be shown, is shown: each line looks for one kind."""
    versions = [set(story.expected.versions) for story in STORIES]
    for used in ("clinical MG US MR", "clinical MG", "clinical US", "MG"):
        assert {used} in versions
    assert any(set(s.sides) == {"L", "R"} and "MR" in s.sends for s in STORIES)
    assert any(not s.in_ehr for s in STORIES)
    assert any(s.diagnosis == "benign" for s in STORIES)
    assert any(s.operated_ago for s in STORIES)
    assert any(s.late and len(s.expected.versions) == 2 for s in STORIES)
    assert any(s.expected.quarantined for s in STORIES)
    assert any(s.expected.not_relevant for s in STORIES)
    assert any(s.issuer not in ("PHANTOM", "PHANTOM2") for s in STORIES)
    assert any("Α" <= s.name[0] <= "Ω" for s in STORIES)
    assert any(s.name.count("=") == 2 for s in STORIES)
    assert any(s.retired_id and len(s.expected.versions) == 2 for s in STORIES)
    assert {s.ruling for s in STORIES if s.expected.held} == {"split", "accept"}
    assert all(bool(s.ruling) == bool(s.expected.held) for s in STORIES)


def test_two_women_share_a_patient_id_and_nobody_else_does() -> None:
    """The issuer alone tells the two apart; no name comes twice."""
    given = Counter(story.patient_id for story in STORIES if story.patient_id)
    (shared,) = [patient_id for patient_id, count in given.items() if count > 1]
    assert {s.issuer for s in STORIES if s.patient_id == shared} == {"PHANTOM", "PHANTOM2"}
    assert len({s.name for s in STORIES}) == len({s.title for s in STORIES}) == len(STORIES)


def test_counts_follow_from_what_is_used() -> None:
    """A report for each axilla, one text, and pictures of every image that is shown."""
    both = estimate("clinical MG US MR", sides="LR")
    pictures = {"secondary_capture": 11, "presentation_state": 10, "segmentation": 2, "key_object": 3}
    assert both.objects(1) == {"sr": 2, "text_sr": 1, **pictures}
    assert estimate("clinical MG", quarantined=1, pictures=1).objects(1)["secondary_capture"] == 2
    assert no_estimate("why").objects(1) == {"text_sr": 1, "secondary_capture": 1}
    assert dormant("why").objects(1) == {}
    assert no_case(3).total == 0


def test_later_version_rejects_the_one_before_in_each_of_its_studies() -> None:
    """One Key Object a study; the first version rejects nothing."""
    late = estimate("clinical MG US", "clinical MG US MR")
    assert "rejection" not in late.objects(1)
    assert late.objects(2)["rejection"] == 2


def test_clinical_facts_alone_give_a_picture_of_words() -> None:
    """Without an image there is no region, hence no SR."""
    assert estimate("clinical").objects(1) == {"text_sr": 1, "secondary_capture": 1}


def test_same_day_same_images() -> None:
    """Nothing in a patient is left to chance; another day is another study."""
    first, again, later = (make_patient(3, CT, day) for day in (TODAY, TODAY, TODAY + timedelta(days=1)))
    assert [part10(ds) for ds in first.images] == [part10(ds) for ds in again.images]
    assert not set(first.sent) & set(later.sent)


def test_many_patients_are_those_that_are_made_one_by_one() -> None:
    """Processes share the work; numbers, order and bytes stay as they are."""
    many = make_patients([replace(CT, name=f"FICTA^{n}") for n in range(FEW + 1)], TODAY)
    assert [(one.number, one.who.name) for one in many] == [(n + 1, f"FICTA^{n}") for n in range(FEW + 1)]
    alone = make_patient(5, many[4].story, TODAY)
    assert [part10(ds) for ds in many[4].images] == [part10(ds) for ds in alone.images]


def test_row_of_the_clinical_database() -> None:
    """It holds what the story says, or only some columns, or is not there."""
    operated = make_patient(1, replace(CT, operated_ago=timedelta(days=6), diagnosis="benign"), TODAY).ehr_row
    assert operated is not None
    assert operated["surgery_date"] == operated["surgery_date_date"] == TODAY - timedelta(days=6)
    assert operated["diagnosis"] == "benign"
    bare = make_patient(1, replace(CT, columns=DIAGNOSIS_AND_SIDE), TODAY).ehr_row
    assert set(bare or ()) == DIAGNOSIS_AND_SIDE
    assert make_patient(1, replace(CT, in_ehr=False), TODAY).ehr_row is None


@pytest.mark.parametrize(("sends", "late", "known"), [("US", "", True), ("CT", "", False), ("CT", "US", False)])
def test_size_on_ultrasound_is_known_of_those_who_had_one(sends: str, late: str, known: bool) -> None:
    """What is measured on images that were not yet taken stands in no database; her other facts do."""
    row = make_patient(1, replace(CT, sends=sends, late=late), TODAY).ehr_row or {}
    assert ("size_ultrasound_mm" in row) is known
    assert "grade" in row


def test_twice_registered_patient_is_sent_under_the_identifier_that_is_retired() -> None:
    """Images and facts say the first one; the patient is known by the one that survives."""
    patient = make_patient(1, replace(CT, retired_id="OLD"), TODAY)
    assert {str(ds.PatientID) for ds in patient.images} == {"OLD"} == {(patient.ehr_row or {})["patient_id"]}
    assert patient.keys == [("PHANTOM", "OLD"), ("PHANTOM", "DEMO-01")] == [patient.keys[0], patient.key]
    assert patient.has_second_act


def test_merge_names_both_identifiers() -> None:
    """PID has the one that survives, MRG the one that is retired, both with their issuer."""
    message = a40(make_patient(1, replace(CT, retired_id="OLD"), TODAY), datetime(2026, 3, 2, tzinfo=UTC))
    assert "\rPID|||DEMO-01^^^PHANTOM^MR||" in message
    assert message.endswith("\rMRG|OLD^^^PHANTOM^MR\r")


def test_namesake_is_another_woman_under_the_same_identifiers() -> None:
    """Another birth date and name, images of her own; they are sent, and not hers."""
    patient = make_patient(1, replace(CT, namesake="FREMD^PHILIPPA"), TODAY)
    assert {reading.identity(ds)[:2] for ds in patient.sent.values()} == {("DEMO-01", "PHANTOM")}
    assert len({str(ds.PatientBirthDate) for ds in patient.sent.values()}) == 2
    assert len(patient.sent) == 2 * len(patient.own) == 2 * SLICES
    assert not {str(ds.SOPInstanceUID) for ds in patient.foreign} & set(patient.own)


def test_mislabelled_image_differs_in_its_side_alone() -> None:
    """The same UID and pixels as the image that corrects it."""
    patient = make_patient(1, replace(CT, sends="MG", mislabelled=True), TODAY)
    (wrong,), right = patient.mislabelled, patient.images[0]
    assert wrong.SOPInstanceUID == right.SOPInstanceUID
    assert wrong.ImageLaterality != right.ImageLaterality
    assert [tag for tag in right.keys() if wrong[tag] != right[tag]] == [right["ImageLaterality"].tag]  # noqa: SIM118


def test_cut_image_is_one_of_hers() -> None:
    """The last image does not go through the PACS, and counts as sent."""
    patient = make_patient(1, replace(CT, cut_last=True), TODAY)
    assert len(patient.images) == SLICES - 1
    assert len(patient.cut) == 1
    assert len(patient.sent) == SLICES


def test_cut_file_ends_within_its_pixels() -> None:
    """Its header can be read, its pixels are not all there; DICOM sends even lengths alone."""
    (ds,) = make_patient(1, replace(CT, cut_last=True), TODAY).cut
    cut = cut_off(part10(ds))
    assert len(cut) % 2 == 0
    assert dcmread(BytesIO(cut), stop_before_pixels=True).PatientID == ds.PatientID
    assert len(ds.PixelData) - 132 > len(cut) - 2000 > len(ds.PixelData) // 2


@pytest.fixture
def ct() -> list[Dataset]:
    """The chest CT of some patient."""
    return chest_ct(phantom.patient(1, "P-0001"), TODAY)


def test_chest_ct_is_one_series_of_axial_slices(ct: list[Dataset]) -> None:
    """Air outside, lungs, bone; one series, every slice elsewhere."""
    assert {str(ds.Modality) for ds in ct} == {"CT"}
    assert len({str(ds.SeriesInstanceUID) for ds in ct}) == 1
    assert len({float(ds.ImagePositionPatient[2]) for ds in ct}) == len({str(ds.SOPInstanceUID) for ds in ct}) == SLICES
    hounsfield = ct[3].pixel_array.astype(int) - 1024
    assert hounsfield[0, 0] < -900
    assert hounsfield.max() > 300


def test_chest_ct_is_valid(ct: list[Dataset], tmp_path: Path) -> None:
    """Dciodvfy finds no error in it."""
    path = tmp_path / "ct.dcm"
    path.write_bytes(part10(ct[0]))
    done = subprocess.run([program("dciodvfy"), str(path)], capture_output=True, text=True, env=dict(os.environ))
    assert "CTImage" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.startswith("Error")]
