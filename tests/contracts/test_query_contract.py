"""What every PACS that is asked must do: the fake one, our small archive and Orthanc, behind the real client."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from itertools import count
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from agent.core.errors import Permanent, Unreachable
from agent.core.pacs import Listed, PacsQuery, StudyMatch
from agent.core.patient import PatientKey
from agent.dimse.association import Peer
from agent.dimse.find import Bounds, PacsFinder
from demo.archive import Archive as OwnArchive
from demo.orthanc import Orthanc
from demo.pacs_process import free_port
from tests.archives import AGENT, QUICK, client
from tests.fakes.instances import MAMMOGRAM, mammogram, uid
from tests.fakes.pacs import UNSTATED, FakeQuery
from tests.peers import program

SR = "1.2.840.10008.5.1.4.1.1.88.34"
SINCE, UNTIL = date(2026, 8, 1), date(2026, 11, 20)
_numbers = count(1)


@dataclass
class Subject:
    """A PACS that is asked, and a way to put objects in."""

    query: PacsQuery
    hold: Callable[[Dataset], object]
    most: Callable[[int, int], PacsQuery]  # the same with other bounds


def part10(ds: Dataset) -> bytes:
    """Encode a file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def finder(ae_title: str, port: int, bounds: Bounds | None = None) -> PacsFinder:
    """Return the agent's finder for a PACS on loopback."""
    return PacsFinder(Peer(AGENT, ae_title, "127.0.0.1", port, QUICK, 131072), UNSTATED, bounds=bounds)


def _fake_with(fake: FakeQuery, studies: int, instances: int) -> FakeQuery:
    return FakeQuery(fake.held, most_studies=studies, most_instances=instances)


@contextmanager
def fake(folder: Path) -> Iterator[Subject]:
    """A PACS in memory."""
    made = FakeQuery()
    yield Subject(made, made.hold, lambda s, i: _fake_with(made, s, i))


def _real(ae_title: str, port: int) -> Subject:
    def hold(ds: Dataset) -> None:
        assert [o.status for o in client(ae_title, port).store([part10(ds)])] == [0]

    return Subject(finder(ae_title, port), hold, lambda s, i: finder(ae_title, port, Bounds(s, i)))


@contextmanager
def own(folder: Path) -> Iterator[Subject]:
    """The demo's small archive; it says no Modalities in Study."""
    with OwnArchive("ARCHIVE", folder / "files") as archive:
        yield _real("ARCHIVE", archive.port)


@contextmanager
def orthanc(folder: Path) -> Iterator[Subject]:
    """Orthanc; skips where it is not installed."""
    program("Orthanc")
    made = Orthanc(folder / "orthanc", "ORTHANC", free_port(), {AGENT: ("127.0.0.1", free_port())})
    made.start()
    try:
        yield _real("ORTHANC", made.port)
    finally:
        made.kill()


SUBJECTS = {"fake": fake, "own": own, "orthanc": orthanc}


@pytest.fixture(scope="module", params=list(SUBJECTS))
def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subject]:
    """A PACS of each sort, one for all tests of the module."""
    with SUBJECTS[request.param](tmp_path_factory.mktemp(request.param)) as made:
        yield made


class Patient:
    """A patient of a test's own, and her objects."""

    def __init__(self, hold: Callable[[Dataset], object]) -> None:
        self.key = PatientKey("PHANTOM", f"P-{next(_numbers)}")
        self._hold = hold

    def study(self, name: str) -> str:
        """Return the UID of one of her studies."""
        return uid(f"{self.key.patient_id} {name}")

    def has(self, study: str, series: str = "1", name: str = "1", **attributes: object) -> Dataset:
        """Put an object of hers into the PACS."""
        path = f"{self.key.patient_id} {study} {series}"
        said: dict[str, object] = {
            "PatientID": self.key.patient_id,
            "IssuerOfPatientID": "PHANTOM",
            "StudyInstanceUID": self.study(study),
            "SeriesInstanceUID": uid(path),
            "StudyDate": "20261101",
            **attributes,
        }
        ds = mammogram(f"{path} {name}", **said)
        self._hold(ds)
        return ds


@pytest.fixture
def alice(subject: Subject) -> Patient:
    """A patient that no other test has."""
    return Patient(subject.hold)


def studies(subject: Subject, patient: PatientKey, *modalities: str) -> list[str]:
    """Which studies are listed."""
    found = subject.query.studies(patient, modalities or ("MG", "US", "MR"), SINCE, UNTIL)
    return sorted(study.study_instance_uid for study in found)


def test_a_patient_studies_are_listed(subject: Subject, alice: Patient) -> None:
    """Each once, with its day."""
    for name in ("1", "2"):
        alice.has("here", name=name)
    (found,) = subject.query.studies(alice.key, ("MG",), SINCE, UNTIL)
    assert found in (
        StudyMatch(alice.study("here"), frozenset({"MG"}), date(2026, 11, 1)),
        StudyMatch(alice.study("here"), frozenset(), date(2026, 11, 1)),
    )


def test_studies_of_other_days_are_not(subject: Subject, alice: Patient) -> None:
    """The first and the last day count."""
    for day in ("20260731", "20260801", "20261120", "20261121"):
        alice.has(day, StudyDate=day)
    assert studies(subject, alice.key) == sorted([alice.study("20260801"), alice.study("20261120")])


def test_nobody_else_is_listed(subject: Subject, alice: Patient) -> None:
    """The same Patient ID of another issuer is another patient, and a wildcard is a letter."""
    alice.has("hers")
    alice.has("another's", IssuerOfPatientID="ELSEWHERE")
    assert studies(subject, alice.key) == [alice.study("hers")]
    assert studies(subject, PatientKey("ELSEWHERE", alice.key.patient_id)) == [alice.study("another's")]
    for wild in ("*", "P*", "P-?", f"{alice.key.patient_id}*", ""):
        assert studies(subject, PatientKey("PHANTOM", wild)) == []


def test_an_issuer_that_is_not_stated_is_the_site(subject: Subject, alice: Patient) -> None:
    """A study whose objects name no issuer is of the patient of the site's issuer, and of nobody else."""
    alice.has("unsaid", IssuerOfPatientID=None)
    assert studies(subject, PatientKey(UNSTATED, alice.key.patient_id)) == [alice.study("unsaid")]
    assert studies(subject, alice.key) == []


def test_a_patient_id_of_other_letters_is_found(subject: Subject) -> None:
    """The query says its character set."""
    bob = Patient(subject.hold)
    bob.key = PatientKey("PHANTOM", "ÄÖ-1")
    bob.has("here", SpecificCharacterSet="ISO_IR 192")
    assert studies(subject, bob.key) == [bob.study("here")]


def test_the_instances_of_a_study_are_listed(subject: Subject, alice: Patient) -> None:
    """By series of the modalities asked, each with its class; other studies and series are not."""
    alice.has("here", "1", "a")
    alice.has("here", "1", "b")
    alice.has("here", "2", "c", Modality="US", SOPClassUID="1.2.840.10008.5.1.4.1.1.6.1")
    alice.has("here", "3", "d", Modality="SR", SOPClassUID=SR)
    alice.has("elsewhere", "4", "e")
    key = alice.key.patient_id
    mg = [Listed(uid(f"{key} here 1"), "MG", MAMMOGRAM, uid(f"{key} here 1 {n}")) for n in "ab"]
    us = Listed(uid(f"{key} here 2"), "US", "1.2.840.10008.5.1.4.1.1.6.1", uid(f"{key} here 2 c"))

    def listed(*modalities: str) -> set[Listed]:
        found = subject.query.instances(alice.study("here"), modalities)
        assert len(found) == len(set(found))
        return set(found)

    assert listed("MG") == set(mg)
    assert listed("MG", "US", "MR") == {*mg, us}
    assert listed("MR") == listed() == set()
    assert subject.query.instances("2.25.404", ("MG",)) == []


def test_too_many_are_refused(subject: Subject, alice: Patient) -> None:
    """One more than the bound is too many, the bound itself is not."""
    for name in "abc":
        alice.has(name)
        alice.has("a", "1", name)
    assert len(subject.most(3, 9).studies(alice.key, ("MG",), SINCE, UNTIL)) == 3
    with pytest.raises(Permanent, match="too many"):
        subject.most(2, 9).studies(alice.key, ("MG",), SINCE, UNTIL)
    assert len(subject.most(9, 4).instances(alice.study("a"), ("MG",))) == 4
    with pytest.raises(Permanent, match="too many"):
        subject.most(9, 2).instances(alice.study("a"), ("MG",))


@pytest.mark.parametrize("sort", ["fake", "nobody listens"])
def test_a_pacs_that_is_not_there_is_unreachable(sort: str) -> None:
    """Both questions say so, as the fake does."""
    query: PacsQuery = FakeQuery(down=True) if sort == "fake" else finder("NOBODY", free_port())
    with pytest.raises(Unreachable):
        query.studies(PatientKey("PHANTOM", "P-1"), ("MG",), SINCE, UNTIL)
    with pytest.raises(Unreachable):
        query.instances("1.2.3", ("MG",))
