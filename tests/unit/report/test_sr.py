"""The SR of one axilla: what it says, where, and what it never says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import highdicom as hd
import pytest
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage, ExplicitVRLittleEndian

from agent.core.prediction import Answer
from agent.core.result import Result, SourceImage
from agent.dicom import codes
from agent.report import tree
from agent.report.compose import Composer
from agent.report.figures import percent
from tests import builders
from tests.unit.report import alone, scenes
from tests.unit.report.conftest import Read


def group_of(ds: Dataset) -> Dataset:
    """Return the measurement group."""
    return tree.named(ds, codes.MEASUREMENT_GROUP)[0]


def numbers(ds: Dataset) -> list[float]:
    """Return probability, lower and upper bound, in percent."""
    return [tree.number(n) for n in tree.children(group_of(ds), "NUM")]


def box(ds: Dataset) -> list[float]:
    """Return left, top, right, bottom of the first region."""
    data = [float(v) for v in next(i for i in tree.items(ds) if i.ValueType == "SCOORD").GraphicData]
    return [min(data[0::2]), min(data[1::2]), max(data[0::2]), max(data[1::2])]


def test_numbers_are_the_results(objects: Read, left: Result) -> None:
    """Probability and interval are those of the estimate, in percent."""
    answer = left.estimates[0]
    assert numbers(objects["sr:L"]) == [percent(v) for v in (answer.probability, answer.low, answer.high)]


def test_highdicom_reads_it_back(objects: Read, mlo: SourceImage) -> None:
    """A reader of TID 1500 finds group, values, finding site and tracking identifier."""
    read = hd.sr.Comprehensive3DSR.from_dataset(objects["sr:L"])
    groups = read.content.get_image_measurement_groups()
    assert len(groups) == 1
    assert groups[0].tracking_identifier == "ALN risk L"
    measured = groups[0].get_measurements()
    assert [m.value for m in measured] == numbers(objects["sr:L"])
    assert {m.unit.value for m in measured} == {"%"}
    assert groups[0].finding_sites[0].laterality.value == "7771000"


def test_region_lies_on_the_target(objects: Read) -> None:
    """The box encloses the off-centre peak and little else."""
    x0, y0, x1, y1 = box(objects["sr:L"])
    assert x0 < 28 < x1 and y0 < 42 < y1
    assert x1 - x0 < 25 and y1 - y0 < 25


def test_region_is_mapped_back_from_reduced_pixels() -> None:
    """With two source pixels to a display pixel the box is still in source pixels."""
    image = builders.source_image(builders.mammogram(), reduce_by=2)
    objects = alone.reports(builders.result(None, [image]), [image])
    x0, y0, x1, y1 = box(objects["sr:L"])
    assert (x0 + x1) / 2 == pytest.approx(28, abs=1.5)
    assert (y0 + y1) / 2 == pytest.approx(42, abs=1.5)


def test_region_at_the_corner_stays_inside() -> None:
    """Where the display size does not divide the image, the box is cut at the image's edge."""
    ds = builders.mammogram(rows=251, columns=201)
    image = builders.source_image(ds, reduce_by=2)
    made = builders.influence(image, 200, 250)
    objects = alone.reports(builders.result(None, [image], [made]), [image])
    assert box(objects["sr:L"])[2:] == [201, 251]


def test_label_names_the_axilla_of_the_risk_and_not_of_the_region(bilateral: Read) -> None:
    """What lies in the box may be a mass of the breast: the label calls it an influence on the axilla's risk."""
    for side in "LR":
        said = [item.TextValue for item in tree.named(bilateral[f"sr:{side}"], codes.COMMENT)]
        assert said == [f"AI influence on {side} ALN risk", "NOT FOR CLINICAL USE"]


def test_higher_risk_comes_first(bilateral: Read) -> None:
    """The axilla at the higher risk is sent first and has the lower Series Number."""
    assert bilateral.roles[:2] == ["sr:R", "sr:L"]
    assert bilateral["sr:R"].SeriesNumber < bilateral["sr:L"].SeriesNumber


def test_each_axilla_has_its_own_series_and_side(bilateral: Read) -> None:
    """One SR a series; site and images are of the SR's side."""
    srs = [bilateral["sr:R"], bilateral["sr:L"]]
    assert srs[0].SeriesInstanceUID != srs[1].SeriesInstanceUID
    sides = [tree.named(group_of(ds), codes.LATERALITY)[0].ConceptCodeSequence[0].CodeMeaning for ds in srs]
    assert sides == ["Right", "Left"]
    assert [ds.SeriesDescription[:20] for ds in srs] == ["AI ALN risk v1 R rep", "AI ALN risk v1 L rep"]


def test_image_library_and_evidence_hold_every_input(bilateral: Read, views: Sequence[SourceImage]) -> None:
    """Both sides' images are named in each SR."""
    given = {v.instance.sop_instance_uid for v in views}
    for role in ("sr:L", "sr:R"):
        library = tree.named(bilateral[role], codes.IMAGE_LIBRARY)[0]
        entries = [i for i in tree.items(library) if i.ValueType == "IMAGE"]
        assert {i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for i in entries} == given
        named = tree.evidence(bilateral[role], "CurrentRequestedProcedureEvidenceSequence")
        assert {uid for _, uid in named} == given


def test_image_of_the_index_study_that_contributed_most_carries_the_region() -> None:
    """Neither a stronger image of an older study nor a weaker one of the index study is chosen."""
    old = builders.source_image(builders.mammogram(study="old", day=date(2025, 6, 1)))
    weak = builders.source_image(builders.mammogram(view="CC"))
    strong = builders.source_image(builders.mammogram())
    images = [weak, strong, old]
    made = [builders.influence(i, contribution=c) for i, c in zip(images, (0.2, -0.6, 2.0), strict=True)]
    objects = alone.reports(builders.result(None, images, made), images)
    on = next(i for i in tree.items(objects["sr:L"]) if i.ValueType == "SCOORD").ContentSequence[0]
    assert on.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == strong.instance.sop_instance_uid
    assert objects["sr:L"].StudyInstanceUID == strong.instance.study_instance_uid
    other = tree.evidence(objects["sr:L"], "PertinentOtherEvidenceSequence")
    assert other == {(old.instance.study_instance_uid, old.instance.sop_instance_uid)}


def test_no_region_no_sr(composer: Composer, mlo: SourceImage) -> None:
    """An image without a salient spot gets no SR, which would break viewers, but text and capture."""
    flat = builders.influence(mlo, saliency_hw=builders.saliency(mlo, 0, 0) * 0)
    objects = Read(composer(builders.result(None, [mlo], [flat]), [mlo]))
    assert objects.roles == ["text_sr", "secondary_capture::1", "secondary_capture:L:1"]


def test_region_of_a_4d_series_lies_on_our_capture(composer: Composer) -> None:
    """Viewers freeze on a region in a series of several time points: it lies on the capture, which is sent before."""
    series = builders.uid("4d")
    images = [
        builders.source_image(builders.mammogram(view=v, SeriesInstanceUID=series, TemporalPositionIdentifier=n))
        for n, v in enumerate(("MLO", "CC"), start=1)
    ]
    objects = Read(composer(builders.result(None, images), images))
    assert objects.roles == [
        "secondary_capture:L:1",
        "sr:L",
        "text_sr",
        "secondary_capture::1",
        "secondary_capture:L:2",
    ]
    capture, report = objects.objects[:2]
    assert report.needs == (capture.sop_instance_uid,)
    assert capture.sop_instance_uid in {
        u for _, u in tree.evidence(objects["sr:L"], "CurrentRequestedProcedureEvidenceSequence")
    }
    x0, y0, x1, y1 = (round(v) for v in box(objects["sr:L"]))
    overlay = objects["secondary_capture:L:1"].pixel_array[y0:y1, x0:x1].astype(int)
    beside = objects["secondary_capture:L:1"].pixel_array[y0:y1, x0 + 200 : x1 + 200].astype(int)
    assert abs(overlay[..., 0] - overlay[..., 2]).max() > 60  # coloured
    assert abs(beside[..., 0] - beside[..., 2]).max() == 0  # grey


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_numbers_at_the_ends_are_printed(mlo: SourceImage, probability: float) -> None:
    """Neither 0, which viewers do not print, nor a line too long."""
    answer = builders.estimate(probability=probability, low=probability, high=probability, contributions={})
    objects = alone.reports(builders.result([answer], [mlo]), [mlo])
    assert set(numbers(objects["sr:L"])) <= {0.01, 99.99}


def test_disease_is_never_found(bilateral: Read) -> None:
    """The codes for axillary metastasis occur in no object."""
    for role in ("sr:L", "sr:R", "text_sr"):
        assert codes.DISEASE.isdisjoint(tree.Tree.of(bilateral[role]).codes)
        assert b"111330" not in next(o.encoded for o in bilateral.objects if o.role == role)


def test_missing_inputs_are_coded(objects: Read, left: Result, mlo: SourceImage) -> None:
    """Each missing modality has its code, an unknown one the general code, a full set says so."""

    def said(ds: Dataset) -> list[str]:
        return [i.ConceptCodeSequence[0].CodeMeaning for i in tree.named(ds, codes.COMPLETENESS)]

    assert said(objects["sr:L"]) == ["Ultrasound not available", "MRI not available"]
    full = alone.reports(replace(left, modalities_missing=()), [mlo])
    assert said(full["sr:L"]) == ["All inputs available"]
    odd = alone.reports(replace(left, modalities_missing=("XA", "ECG")), [mlo])
    assert said(odd["sr:L"]) == ["Another input not available"]


def test_input_of_the_other_axilla_alone_is_coded_as_missing(mlo: SourceImage) -> None:
    """A bilateral patient with images of the left and an MR of both: each SR says what its own axilla lacked."""
    scan = scenes.source(scenes.mr(1, 1))
    found = [builders.influence(mlo), *(scenes.mr_influence(scan, side) for side in "LR")]
    values = {"prior": 0.1, "clinical": 0.2, "MG": 0.0, "MR": 0.1}
    answers = [builders.estimate("L", contributions=values | {"MG": 0.4}), builders.estimate("R", contributions=values)]
    images = [scan, mlo]
    objects = alone.reports(builders.result(answers, images, found, modalities_missing=()), images)
    said = {
        role: [i.ConceptCodeSequence[0].CodeMeaning for i in tree.named(objects[role], codes.COMPLETENESS)]
        for role in ("sr:L", "sr:R")
    }
    assert said == {"sr:L": ["All inputs available"], "sr:R": ["Mammography not available"]}


def test_new_version_names_the_one_before(composer: Composer, objects: Read, left: Result, mlo: SourceImage) -> None:
    """SR and text SR of version 2 name those of version 1; all UIDs and series are new."""
    before = {o.role: o.reference for o in objects.objects}
    second = Read(composer(replace(left, version=2, predecessors=before), [mlo]))
    for role in ("sr:L", "text_sr"):
        named = second[role].PredecessorDocumentsSequence[0]
        assert named.StudyInstanceUID == objects[role].StudyInstanceUID
        series = named.ReferencedSeriesSequence[0]
        assert series.SeriesInstanceUID == objects[role].SeriesInstanceUID
        assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == objects[role].SOPInstanceUID
    uids = [{str(ds.SOPInstanceUID), str(ds.SeriesInstanceUID)} for r in (objects, second) for ds in r.by_role.values()]
    assert all(a.isdisjoint(b) for a in uids[: len(objects.roles)] for b in uids[len(objects.roles) :])
    assert second["sr:L"].SeriesNumber == 920
    assert "PredecessorDocumentsSequence" not in second["secondary_capture:L:1"]
    assert "PredecessorDocumentsSequence" not in objects["sr:L"]


def test_object_tells_how_to_send_it(objects: Read) -> None:
    """What delivery needs to know equals what is encoded."""
    report = objects.objects[0]
    ds = objects["sr:L"]
    assert (report.sop_class_uid, report.transfer_syntax_uid) == (Comprehensive3DSRStorage, ExplicitVRLittleEndian)
    assert report.sop_instance_uid == ds.SOPInstanceUID == ds.file_meta.MediaStorageSOPInstanceUID
    assert report.series_instance_uid == ds.SeriesInstanceUID
    assert report.study_instance_uid == ds.StudyInstanceUID
    assert ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian


def test_algorithm_is_named(objects: Read) -> None:
    """Name, version, software and digest of the bundle stand in the group."""
    texts = [i.TextValue for i in tree.items(group_of(objects["sr:L"])) if i.ValueType == "TEXT"]
    assert {"aln-demo", "1.0.0", "software=Sentinode 0.1.0", f"manifest_sha256={'0' * 64}"} <= set(texts)


@pytest.mark.parametrize("laterality", ["", "B"])
def test_unlateralised_image_may_carry_the_region(laterality: str) -> None:
    """An image of both sides, or of none named, is no contradiction."""
    ds = builders.mammogram(ImageLaterality=laterality)
    image = builders.source_image(ds)
    more: dict[str, Any] = {"side": "L"}
    answers: list[Answer] = [builders.estimate()]
    objects = alone.reports(builders.result(answers, [image], [builders.influence(image, **more)]), [image])
    assert "sr:L" in objects
