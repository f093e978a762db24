"""What comes out for which result, what it takes over from its source, and that it is always the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta, timezone
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread

from agent.core.errors import Permanent
from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind, Result, SourceImage
from agent.dicom import codes
from agent.report import tree, words
from agent.report.compose import Composer, DeviceIdentity
from agent.report.words import Words
from tests import builders
from tests.unit.report import alone
from tests.unit.report.conftest import DEVICE, Read

NO_NUMBER = NoEstimate(Side.L, "too little evidence")


def texts(read: Read) -> list[str]:
    """Return every sentence of the text SR."""
    return sentences(read["text_sr"])


def sentences(page: Dataset) -> list[str]:
    """Return every sentence of a text SR."""
    return [i.TextValue for i in tree.items(page) if i.ValueType == "TEXT"]


def test_files_say_what_wrote_them(bilateral: Read) -> None:
    """File meta information names the implementation that associations announce."""
    for role in bilateral.roles:
        meta = bilateral[role].file_meta
        assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
        assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME


def test_sending_order(bilateral: Read) -> None:
    """SRs first, then the page, then captures: the summary, the higher risk, the other one."""
    assert bilateral.roles == [
        "sr:R",
        "sr:L",
        "text_sr",
        "secondary_capture::1",
        *(f"secondary_capture:{side}:{n}" for side in "RL" for n in (1, 2)),
    ]
    assert [o.kind for o in bilateral.objects[:5]] == [Kind.SR] * 4 + [Kind.TEXT_SR]  # each SR has one in reserve


def test_same_result_same_bytes(composer: Composer, device: DeviceIdentity, views: Sequence[SourceImage]) -> None:
    """Making a result again, with another composer, gives byte-identical objects."""
    result = builders.result([builders.estimate("L"), NoEstimate(Side.R, "no facts")], views)
    assert composer(result, views) == Composer(device)(result, views)


def test_no_estimate_has_no_number_anywhere(composer: Composer, mlo: SourceImage) -> None:
    """Text SR and one summary capture say why; no SR of template 1500, no NUM, no percentage, no threshold."""
    objects = Read(composer(builders.result([NO_NUMBER], [mlo], site_prevalence=0.25), [mlo]))
    assert objects.roles == ["text_sr", "secondary_capture::1"]
    assert not any(i.ValueType == "NUM" for i in tree.items(objects["text_sr"]))
    assert not any("%" in t or "threshold" in t for t in texts(objects))
    assert any("too little evidence" in t for t in texts(objects))
    assert "%" not in objects["secondary_capture::1"].ImageComments
    assert "too little evidence" in objects["secondary_capture::1"].ImageComments


def test_estimate_from_facts_alone_has_text_and_summary(composer: Composer, mlo: SourceImage) -> None:
    """Where no image had influence there is no region, so no SR; the summary holds the number."""
    result = builders.result(None, [], [], facts_used=("grade",), modalities_missing=("MG",))
    objects = Read(composer(result, [mlo]))
    assert objects.roles == ["text_sr", "secondary_capture::1"]
    assert "73.1 %" in objects["secondary_capture::1"].ImageComments
    assert any("Images used: none." in t for t in texts(objects))
    evidence = tree.evidence(objects["text_sr"], "CurrentRequestedProcedureEvidenceSequence")
    assert evidence == {(mlo.instance.study_instance_uid, mlo.instance.sop_instance_uid)}


def test_axilla_without_estimate_beside_one_with(composer: Composer, views: Sequence[SourceImage]) -> None:
    """One axilla answered, one not: both are said, and both are on the summary."""
    answers = [builders.estimate("L"), NoEstimate(Side.R, "earlier surgery of that axilla")]
    objects = Read(composer(builders.result(answers, views), views))
    assert objects.roles == [
        "sr:L",
        "text_sr",
        "secondary_capture::1",
        "secondary_capture:L:1",
        "secondary_capture:L:2",
    ]
    assert "RIGHT axilla: no estimate." in texts(objects)
    assert "73.1" in objects["secondary_capture::1"].ImageComments
    assert "earlier surgery" in objects["secondary_capture::1"].ImageComments


def test_side_unknown_is_said(mlo: SourceImage) -> None:
    """An answer for the patient, where nobody knows the side."""
    page = alone.page(builders.result([NoEstimate(None, "the side is unknown")], [mlo]), [mlo])
    assert "Side unknown: no estimate. Reason: the side is unknown." in sentences(page)


def test_each_capture_lies_in_its_source_study(composer: Composer) -> None:
    """SR and text SR go into the newest study, captures where their image is; series are numbered apart."""
    old = builders.source_image(builders.mammogram(study="old", day=date(2025, 6, 1), view="CC"))
    new = builders.source_image(builders.mammogram(study="new"))
    objects = Read(composer(builders.result(None, [new, old]), [old, new]))
    assert objects["sr:L"].StudyInstanceUID == objects["text_sr"].StudyInstanceUID == new.instance.study_instance_uid
    assert objects["secondary_capture:L:1"].StudyInstanceUID == new.instance.study_instance_uid
    assert objects["secondary_capture:L:2"].StudyInstanceUID == old.instance.study_instance_uid
    assert objects["secondary_capture:L:2"].AccessionNumber == "ACCold"
    assert objects["secondary_capture:L:1"].SeriesInstanceUID != objects["secondary_capture:L:2"].SeriesInstanceUID
    assert any("from 2 studies" in t for t in texts(objects))


def test_study_that_was_not_used_is_no_index_study(composer: Composer) -> None:
    """A newer study of which no image was used gets nothing."""
    used = builders.source_image(builders.mammogram(study="used"))
    newer = builders.source_image(builders.mammogram(study="newer", day=date(2026, 2, 1)))
    objects = composer(builders.result(None, [used]), [used, newer])
    assert {o.study_instance_uid for o in objects} == {used.instance.study_instance_uid}


def test_text_reads_like_a_report(objects: Read) -> None:
    """Question, answer, findings, contributions, evidence and limits, in this order, each with its sentences."""
    sections = [i for i in objects["text_sr"].ContentSequence if i.ValueType == "CONTAINER"]
    assert [i.ConceptNameCodeSequence[0].CodeMeaning for i in sections] == [
        "Question",
        "Conclusions",
        "Findings",
        "Contributions",
        "Evidence",
        "Limits",
    ]
    said = texts(objects)
    assert "LEFT axilla: probability of nodal metastasis 73.1 % (95 % CI 61.1 to 82.1 %), HIGH." in said
    assert "Not available: ultrasound, MRI." in said
    labelled = [(i.ConceptNameCodeSequence[0].CodeMeaning, i.TextValue) for s in sections for i in s.ContentSequence]
    assert ("Mammography", "LEFT axilla: mammography raised the estimate, odds x 3.3 (log-odds +1.20).") in labelled
    assert ("Ultrasound", "LEFT axilla: ultrasound not available.") in labelled
    assert ("Starting point", "LEFT axilla: 35.5 % with these inputs (log-odds -0.60).") in labelled
    assert said.index(words.CONTRIBUTIONS) > said.index(words.DISCLAIMER)
    assert "Images used: 1 mammogram (left MLO)." in said
    assert "Clinical facts used: age, size on ultrasound, grade." in said
    assert words.DISCLAIMER in said
    assert words.DEMONSTRATION not in said


def test_predictive_values_only_at_a_configured_prevalence(objects: Read, left: Result, mlo: SourceImage) -> None:
    """NPV and PPV are printed with the site's prevalence, and not without it."""
    at_site = alone.page(replace(left, site_prevalence=0.25), [mlo])
    assert sum("NPV" in t for t in sentences(at_site)) == 2
    assert not any("NPV" in t for t in texts(objects))


def test_demonstration_is_said(left: Result, mlo: SourceImage) -> None:
    """A demonstration model says so as text, whether it answers or abstains."""
    for result in (left, replace(left, answers=(NO_NUMBER,), influences=())):
        page = alone.page(replace(result, model=builders.DEMONSTRATION_MODEL), [mlo])
        assert words.DEMONSTRATION in sentences(page)


def test_superseded_version_is_said(objects: Read, left: Result, mlo: SourceImage) -> None:
    """Nothing in a viewer says which version is current: the text does."""
    before = {o.role: o.reference for o in objects.objects}
    second = alone.page(replace(left, version=2, predecessors=before), [mlo])
    assert "This result, version 2, supersedes version 1." in sentences(second)
    knows = alone.page(replace(left, version=2, predecessors=before, new_inputs=("US", "clinical")), [mlo])
    said = "This result, version 2, supersedes version 1. New since then: ultrasound, clinical facts."
    assert said in sentences(knows)
    third = alone.page(replace(left, version=3, predecessors=before), [mlo])
    assert "This result, version 3, supersedes every earlier version." in sentences(third)
    assert not any("supersedes" in t for t in texts(objects))


def test_dates_are_those_of_the_result(device: DeviceIdentity, left: Result, mlo: SourceImage) -> None:
    """Content and series dates come from the result, in the site's time zone, never from a clock."""
    zone = timezone(timedelta(hours=-10))
    for o in Composer(device, zone)(left, [mlo]):
        ds = dcmread(BytesIO(o.encoded))
        assert (ds.ContentDate, ds.ContentTime) == ("20260105", "233000")
        assert (ds.SeriesDate, ds.SeriesTime) == ("20260105", "233000")


def test_no_source_no_report(composer: Composer) -> None:
    """A patient of whom no image is at hand has no study to report into."""
    with pytest.raises(Permanent, match="no image"):
        composer(builders.result([NO_NUMBER]), [])


def test_influence_without_its_image_is_refused(composer: Composer, views: Sequence[SourceImage]) -> None:
    """A heatmap cannot be drawn on an image that was not handed over."""
    with pytest.raises(Permanent, match="had influence"):
        composer(builders.result(None, views), views[:1])


@pytest.mark.parametrize("fault", ["shape", "nan"])
def test_influence_that_does_not_fit_its_image_is_refused(composer: Composer, mlo: SourceImage, fault: str) -> None:
    """A map of another size, or with holes, would point to the wrong place."""
    saliency_hw = builders.saliency(mlo, 28, 42)
    saliency_hw = saliency_hw[:-1] if fault == "shape" else np.where(saliency_hw > 0.9, np.nan, saliency_hw)
    made = builders.influence(mlo, saliency_hw=saliency_hw)
    with pytest.raises(Permanent, match="does not fit" if fault == "shape" else "holds numbers that are none"):
        composer(builders.result(None, [mlo], [made]), [mlo])


def test_influence_beyond_its_range_is_cut(left: Result, mlo: SourceImage) -> None:
    """A map that rises above 1 is drawn as 1 there, not as what an overflow leaves."""
    high = builders.saliency(mlo, 28, 42) * np.float32(1.5)
    made = [builders.influence(mlo, saliency_hw=m) for m in (high, high.clip(0, 1))]
    objects = [alone.pictures(replace(left, influences=(i,)), [mlo]) for i in made]
    first, second = (o["secondary_capture:L:1"].pixel_array for o in objects)
    assert np.array_equal(first, second)


def test_header_that_is_no_file_is_refused(composer: Composer, left: Result, mlo: SourceImage) -> None:
    """A broken header stops the report and names the image."""
    with pytest.raises(Permanent, match=mlo.instance.sop_instance_uid):
        composer(left, [replace(mlo, header=b"nothing")])


@settings(max_examples=12, deadline=None)  # each makes every object; test_compared.py draws fifteen results more
@given(
    st.floats(0, 1),
    st.floats(0, 1),
    st.floats(0, 1),
    st.tuples(st.floats(0, 79), st.floats(0, 99)),
    st.sampled_from(["L", "R"]),
)
def test_any_estimate_passes_the_gate(a: float, b: float, c: float, at: tuple[float, float], side: str) -> None:
    """Whatever the numbers and wherever the peak, the objects are made, and say the same number."""
    low, probability, high = sorted((a, b, c))
    image = builders.source_image(builders.mammogram(side, rows=100, columns=80))
    answer = builders.estimate(side, probability, low=low, high=high, contributions={})
    made = builders.influence(image, *at)
    result = builders.result([answer], [image], [made])
    objects = Read(Composer(DEVICE)(result, [image]))
    number = tree.number(tree.named(objects[f"sr:{side}"], codes.PROBABILITY)[0])
    assert number == pytest.approx(100 * probability, abs=0.011)
    assert Words.of("aln").answer(replace(answer, points=result.operating_points)) in texts(objects)
