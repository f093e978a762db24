"""Which results say that a radiologist has read a study, and which one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.reads import Read, reads_from_json
from agent.receive.hl7_reads import NOT_IMAGING
from agent.receive.hl7_verdict import judge
from tests.hl7_sender import message, msh, pid
from tests.hl7_verdicts import NOW, ONE, P1, P2, RULES, TWO, refused
from tests.reading import obr, oru, zds

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def reads(raw: bytes) -> list[Read]:
    """Return what an accepted message says of reports."""
    verdict = judge(raw, RULES, NOW)
    assert verdict.fault is None, str(verdict.fault)
    assert reads_from_json(verdict.meta()["reads"]) == verdict.reads
    return list(verdict.reads)


def test_a_final_result_names_the_study() -> None:
    """By ZDS, with the order, the time and the message that say so."""
    assert reads(oru(obr(accession="A1"), zds("1.2.3"))) == [Read(P1, "F1", "1.2.3", "A1", AT, "M1")]


@pytest.mark.parametrize("code", ["113014^DICOM Study^DCM", "110180^Study Instance UID^DCM"])
def test_an_observation_may_name_the_study(code: str) -> None:
    """As IHE has it, also behind others that are not read."""
    (said,) = reads(oru(obr(), "OBX|1|TX|LN^x||" + "text " * 50000, f"OBX|2|HD|{code}||1.2.3||||||F"))
    assert said.study_instance_uid == "1.2.3"


@pytest.mark.parametrize("obx", ["OBX|1|HD", "OBX|1|TX|18748-4^Report^LN||1.2.3", "OBX|1|HD|113014^Study^DCM||no UID"])
def test_other_observations_name_none(obx: str) -> None:
    """What is no UID, or something else."""
    (said,) = reads(oru(obr(), obx))
    assert said.study_instance_uid == ""


def test_a_report_may_be_of_several_studies() -> None:
    """Each was read; each named once."""
    said = reads(oru(obr(), zds("1.2", "1.3"), zds("1.2")))
    assert [one.study_instance_uid for one in said] == ["1.2", "1.3"]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("F", [True]),
        ("C", [True]),
        ("X", [False]),
        ("D", [False]),
        *((s, []) for s in ("P", "R", "A", "S", "I", "O", "")),
    ],
)
def test_only_a_final_status_counts(status: str, said: list[bool]) -> None:
    """Cancelled and deleted ones take it back; preliminary ones say nothing."""
    assert [one.is_final for one in reads(oru(obr(status), zds("1.2")))] == said


@pytest.mark.parametrize(("order", "said"), [("F", [True]), ("X", [False]), ("CM", []), ("IP", [])])
def test_an_order_may_have_the_status(order: str, said: list[bool]) -> None:
    """Where OBR-25 is empty; a completed order is an examination that was made, not one that was read."""
    assert [one.is_final for one in reads(oru(f"ORC|RE||||{order}", obr(""), zds("1.2")))] == said


def test_the_status_of_a_result_goes_before_that_of_its_order() -> None:
    """And an order's holds for the result behind it alone."""
    assert reads(oru("ORC|RE||||F", obr("P"))) == []
    assert len(reads(oru("ORC|RE||||F", obr(""), obr("", filler="F2")))) == 1


@pytest.mark.parametrize(
    ("fields", "report_id", "accession"),
    [
        ({"filler": "F1^RIS", "placer": "P1", "accession": "A1"}, "F1", "A1"),
        ({"filler": "F1"}, "F1", "F1"),
        ({"filler": "", "placer": "P1"}, "P1", ""),
        ({"filler": "", "accession": "A1"}, "A1", "A1"),
    ],
)
def test_a_report_has_a_number_and_its_order_another(fields: dict[str, str], report_id: str, accession: str) -> None:
    """OBR-3, else OBR-2, else the accession number: OBR-18, else OBR-3."""
    (said,) = reads(oru(obr(**fields)))
    assert (said.report_id, said.accession_number) == (report_id, accession)


def test_a_study_alone_is_enough() -> None:
    """What has no number at all and names no study is nothing."""
    (said,) = reads(oru(obr(filler=""), zds("1.2")))
    assert (said.report_id, said.study_instance_uid) == ("1.2", "1.2")
    assert reads(oru(obr(filler=""))) == []
    assert reads(oru(obr(filler="F\\X0a\\1"))) == []


def test_each_result_is_of_the_patient_before_it() -> None:
    """And of the studies behind it, up to the next order."""
    raw = message(
        msh("ORU^R01"), zds("9.9"), obr(filler="F0"), pid(ONE), zds("9.9"), obr(), zds("1.2"), "ORC|RE", zds("9.9"),
        obr(filler="F2"), pid(TWO), zds("9.9"), obr(filler="F3"),
    )  # fmt: skip
    found = [(one.patient, one.report_id, one.study_instance_uid) for one in reads(raw)]
    assert found == [(P1, "F1", "1.2"), (P1, "F2", ""), (P2, "F3", "")]


@pytest.mark.parametrize("section", sorted(NOT_IMAGING))
def test_no_radiologist_writes_the_results_of_a_laboratory(section: str) -> None:
    """Their numbers may be those of other orders."""
    assert reads(oru(obr(section=section), zds("1.2"))) == []


@pytest.mark.parametrize("section", ["", "RAD", "RUS", "NMR", "MG"])
def test_any_other_section_may_be_one_of_imaging(section: str) -> None:
    """Sites have words of their own."""
    assert len(reads(oru(obr(section=section), zds("1.2")))) == 1


@pytest.mark.parametrize("kind", ["ORM^O01", "OMI^O23", "ORU^R30", "MDM^T02", "ADT^A08"])
def test_other_messages_say_nothing_of_reports(kind: str) -> None:
    """An order has the same segments."""
    assert reads(message(msh(kind), pid(ONE), obr(), zds("1.2"))) == []


def test_a_message_type_without_an_event_is_understood() -> None:
    """Some senders leave it out."""
    assert len(reads(message(msh("ORU"), pid(ONE), obr(), zds("1.2")))) == 1


def test_what_is_read_of_results_is_bounded() -> None:
    """A laboratory's hundreds of results are none; what says too much is refused, not cut."""
    assert reads(oru(*[obr(section="LAB") + "|" * 300 for _ in range(900)])) == []
    assert refused(oru(*[obr(filler="F" * 1000) for _ in range(300)])) == (
        "AE",
        "ORC, OBR and ZDS hold more than 262144 characters",
    )
    assert refused(oru(*[obr(filler=f"F{n}") for n in range(900)])) == (
        "AE",
        "OBR and ZDS say more than one record can hold",
    )


def test_a_long_text_is_no_reason_to_refuse() -> None:
    """Of OBR no more is read than is needed."""
    assert len(reads(oru(obr() + "|" + "x" * 300000, zds("1.2")))) == 1


@given(st.lists(st.text(alphabet="OBRZDSXC|^~\\&.0123456789F", max_size=40), max_size=6))
def test_no_result_breaks_a_message(lines: list[str]) -> None:
    """Whatever stands in it, there is an answer, and what is said survives being written."""
    for verdict in (judge(oru(*lines), RULES, NOW), judge(oru(*(f"OBR|{line}" for line in lines)), RULES, NOW)):
        assert reads_from_json(verdict.meta()["reads"]) == verdict.reads


def test_without_a_section_only_a_named_study_is_read() -> None:
    """A number alone may be another department's; what takes a report back may be as terse as it is."""
    assert reads(oru(obr(section="", accession="A1"))) == []
    assert len(reads(oru(obr(section="", accession="A1"), zds("1.2")))) == 1
    assert [one.is_final for one in reads(oru(obr("X", section="", accession="A1")))] == [False]
