"""Reports of radiologists among what arrives: the results that waited for them are let go."""

from dataclasses import replace
from itertools import permutations
from pathlib import Path
from types import MappingProxyType

import pytest

from agent.assemble.index import Reading
from agent.assemble.readings import read_by_word
from agent.core.adt import PatientNews
from agent.core.case import CaseEvent
from agent.core.errors import Permanent
from agent.core.instance import End
from agent.core.patient import PatientKey
from agent.core.ports import OutboxStatus, RecordKind
from agent.core.release import wait_for_report
from agent.core.result import Kind
from agent.dicom.reports import is_report
from agent.receive.hl7_settings import Hl7Rules
from agent.receive.hl7_verdict import judge
from tests.builders import result
from tests.fakes.instances import mammogram, uid
from tests.indexing import ALICE, House
from tests.reading import obr, oru, report, zds
from tests.state_stores import result_object

HELD, WAITING = OutboxStatus.AWAITING_REPORT, OutboxStatus.WAITING
RULES = Hl7Rules(issuers={"HOSP": "PHANTOM"})
TEXT = replace(result_object("2.25.1", Kind.TEXT_SR, ""), study_instance_uid=uid("study"))


class Site(House):
    """A house whose results wait."""

    def __post_init__(self) -> None:
        super().__post_init__()
        reading = self.indexer._reading
        self.indexer._reading = Reading(reading.header, reading.part10, reading.same_pixels, is_report)

    def tell_result(self, raw: bytes) -> None:
        """Spool an HL7 message as the receiver does."""
        verdict = judge(raw, RULES, self.clock())
        assert verdict.fault is None, str(verdict.fault)
        self.spool.add(RecordKind.HL7, verdict.meta(), raw)

    def take_in(self) -> None:
        """Index everything that is new."""
        while self.indexer.tick():
            pass

    def answer(self) -> None:
        """Answer Alice's case and keep it until it was read."""
        case = self.move(CaseEvent.COMPLETE, CaseEvent.CLAIMED)
        said = replace(result(), made_at=self.clock(), predecessors=MappingProxyType({}))
        with self.store.unit() as unit:
            unit.alone()
            saved = unit.save_result(case, self.clock(), {}, {"pacs": [TEXT]})
            wait_for_report(unit, saved, said, [TEXT])

    def standing(self) -> list[OutboxStatus]:
        """Where the items of the newest version stand."""
        with self.store.unit() as unit:
            return [item.status for item in unit.outbox_of(self.cases()[-1].id)]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An empty one."""
    return Site(tmp_path)


def final(patient: str = "P-1^^^HOSP^MR", status: str = "F", **more: str) -> bytes:
    """Return a message with the report of Alice's study."""
    return oru(obr(status), zds(uid("study")), patient_id=patient, sent="20261120080000", **more)


@pytest.mark.parametrize(
    "order", [o for o in permutations(["image", "read", "result"]) if o.index("image") < o.index("result")]
)
@pytest.mark.parametrize("by", ["object", "message"])
def test_the_read_may_come_whenever_it_comes(site: Site, by: str, order: tuple[str, ...]) -> None:
    """Before the images, before the result or after it, once or again: the same in the end."""
    read = (lambda: site.send(report())) if by == "object" else (lambda: site.tell_result(final()))
    steps = {"image": lambda: site.send(mammogram(AccessionNumber="A1")), "read": read, "result": site.answer}
    for step in order:
        steps[step]()
        site.take_in()
        if step == "result" and "read" in order[order.index("result") :]:
            assert site.standing() == [HELD]
    assert site.standing() == [WAITING]
    read()
    site.take_in()
    assert site.standing() == [WAITING]
    assert len(site.cases()) == 1


def waiting(site: Site) -> Site:
    """Let a result wait."""
    site.send(mammogram(AccessionNumber="A1"))
    site.take_in()
    site.answer()
    assert site.standing() == [HELD]
    return site


def test_the_number_of_the_order_is_enough(site: Site) -> None:
    """Of the same patient."""
    waiting(site).tell_result(oru(obr(accession="A1"), patient_id="P-2^^^HOSP^MR", sent="20261120080000"))
    site.take_in()
    assert site.standing() == [HELD]
    site.tell_result(oru(obr(accession="A1"), patient_id="P-1^^^HOSP^MR", sent="20261120080000"))
    site.take_in()
    assert site.standing() == [WAITING]


@pytest.mark.parametrize(
    "changes",
    [
        {"VerificationFlag": "UNVERIFIED"},
        {"StudyInstanceUID": uid("another")},
        {"PatientID": "P-2"},
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.59"},
        {"title": ("126000", "DCM")},
    ],
)
def test_another_object_lets_nothing_go(site: Site, changes: dict[str, object]) -> None:
    """Machines' reports, other studies and other patients."""
    waiting(site).send(report(**changes))  # type: ignore[arg-type]
    site.take_in()
    assert site.standing() == [HELD]
    assert site.ends()[-1] is End.NOT_RELEVANT


def test_our_own_objects_are_no_read(site: Site) -> None:
    """Whatever somebody wrote into one that comes back."""
    waiting(site).send(report(SOPInstanceUID=TEXT.sop_instance_uid))
    site.take_in()
    assert site.ends()[-1] is End.OWN
    assert site.standing() == [HELD]


def test_a_damaged_report_is_no_read(site: Site) -> None:
    """It is kept, for somebody to look at."""
    waiting(site).send(report(SeriesInstanceUID=None))
    site.take_in()
    assert site.ends()[-1] is End.QUARANTINED
    assert site.standing() == [HELD]


def test_a_cancelled_report_takes_it_back(site: Site) -> None:
    """Until the next one; a preliminary one says nothing."""
    waiting(site)
    for raw, standing in [
        (final(status="P"), HELD),
        (final(), WAITING),
        (final(status="P", control_id="M2"), WAITING),
        (final(status="X", control_id="M3"), HELD),
        (final(), HELD),
        (final(status="C", control_id="M4"), WAITING),
    ]:
        site.tell_result(raw)
        site.take_in()
        assert site.standing() == [standing]


def test_a_merge_makes_a_report_the_patients(site: Site) -> None:
    """It came under a number that is retired later."""
    waiting(site).tell_result(final("P-0^^^HOSP^MR"))
    site.take_in()
    assert site.standing() == [HELD]
    site.tell(PatientNews("M9", "A40", site.clock(), ALICE, PatientKey("PHANTOM", "P-0")))
    site.take_in()
    assert site.standing() == [WAITING]


def test_records_of_an_earlier_version_say_nothing_of_reports(site: Site) -> None:
    """Their meta has no such text."""
    waiting(site).tell(PatientNews("M1", "R01", site.clock(), ALICE))
    site.take_in()
    assert site.standing() == [HELD]


def test_of_one_minute_the_report_that_came_last_counts(site: Site) -> None:
    """Whatever the messages are called; the same message once more changes nothing."""
    waiting(site).tell_result(final(status="X", control_id="MSG9"))
    site.tell_result(final(status="F", control_id="MSG10"))
    site.tell_result(final(status="X", control_id="MSG9"))
    site.take_in()
    assert site.standing() == [WAITING]
    site.tell_result(final(status="X", control_id="MSG1"))
    site.take_in()
    assert site.standing() == [HELD]


def test_a_person_may_say_that_the_study_was_read(site: Site) -> None:
    """What waits leaves and is not held back again; it is kept who said so."""
    case = waiting(site).cases()[-1]
    after = read_by_word(site.store, case.id, "Dr Example (login x)", site.clock())
    assert after.id == case.id
    assert site.standing() == [WAITING]
    site.tell_result(final(status="X"))
    site.take_in()
    assert site.standing() == [WAITING]
    with site.store.unit() as unit:
        assert "Dr Example (login x)" in {one.source_id for one in unit.reads(uid("study"), "")}


def test_what_does_not_wait_is_not_released_by_a_person(site: Site) -> None:
    """Neither a case that there is not, nor one that was released, nor one whose answer is not there."""
    with pytest.raises(Permanent, match="there is no case 99"):
        read_by_word(site.store, 99, "x", site.clock())
    case = waiting(site).cases()[-1]
    read_by_word(site.store, case.id, "x", site.clock())
    with pytest.raises(Permanent, match="is delivering and waits for no report"):
        read_by_word(site.store, case.id, "x", site.clock())
