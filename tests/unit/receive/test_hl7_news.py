"""What each kind of message says, and of whom."""

from datetime import UTC, date, datetime

import pytest

from agent.core.adt import PatientNews
from agent.core.demographics import Demographics
from agent.core.patient import PatientKey
from agent.receive import Hl7Rules
from tests.hl7_sender import adt, adt_a40, message, msh, pid
from tests.hl7_verdicts import ONE, P1, P2, TWO, accepted, keys, refused


@pytest.mark.parametrize("event", ["A01", "A04", "A08", "A28", "A31"])
def test_an_update_says_who_the_patient_is(event: str) -> None:
    """Key, name, birth date and sex; nobody is retired."""
    (news,) = accepted(adt(event))
    said = Demographics("Doe^Jane", date(1961, 2, 3), "F")
    assert news == PatientNews("M1", event, datetime(2026, 11, 20, 8, 30, tzinfo=UTC), P1, None, said)


@pytest.mark.parametrize("event", ["A40", "A47"])
def test_a_merge_retires_one_identifier_for_another(event: str) -> None:
    """MRG-1 is the old one, PID-3 the one that stays."""
    (news,) = accepted(adt_a40((TWO, ONE), event=event))
    assert (news.event, news.retired, news.patient) == (event, P1, P2)
    assert news.demographics.name == "Doe^Jane"


def test_one_merge_may_hold_several_pairs() -> None:
    """Each PID goes with the MRG behind it."""
    raw = adt_a40((TWO, ONE), ("P4^^^HOSP^MR", "P3^^^HOSP^MR"))
    assert [(old and old.patient_id, new.patient_id) for old, new in keys(raw)] == [("P1", "P2"), ("P3", "P4")]


def test_results_of_other_systems_are_news_of_their_patients() -> None:
    """Any message with a PID says that something may have changed: one piece of news a patient."""
    raw = message(msh("ORU^R01^ORU_R01"), pid(ONE), "OBR|1", "OBX|1|NM|PID|", pid(TWO), pid(ONE))
    assert [(news.event, news.patient) for news in accepted(raw)] == [("R01", P1), ("R01", P2)]
    assert accepted(message(msh("OML^O21"), pid(ONE)))[0].event == "R01"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"sent": "20620101090000"}, "EVN-2"),
        ({"occurred": "20261120104100"}, "EVN-6"),
        ({"occurred": "2062", "sent": "20261120104100"}, "EVN-2"),
    ],
)
def test_news_of_the_future_is_refused(changes: dict[str, str], place: str) -> None:
    """The latest news wins: such a message would win for ever, and be undone by nobody."""
    assert refused(adt("A08", **changes)) == ("AE", f"{place} lies in the future: check the clock")


def test_a_merge_in_the_future_is_refused() -> None:
    """Wherever its time stands."""
    raw = message(msh("ADT^A40", sent="20620101090000"), pid(TWO), f"MRG|{ONE}")
    assert refused(raw) == ("AE", "MSH-7 lies in the future: check the clock")


def test_a_clock_may_be_a_little_ahead() -> None:
    """Ten minutes."""
    assert len(accepted(adt("A08", sent="20261120104000"))) == 1


@pytest.mark.parametrize("event", ["A24", "A34", "A37", "A43", "Z99"])
def test_other_events_are_rejected_by_name(event: str) -> None:
    """Those that change identifiers in other ways must not pass unnoticed."""
    assert refused(adt(event)) == ("AR", f"event type {event} is not handled")


def test_what_came_in_place_of_a_code_is_not_quoted() -> None:
    """A reason never holds a value that might be a patient's."""
    assert refused(adt("Doe Jane")) == ("AR", "this event type is not handled")
    assert refused(message(msh("ACK"), "MSA|AA|1")) == ("AR", "message type ACK is not handled")
    assert refused(message(msh("Jane"), "MSA|AA|1")) == ("AR", "this message type is not handled")


def test_an_event_may_stand_in_evn_alone() -> None:
    """Old senders leave MSH-9.2 out."""
    raw = message(msh("ADT"), "EVN|A31|20261120", pid(ONE))
    assert accepted(raw)[0].event == "A31"
    assert refused(message(msh("ADT"), pid(ONE))) == ("AR", "this event type is not handled")


@pytest.mark.parametrize(
    ("pid_3", "issuer", "patient_id"),
    [
        ("P1^^^HOSP^MR", "EXAMPLE", "P1"),
        ("P1^^^X&1.2.3&ISO^PI", "LAB", "P1"),
        ("P1^^^OTHER^MR", "OTHER", "P1"),
        ("P1^^^&9.9&ISO^MR", "9.9", "P1"),
        ("P1", "SITE", "P1"),
        ('""~P1^^^HOSP^MR', "EXAMPLE", "P1"),
        ("V^^^HOSP^VN~N^^^HOSP^SS~P1^^^HOSP^PI", "EXAMPLE", "P1"),
        ("A^^^HOSP~B^^^HOSP^PT~C^^^HOSP^PI~P1^^^HOSP^MR", "EXAMPLE", "P1"),
        ("A^^^OTHER^MR~P1^^^HOSP^PI", "EXAMPLE", "P1"),
        ("P1^^^HOSP^MR~B^^^X&1.2.3^MR", "EXAMPLE", "P1"),
        ("P1^^^HOSP^MR~P1^^^HOSP^MR", "EXAMPLE", "P1"),
        ("OLD^^^HOSP^MR^^20200101^20261119~P1^^^HOSP^MR^^^20261120", "EXAMPLE", "P1"),
        ("P\\T\\1^^^HOSP^MR", "EXAMPLE", "P&1"),
    ],
)
def test_one_identifier_is_chosen(pid_3: str, issuer: str, patient_id: str) -> None:
    """The site's own authorities before others, then by type, then as they stand; visits and expired ones never."""
    assert keys(adt("A08", pid_3)) == [(None, PatientKey(issuer, patient_id))]


@pytest.mark.parametrize("pid_3", ["", '""', "V^^^HOSP^VN", "^^^HOSP^MR", "P1\\X00\\^^^HOSP^MR", "P1^^^^AN"])
def test_a_message_without_an_identifier_is_an_error(pid_3: str) -> None:
    """It says where, and not what stood there."""
    assert refused(adt("A08", pid_3)) == (
        "AE",
        "PID-3 holds no identifier of a patient whose assigning authority is known",
    )


def test_without_an_issuer_of_the_site_an_identifier_alone_names_nobody() -> None:
    """Neither in PID-3 nor in MRG-1."""
    assert refused(adt("A08", "P1^^^^MR"), Hl7Rules())[1].startswith("PID-3 holds no identifier")
    assert refused(adt_a40((TWO, "P1")), Hl7Rules())[1].startswith("MRG-1 holds no identifier")


def test_two_equally_good_identifiers_are_an_error() -> None:
    """Nothing is guessed."""
    what = "PID-3 holds two identifiers of the same authority and type"
    assert refused(adt("A08", f"{ONE}~{TWO}")) == ("AE", what)
    assert refused(adt_a40((f"{TWO}~P3^^^HOSP^MR", ONE))) == ("AE", what)


def test_a_site_chooses_which_types_identify_its_patients() -> None:
    """A national number may be the Patient ID."""
    rules = Hl7Rules(identifier_types=("NI",))
    assert keys(adt("A08", "P^^^HOSP^MR~N^^^NHS^NI"), rules) == [(None, PatientKey("NHS", "N"))]


@pytest.mark.parametrize(
    ("pid_3", "mrg_1", "retired", "stays"),
    [
        (f"{TWO}~L2^^^X&1.2.3^PI", f"L1^^^X&1.2.3^PI~{ONE}", ["P1", "L1"], ["P2", "L2"]),
        (f"{TWO}~{ONE}", ONE, ["P1"], ["P2"]),
        (TWO, f"{ONE}~P3^^^HOSP^MR", ["P1", "P3"], ["P2", "P2"]),
        (TWO, f"{ONE}~Z^^^OTHER^MR", ["P1"], ["P2"]),
        (TWO, f"{ONE}~{ONE}~Q^^^HOSP^PI", ["P1"], ["P2"]),
        (TWO, f"{ONE}^^20200101^20200102", ["P1"], ["P2"]),
        (TWO, "P1^^^HOSP", ["P1"], ["P2"]),
        (f"P2^^^HOSP~{ONE}", ONE, ["P1"], ["P2"]),
        (f"{TWO}~Q2^^^HOSP^PI", "Q1^^^HOSP^PI", ["Q1"], ["Q2"]),
    ],
)
def test_an_identifier_gives_way_to_one_of_its_authority(
    pid_3: str, mrg_1: str, retired: list[str], stays: list[str]
) -> None:
    """Several authorities merge in one message; what PID-3 repeats of MRG-1 does not survive."""
    found = keys(adt_a40((pid_3, mrg_1)))
    assert [(old and old.patient_id, new.patient_id) for old, new in found] == list(zip(retired, stays, strict=True))


def test_a_merge_into_itself_is_an_error() -> None:
    """The retired one cannot survive."""
    assert refused(adt_a40((ONE, ONE))) == ("AE", "MRG-1 retires the identifier that PID-3 says survives")
    assert refused(adt_a40(("", ONE)))[1].startswith("PID-3 holds no identifier")


@pytest.mark.parametrize("mrg_1", ["Z^^^OTHER^MR", "Z^^^OTHER^MR~Y^^^&1.2.3^MR", "Z^^^HOSP^PI", "Z"])
def test_a_merge_between_authorities_or_types_is_an_error(mrg_1: str) -> None:
    """Numbers of different kinds may be the same and mean two people."""
    what = "MRG-1 and PID-3 hold no identifiers of the same authority and type"
    assert refused(adt_a40((TWO, mrg_1))) == ("AE", what)


@pytest.mark.parametrize(
    "segments",
    [
        [pid(ONE)],
        ["MRG|P1"],
        [pid(ONE), pid(TWO), "MRG|P3"],
        [pid(ONE), "MRG|P3^^^HOSP^MR", "MRG|P4"],
        [pid(ONE), "MRG|P3^^^HOSP^MR", pid(TWO)],
    ],
)
def test_a_merge_needs_its_pairs(segments: list[str]) -> None:
    """One bad pair, and nothing of the message is used."""
    outcome, why = refused(message(msh("ADT^A40"), "EVN||20261120", *segments))
    assert outcome == "AE"
    assert why in ("each PID of a merge needs one MRG behind it", "there is no PID segment")
