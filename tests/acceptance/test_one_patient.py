"""One patient in, one report back, through the whole agent and real sockets."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import highdicom as hd
import pytest
from pydicom.dataset import Dataset

from tests.acceptance.conftest import Hospital, kinds, story, views
from tests.harness import wait_until
from tests.peers import program


def numbers(sr: Dataset) -> dict[str, float]:
    """Read the NUM items of the one measurement group with highdicom."""
    report = hd.sr.Comprehensive3DSR.from_dataset(sr)
    (group,) = report.content.get_image_measurement_groups()
    return {m.name.meaning: float(m.value) for m in group.get_measurements()}


def text(sr: Dataset) -> str:
    """Return all words of a text SR."""
    return "\n".join(str(element.value) for element in sr.iterall() if element.keyword == "TextValue")


def test_patient_with_facts_and_mammogram_gets_one_result_set(hospital: Hospital, tmp_path: Path) -> None:
    """Four views and a clinical row become one SR, one text SR and a capture for each view of the axilla's side."""
    patient = hospital.patient(1, name="ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ")
    assert set(hospital.send(views(patient))) == {0}
    (case,) = hospital.wait_ended()
    assert case["state"] == "done", case["reason"]
    results = hospital.results()
    assert Counter(kinds(results)) == {"sr": 1, "text_sr": 1, "secondary_capture": 3}
    assert kinds(results)[0] == "sr"  # the report is there before its pictures
    (answer,) = case["summary"]["answers"]
    sr, words = results[0], text(results[kinds(results).index("text_sr")])
    assert answer["side"] == "L"
    values = numbers(sr)
    assert values["ALN risk"] == pytest.approx(100 * answer["probability"], abs=0.01)
    assert values["95% CI lower"] == pytest.approx(100 * answer["low"], abs=0.01)
    assert values["95% CI upper"] == pytest.approx(100 * answer["high"], abs=0.01)
    assert re.search(rf"\b{100 * answer['probability']:.1f} ?%", words)
    assert answer["category"] in words
    assert {str(ds.PatientName) for ds in results} == {"ΔΟΚΙΜΗ^ΣΥΝΘΕΤΙΚΗ"}
    assert len({ds.SOPInstanceUID for ds in results}) == 5
    validate(results, tmp_path)


def validate(results: list[Dataset], folder: Path) -> None:
    """Let dciodvfy and dsrdump judge every object."""
    for n, ds in enumerate(results):
        path = folder / f"result-{n}.dcm"
        ds.save_as(path)
        told = subprocess.run([program("dciodvfy"), "-new", str(path)], capture_output=True, text=True)
        assert not [line for line in told.stderr.splitlines() if line.startswith("Error")], told.stderr
        if "SR" in ds.SOPClassUID.name:
            subprocess.run([program("dsrdump"), "+Pn", str(path)], check=True, capture_output=True)


def test_story_tells_what_was_used_and_why_not(hospital: Hospital) -> None:
    """`cases show` says of every instance whether the answer used it, and why not."""
    hospital.send(views(hospital.patient(1)))
    (case,) = hospital.wait_ended()
    told = story(hospital.agent, case["id"])
    assert {(i["laterality"], i["used"]) for i in told["instances"]} == {("L", True), ("R", False)}
    assert all(i["left_out"] for i in told["instances"] if not i["used"])
    assert [e["to_state"] for e in told["events"]][-4:] == ["ready", "running", "delivering", "done"]
    stands = {d["role"]: d["status"] for d in told["deliveries"]}
    assert stands.pop("sr:L:comprehensive") == "spare"  # for an archive that takes no Comprehensive 3D SR
    assert set(stands.values()) == {"confirmed"}
    table = hospital.agent.cli("cases", "show", str(case["id"])).stdout
    assert "deliveries" in table


def test_export_writes_the_bytes_that_were_sent(hospital: Hospital, tmp_path: Path) -> None:
    """`export` and `resend` give the stored bytes: the archive gets the same objects again."""
    hospital.send(views(hospital.patient(1)))
    (case,) = hospital.wait_ended()
    out = tmp_path / "export"
    hospital.agent.cli("export", str(case["id"]), str(out))
    sent = {uid: hospital.archive.fetch(uid) for _, uid, _, _ in hospital.archive.instances()}
    exported = {path.name for path in out.iterdir()}
    assert len(exported) == len(sent) + 1 == 6
    assert "sr-L-comprehensive.dcm" in exported  # in reserve, not sent
    before = len(hospital.archive.stores)
    assert hospital.agent.cli("resend", str(case["id"])).stdout.startswith("5 objects are queued")
    wait_until(lambda: len(hospital.archive.stores) == before + 5, 20, "the objects were not sent again")
    assert Counter(hospital.archive.stores) == dict.fromkeys(sent, 2)
    assert len(hospital.wait_ended()) == 1


def test_late_image_opens_the_next_version(hospital: Hospital) -> None:
    """An image that comes after the answer opens version 2, which names version 1 as its predecessor."""
    patient = hospital.patient(1)
    hospital.send(views(patient, "L CC"))
    (first,) = hospital.wait_ended()
    (old,) = [ds for ds in hospital.results() if kinds([ds]) == ["sr"]]
    hospital.send(views(patient, "L MLO"))
    second, first = hospital.wait_ended(2)
    assert (first["version"], second["version"]) == (1, 2)
    assert first["case_uuid"] == second["case_uuid"]
    assert (first["instances"], second["instances"]) == (1, 2)
    srs = [ds for ds in hospital.results() if kinds([ds]) == ["sr"]]
    assert len(srs) == 2
    named = [
        sop.ReferencedSOPInstanceUID
        for study in srs[1].PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for sop in series.ReferencedSOPSequence
    ]
    assert old.SOPInstanceUID in named
    words = [text(ds) for ds in hospital.results() if kinds([ds]) == ["text_sr"]]
    assert "supersedes version 1" not in words[0]
    assert "This result, version 2, supersedes version 1." in words[1]


def test_images_of_another_episode_are_not_used(hospital: Hospital) -> None:
    """A prior that was routed along is left out with its reason, and nothing is written into its study."""
    patient = hospital.patient(1)
    hospital.send([*views(patient, "L CC"), *views(patient, "L MLO", days_ago=700)])
    (case,) = hospital.wait_ended()
    (old,) = [i for i in story(hospital.agent, case["id"])["instances"] if not i["used"]]
    assert old["left_out"] == "taken long before the diagnosis: not of this episode"
    prior = views(patient, "L MLO", days_ago=700)[0].StudyInstanceUID
    assert prior not in {ds.StudyInstanceUID for ds in hospital.results()}


WAITING = {"cases": {"quiet_s": 0.5, "expect": ["MG"], "wait_for": {"MG": "1h"}}}


@pytest.mark.parametrize("changes", [WAITING])
def test_images_that_cannot_be_used_do_not_end_the_wait(hospital: Hospital) -> None:
    """The other breast and raw data alone leave the case waiting for its mammograms."""
    patient = hospital.patient(1)
    raw = views(patient, "L CC")
    for ds in raw:
        ds.PresentationIntentType = "FOR PROCESSING"
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2.1"
    hospital.send([*raw, *views(patient, "R CC")])
    wait_until(lambda: "MG is expected" in "".join(c["reason"] for c in hospital.agent.cases()), 20, "it does not wait")
    assert hospital.archive.instances() == []
    hospital.send(views(patient, "L MLO"))
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"


def test_blank_image_is_no_evidence(hospital: Hospital) -> None:
    """An image without contrast is left out with its reason; a report without images says so."""
    (blank,) = views(hospital.patient(1), "L CC")
    blank.PixelData = bytes(len(blank.PixelData))
    hospital.send([blank])
    (case,) = hospital.wait_ended()
    (told,) = story(hospital.agent, case["id"])["instances"]
    assert (told["used"], told["left_out"]) == (False, "the image is blank")
    assert case["summary"]["modalities_missing"] == ["MG", "US", "MR"]


def test_results_coming_back_start_nothing(hospital: Hospital) -> None:
    """The archive forwards everything to the agent, three rounds: one case, one version, nothing new."""
    hospital.send(views(hospital.patient(1)))
    hospital.wait_ended()
    for _ in range(3):
        hospital.send(hospital.results())
    wait_until(lambda: hospital.agent.status()["arrivals"].get("own") == 15, 30, "results were not recognised")
    (case,) = hospital.wait_ended()
    assert case["version"] == 1
    assert len(hospital.archive.instances()) == 5


def test_no_confirmed_cancer_is_dormant_until_the_biopsy_comes_back(hospital: Hospital) -> None:
    """Without a diagnosis nothing is sent; when it arrives, the case wakes and is answered."""
    patient = hospital.patient(1, in_ehr=False)
    hospital.send(views(patient))
    (case,) = hospital.wait_ended()
    assert case["state"] == "dormant"
    assert hospital.archive.instances() == []
    hospital.tell_ehr(patient)
    wait_until(lambda: [c["state"] for c in hospital.agent.cases()] == ["done"], 30, "the case did not wake")
    assert Counter(kinds(hospital.results())) == {"sr": 1, "text_sr": 1, "secondary_capture": 3}


def test_demonstration_bundle_gives_real_patients_no_number(hospital: Hospital) -> None:
    """A patient of an issuer that is not in demo_issuers gets no estimate: text SR and summary, no number."""
    patient = hospital.patient(1, issuer="REALHOSPITAL")
    hospital.send(views(patient))
    (case,) = hospital.wait_ended()
    assert Counter(kinds(hospital.results())) == {"text_sr": 1, "secondary_capture": 1}
    assert all(a.get("probability") is None for a in case["summary"]["answers"])
    words = text(hospital.results()[kinds(hospital.results()).index("text_sr")])
    assert "no estimate" in words.lower()
    assert not re.search(r"\d ?%", words)


def test_demonstration_bundle_gives_patients_of_the_sites_issuer_no_number(hospital: Hospital) -> None:
    """Images that name no issuer are of a real patient of the site: no estimate."""
    patient = hospital.patient(1, issuer="EXAMPLE")
    images = views(patient)
    for ds in images:
        del ds.IssuerOfPatientID
    hospital.send(images)
    (case,) = hospital.wait_ended()
    assert case["issuer"] == "EXAMPLE"
    assert Counter(kinds(hospital.results())) == {"text_sr": 1, "secondary_capture": 1}
    assert all(a.get("probability") is None for a in case["summary"]["answers"])


def test_archive_that_is_away_gets_the_results_later(hospital: Hospital) -> None:
    """While the PACS refuses, the outbox waits; afterwards every object arrives once."""
    hospital.archive.switches.refuse_first = 4
    hospital.send(views(hospital.patient(1)))
    (case,) = hospital.wait_ended()
    assert case["state"] == "done"
    assert sorted(Counter(hospital.archive.stores).values()) == [1] * 5


@pytest.mark.parametrize(
    "changes", [{"destinations": [{"name": "pacs", "ae_title": "PACS", "host": "127.0.0.1", "port": 1}]}]
)
def test_ingest_and_drain_do_not_need_the_archive(hospital: Hospital) -> None:
    """With no PACS at all images are taken, the case is answered, and SIGTERM ends the agent cleanly."""
    assert set(hospital.send(views(hospital.patient(1)))) == {0}
    wait_until(lambda: [c["state"] for c in hospital.agent.cases()] == ["delivering"], 40, "no answer was made")
    assert hospital.agent.stop() == 0
