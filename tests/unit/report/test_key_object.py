"""Key Object Selections: which images are worth a look, and which objects of an earlier version are not to be used."""

from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from highdicom.ko import KeyObjectSelectionDocument
from pydicom import Dataset, dcmread

from agent.core.patient import PatientKey
from agent.core.prediction import NoEstimate, Side
from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom import codes
from agent.report import tree, words
from tests import builders
from tests.unit.report import overlays, scenes
from tests.unit.report.conftest import Read
from tests.unit.report.overlays import COMPOSER


def documents(made: tuple[ResultObject, ...], kind: Kind) -> list[Dataset]:
    """Return the documents of a kind."""
    return [dcmread(BytesIO(o.encoded)) for o in made if o.kind is kind]


def named(ds: Dataset) -> list[str]:
    """Return the objects that the content names, in its order."""
    found = [i for i in tree.items(ds) if i.ValueType in ("IMAGE", "COMPOSITE")]
    return [str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID) for i in found]


def description(ds: Dataset) -> str:
    """Return what the document says of itself."""
    return str(tree.named(ds, codes.KEY_OBJECT_DESCRIPTION)[0].TextValue)


def test_key_images_stand_before_their_pictures() -> None:
    """Of one study, titled Of Interest; what it is and is not stands there."""
    result, images = overlays.views()
    made = COMPOSER(result, images)
    objects = Read(made)
    (ds,) = documents(made, Kind.KEY_OBJECT)
    assert tree.is_named(ds, codes.OF_INTEREST)
    captures = [objects[f"secondary_capture:{side}:{n}"] for side in "LR" for n in (1, 2)]
    pairs = [(c.SourceImageSequence[0].ReferencedSOPInstanceUID, c.SOPInstanceUID) for c in captures]
    assert named(ds) == [uid for pair in pairs for uid in pair]
    assert description(ds).endswith(words.DISCLAIMER)
    assert "%" not in description(ds)
    assert ds.SeriesDescription == "AI ALN risk v1 key images - NOT FOR CLINICAL USE"


def test_highdicom_reads_it_back() -> None:
    """Template, title and references are as that library wants them."""
    (ds,) = documents(COMPOSER(*overlays.slices()), Kind.KEY_OBJECT)
    document = KeyObjectSelectionDocument.from_dataset(ds)
    assert len(document.content.get_references()) == 2
    study, series, instance = document.resolve_reference(named(ds)[0])
    assert study == ds.StudyInstanceUID
    assert instance == named(ds)[0]
    assert series != ds.SeriesInstanceUID


def test_each_study_has_its_own() -> None:
    """Mammography, ultrasound and MR: three studies, each named in itself."""
    made = COMPOSER(*scenes.everything())
    selections = documents(made, Kind.KEY_OBJECT)
    assert len({ds.StudyInstanceUID for ds in selections}) == len(selections) == 3
    for ds in selections:
        evidence = tree.evidence(ds, "CurrentRequestedProcedureEvidenceSequence")
        assert {study for study, _ in evidence} == {ds.StudyInstanceUID}
        assert {uid for _, uid in evidence} == set(named(ds))


def test_one_image_of_both_axillae_stands_once() -> None:
    """With a picture for each axilla behind it."""
    images = scenes.dynamic(**overlays.PLACED)
    found = [scenes.mr_influence(images[4], side) for side in "LR"]
    answers = [builders.estimate("L", 0.3), builders.estimate("R", 0.6)]
    (ds,) = documents(COMPOSER(builders.result(answers, images, found, **scenes.ALL), images), Kind.KEY_OBJECT)
    assert len(named(ds)) == len(set(named(ds))) == 3


def test_a_frame_is_named() -> None:
    """Of a clip only the frame is of interest."""
    (ds,) = documents(COMPOSER(*overlays.clip()), Kind.KEY_OBJECT)
    images = [i.ReferencedSOPSequence[0] for i in tree.items(ds) if i.ValueType == "IMAGE"]
    assert [i.get("ReferencedFrameNumber") for i in images] == [6, None]


def test_no_estimate_has_no_key_image() -> None:
    """Where nothing influenced anything, nothing is of interest; what was said before is rejected all the same."""
    result, images = overlays.views()
    later = overlays.second(result, images)
    refused = replace(later, answers=(NoEstimate(Side.L, "no facts"),), influences=())
    made = COMPOSER(refused, images)
    assert [o.role for o in made] == ["text_sr", "secondary_capture::1", "rejection::1"]
    assert sorted(named(documents(made, Kind.REJECTION)[0])) == sorted(r.sop_instance_uid for r in later.superseded)
    assert not any("%" in str(i.get("TextValue", "")) for i in tree.items(documents(made, Kind.REJECTION)[0]))


def test_first_version_rejects_nothing() -> None:
    """There is nothing before it."""
    assert documents(COMPOSER(*overlays.views()), Kind.REJECTION) == []


@pytest.mark.parametrize(
    ("of_another", "title"), [(False, codes.REJECTED_FOR_QUALITY), (True, codes.REJECTED_FOR_SAFETY)]
)
def test_a_later_version_rejects_the_earlier_one(*, of_another: bool, title: codes.CodedConcept) -> None:
    """Last of all, one document a study, titled with the reason, naming every object of that study and no source."""
    result, images = scenes.everything()
    later = overlays.second(result, images, of_another=of_another)
    made = COMPOSER(later, images)
    rejections = documents(made, Kind.REJECTION)
    assert [o.kind for o in made[-3:]] == [Kind.REJECTION] * 3
    assert sorted(uid for ds in rejections for uid in named(ds)) == sorted(r.sop_instance_uid for r in later.superseded)
    for ds in rejections:
        assert tree.is_named(ds, title)
        assert {study for study, _ in tree.evidence(ds, "CurrentRequestedProcedureEvidenceSequence")} == {
            ds.StudyInstanceUID
        }
        assert ("another patient" in description(ds)) == of_another
        assert "version 2" in description(ds)
        assert words.DISCLAIMER in description(ds)
    assert {str(ds.SeriesDescription) for ds in rejections} == {"AI ALN risk v2 rejects earlier - NOT FOR CLINICAL USE"}


def test_images_and_documents_are_named_as_what_they_are() -> None:
    """Captures and segmentations are images, SRs, presentation states and key objects are not (TID 2010)."""
    result, images = overlays.slices()
    later = overlays.second(result, images)
    (ds,) = documents(COMPOSER.rejecting(later, images), Kind.REJECTION)
    items = [i for i in tree.items(ds) if "ReferencedSOPSequence" in i]
    types = {str(i.ReferencedSOPSequence[0].ReferencedSOPInstanceUID): i.ValueType for i in items}
    before = {r.sop_instance_uid: role.split(":")[0] for role, r in later.predecessors.items()}
    assert {(before[uid], kind) for uid, kind in types.items() if uid in before} == {
        *(("sr", "COMPOSITE"), ("text_sr", "COMPOSITE"), ("presentation_state", "COMPOSITE")),
        *(("key_object", "COMPOSITE"), ("secondary_capture", "IMAGE"), ("segmentation", "IMAGE")),
    }


def test_rejections_name_the_patient_of_today() -> None:
    """After a merge the retired ID stands nowhere."""
    result, images = overlays.views()
    survivor = PatientKey("PHANTOM", "P-0002")
    later = replace(overlays.second(result, images, of_another=True), patient=survivor)
    (ds,) = documents(COMPOSER.rejecting(later, images), Kind.REJECTION)
    assert ds.PatientID == "P-0002"
    assert "P-0001" not in str(ds)


def test_study_that_is_no_longer_the_patients_is_named_from_the_index_study() -> None:
    """Nothing is written into a study of which no image is at hand; one document still names one study."""
    result, images = overlays.views()
    later = overlays.second(result, images)
    gone = overlays.elsewhere("gone")
    one_more = replace(later, superseded=(*later.superseded, gone))
    rejections = documents(COMPOSER.rejecting(one_more, images), Kind.REJECTION)
    assert {ds.StudyInstanceUID for ds in rejections} == {images[0].instance.study_instance_uid}
    assert sorted(int(ds.InstanceNumber) for ds in rejections) == [1, 2]
    assert [gone.sop_instance_uid] in [named(ds) for ds in rejections]


def test_no_document_names_what_its_destination_does_not_have() -> None:
    """One that names an object unknown to dcm4chee is refused there as a whole, so each has its own."""
    result, images = overlays.views()
    later = overlays.second(result, images)
    first, *others = sorted(r.sop_instance_uid for r in later.superseded)
    held_by = {first: frozenset({"vna"}), **{uid: frozenset({"vna", "pacs"}) for uid in others}}
    made = COMPOSER.rejecting(replace(later, held_by=held_by), images)
    rejected = {o.only_to: sorted(named(dcmread(BytesIO(o.encoded)))) for o in made}
    assert rejected == {("vna",): [first], ("pacs", "vna"): others}
    assert sorted(o.role for o in made) == ["rejection::1", "rejection::2"]


def test_what_nobody_is_told_of_is_not_named() -> None:
    """The archive that has it does not reject."""
    result, images = overlays.views()
    later = overlays.second(result, images)
    kept, *others = sorted(r.sop_instance_uid for r in later.superseded)
    held_by = {kept: frozenset[str](), **{uid: frozenset({"pacs"}) for uid in others}}
    (one,) = COMPOSER.rejecting(replace(later, held_by=held_by), images)
    assert sorted(named(dcmread(BytesIO(one.encoded)))) == others


def test_a_result_that_is_not_reported_rejects_all_the_same() -> None:
    """A site may want no report without a number, but what a later version takes back is not to stay."""
    result, images = overlays.views()
    refused = replace(overlays.second(result, images), answers=(NoEstimate(Side.L, "no facts"),), influences=())
    made = COMPOSER.rejecting(refused, images)
    assert [o.kind for o in made] == [Kind.REJECTION]
    assert made == COMPOSER(refused, images)[-1:]
    assert COMPOSER.rejecting(replace(refused, superseded=()), images) == ()


def two_studies() -> tuple[Result, list[SourceImage]]:
    """Return a result on views of two studies."""
    images = [
        builders.source_image(builders.mammogram(study="new")),
        builders.source_image(builders.mammogram(study="old", day=date(2025, 6, 1), view="CC")),
    ]
    return builders.result(None, images), images


def test_roles_and_uids_are_told_apart() -> None:
    """Several documents of one kind have roles, UIDs and series of their own, and none is one of version 1."""
    result, images = two_studies()
    first = COMPOSER(result, images)
    second = COMPOSER(overlays.second(result, images), images)
    every = [o.sop_instance_uid for o in (*first, *second)]
    assert len(every) == len(set(every))
    assert len({o.role for o in second}) == len(second)
    assert [o.role for o in second if o.kind in (Kind.KEY_OBJECT, Kind.REJECTION)] == [
        *("key_object::1", "key_object::2", "rejection::1", "rejection::2")
    ]
