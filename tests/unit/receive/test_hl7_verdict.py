"""What each kind of message says, and why others are not accepted."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.adt import PatientNews, news_from_json
from agent.core.demographics import Demographics
from agent.core.patient import PatientKey
from agent.receive import Hl7Rules
from agent.receive.hl7_ack import acknowledge
from agent.receive.hl7_fault import Outcome
from agent.receive.hl7_verdict import Verdict, judge
from tests.hl7_sender import adt, adt_a08, adt_a40, fields, message, msh, pid

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RULES = Hl7Rules(issuers={"HOSP": "EXAMPLE", "1.2.3": "LAB"}, site_issuer="SITE", zone=ZoneInfo("Europe/Berlin"))
P1, P2 = PatientKey("EXAMPLE", "P1"), PatientKey("EXAMPLE", "P2")
ONE, TWO = "P1^^^HOSP^MR", "P2^^^HOSP^MR"


def accepted(raw: bytes, rules: Hl7Rules = RULES) -> list[PatientNews]:
    """Return the news of a message that must be accepted."""
    verdict = judge(raw, rules)
    assert verdict.fault is None, str(verdict.fault)
    assert news_from_json(verdict.meta()["news"]) == verdict.news
    return list(verdict.news)


def refused(raw: bytes, rules: Hl7Rules = RULES) -> tuple[str, str]:
    """Return the outcome and the reason of a message that must not be accepted."""
    verdict = judge(raw, rules)
    assert verdict.fault is not None
    assert verdict.meta()["news"] == "[]"
    return verdict.outcome.value, str(verdict.fault)


def answer(raw: bytes, rules: Hl7Rules = RULES) -> bytes | None:
    """Return the acknowledgement of a message."""
    return acknowledge(judge(raw, rules), NOW, "ACK1")


def keys(raw: bytes, rules: Hl7Rules = RULES) -> list[tuple[PatientKey | None, PatientKey]]:
    """Return (retired, patient) of each piece of news."""
    return [(news.retired, news.patient) for news in accepted(raw, rules)]


def name_of(name: str, *, aliases: str = "", charset: str = "", codec: str = "ascii") -> tuple[str, Sequence[str]]:
    """Return the name and the other names that a message with this PID-5 (and PID-9) gives."""
    others = {5: name, 9: aliases} if aliases else {5: name}
    raw = message(msh("ADT^A08", charset=charset), pid(ONE, others), charset=codec)
    (news,) = accepted(raw)
    return news.demographics.name, news.other_names


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


# -- identifiers


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


# -- time, names, sex


@pytest.mark.parametrize(
    ("occurred", "recorded", "sent", "told"),
    [
        ("20261119080000", "20261119090000", "20261119100000", "2026-11-19T07:00:00+00:00"),
        ("", "20261119090000", "20261119100000", "2026-11-19T08:00:00+00:00"),
        ("", "", "20260719100000.25", "2026-07-19T08:00:00.250000+00:00"),
        ("20261119", "2026111909", "202611191000", "2026-11-19T09:00:00+00:00"),
        ("202611191000-0500", "", "20261119100000", "2026-11-19T15:00:00+00:00"),
        ("202611191000", "", "20261119100000+0000", "2026-11-19T10:00:00+00:00"),
        ("20261399080000", "x", "20261119100000+0530", "2026-11-19T04:30:00+00:00"),
        ("000101010000+2300", "202611191000+9900", "20261119100000", "2026-11-19T09:00:00+00:00"),
    ],
)
def test_news_is_dated_by_its_event(occurred: str, recorded: str, sent: str, told: str) -> None:
    """EVN-6, else EVN-2, else MSH-7, to the minute; without an offset that of MSH-7, else the site's zone."""
    raw = message(msh("ADT^A08", sent=sent), f"EVN||{recorded}||||{occurred}", pid(ONE))
    assert accepted(raw)[0].sent_at == datetime.fromisoformat(told)


def test_a_message_without_a_time_is_an_error() -> None:
    """It could not be put in order."""
    assert refused(adt("A08", sent="")) == ("AE", "MSH-7 and EVN-2 say no time to the minute")


@pytest.mark.parametrize(
    ("xpn", "pn"),
    [
        ("Doe^Jane^Anne^Jr^Dr^MD^L", "Doe^Jane^Anne^Dr^Jr MD"),
        ("van Dam&van&Dam^Eva", "van Dam^Eva"),
        ("&van&Dam^Eva", "van Dam^Eva"),
        ("Doe", "Doe"),
        ('Doe^""', "Doe"),
        ("D\\S\\oe\\.br\\\\X0A\\^Ja\\E\\ne", "D oe^Ja ne"),
        ("", ""),
        ('""', ""),
        ("Old^Jane^^^^^M~Doe^Jane^^^^^L", "Doe^Jane"),
        ("Yamada^Tarou^^^^^L^A~Z^T^^^^^L^I~^X^^^^^L^P", "Yamada^Tarou=Z^T=^X"),
        ("Z^T^^^^^L^I", "=Z^T"),
    ],
)
def test_a_name_becomes_a_pn(xpn: str, pn: str) -> None:
    """Prefix before suffix, the representations as component groups, the legal name before others."""
    assert name_of(xpn)[0] == pn


def test_other_names_are_kept_apart() -> None:
    """Repetitions of other types, aliases in PID-9, each once and never the name itself."""
    found = name_of("Doe^Jane^^^^^L~Roe^Jane^^^^^M~K^J^^^^^M^I", aliases="Poe^J~Doe^Jane~Roe^Jane")
    assert found == ("Doe^Jane", ("Roe^Jane", "=K^J", "Poe^J"))


@pytest.mark.parametrize(
    ("written", "sex"), [("F", "F"), ("m", "M"), ("O", "O"), ("A", "O"), ("U", ""), ("N", ""), ("", ""), ('""', "")]
)
def test_a_sex_is_told_or_not(written: str, sex: str) -> None:
    """Table 0001 to Patient's Sex."""
    assert accepted(adt("A08", others={8: written}))[0].demographics.sex == sex


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("19610203", date(1961, 2, 3)),
        ("196102031405", date(1961, 2, 3)),
        ("1961", None),
        ("19610230", None),
        ("x", None),
    ],
)
def test_a_birth_date_is_a_day_or_nothing(written: str, day: date | None) -> None:
    """Less precise ones say no date."""
    assert accepted(adt("A08", others={7: written}))[0].demographics.birth_date == day


# -- character sets


@pytest.mark.parametrize(
    ("charset", "codec", "family"),
    [
        ("", "ascii", "Muller"),
        ("", "utf-8", "Müller"),
        ("", "latin-1", "Müller"),
        ("ASCII", "latin-1", "Müller"),
        ("UNICODE UTF-8", "utf-8", "Müller"),
        ("8859/1", "latin-1", "Müller"),
        ("8859/2", "iso8859-2", "Łukasz"),
        ("8859/5", "iso8859-5", "Люкceмбypг"),
        ("8859/7", "iso8859-7", "Διονυσιος"),
        ("8859/15", "iso8859-15", "Œuvre"),
        ("ASCII~ISO IR87", "iso2022_jp", "山田"),
        ("~ISO IR14~ISO IR87~ISO IR159", "iso2022_jp_1", "丂山田"),
        ("GB 18030-2000", "gb18030", "王|小东".replace("|", "")),
        ("KS X 1001", "euc_kr", "김희중"),
        ("BIG-5", "big5", "功許蓋"),
        ("8859/99", "utf-8", "Müller"),
        ("UNICODE UTF-8", "latin-1", "Müller"),
    ],
)
def test_a_name_is_read_in_its_character_set(charset: str, codec: str, family: str) -> None:
    """As MSH-18 declares, else as UTF-8, else as Latin-1; trail bytes like delimiters do no harm."""
    assert name_of(f"{family}^X", charset=charset, codec=codec)[0] == f"{family}^X"


def test_hexadecimal_bytes_are_of_the_messages_character_set() -> None:
    r"""\Xdd\ holds bytes, not code points; other sequences say no text."""
    assert name_of("M\\XC3BC\\ller\\H\\\\C2842\\\\Z1\\\\", charset="UNICODE UTF-8")[0] == "Müller"
    assert name_of("M\\Xq\\ller\\F\\\\R\\")[0] == "M Xq ller|~"


# -- form


def test_delimiters_are_the_senders() -> None:
    """MSH-1 and MSH-2 rule, in the answer too."""
    raw = adt_a40((TWO, ONE)).replace(b"|", b"#").replace(b"^~\\&", b"^~%&").replace(b"^", b"*")
    assert keys(raw) == [(P1, P2)]
    assert answer(raw) == b"MSH#*~%&#SENTINODE#RAD#HIS#HOSP#20261120093000+0000##ACK*A40*ACK#ACK1#P#2.5.1\rMSA#AA#M1\r"


@pytest.mark.parametrize("short", ["^~", "^", "^~\\&#"])
def test_delimiters_that_are_left_out_are_the_usual(short: str) -> None:
    """A longer MSH-2 has the truncation character of version 2.7."""
    raw = adt_a40((TWO, ONE)).replace(b"^~\\&", short.encode(), 1)
    assert keys(raw) == [(P1, P2)]


@pytest.mark.parametrize(
    "header", ["MSH|", "MSH|^^\\&|", "MSHA^~\\&A", "MSH&^~\\&HIS", "MSH|^~\\&xyz|HIS", "MSH|^~\\ |HIS"]
)
def test_unusable_delimiters_are_rejected(header: str) -> None:
    """What cannot be told apart cannot be read."""
    assert refused(header.encode() + b"\r") == ("AR", "MSH-1 and MSH-2 hold no usable delimiters")


@pytest.mark.parametrize("ends", [b"\r\n", b"\n", b"\r\r", b"\r "])
def test_other_ends_of_segments_are_borne(ends: bytes) -> None:
    """Editors and some engines write them."""
    assert keys(b"\n" + adt_a40((TWO, ONE)).replace(b"\r", ends)) == [(P1, P2)]


def test_a_line_feed_within_a_field_ends_no_segment() -> None:
    """Where CR ends segments, LF is text: what follows it is nobody's PID."""
    raw = message(msh("ORU^R01"), pid(ONE), f"NTE|1||see\n{pid(TWO)}")
    assert keys(raw) == [(None, P1)]


@pytest.mark.parametrize("segment", ["FHS|^~\\&|HIS", "BHS|^~\\&|HIS"])
def test_batches_are_rejected(segment: str) -> None:
    """One message a block."""
    assert refused(segment.encode() + b"\r" + adt_a08())[0] == "AR"
    assert "batches are not handled" in refused(segment.encode())[1]
    assert refused(adt_a08() + adt_a08()) == ("AR", "several messages came in one block: send them one by one")


@pytest.mark.parametrize(
    ("raw", "outcome", "why"),
    [
        (b"", "AR", "the message does not begin with MSH"),
        (b"PID|1", "AR", "the message does not begin with MSH"),
        (b"\x00\xff", "AR", "the message does not begin with MSH"),
        (b"MSH|^~\\&|", "AE", "MSH-10 (message control ID) is empty"),
        (message(msh("", control_id="1")), "AE", "MSH-9 (message type) is empty"),
        (message(msh("ADT^A08", control_id="1" * 200)), "AE", "MSH-10 is longer than 199 characters"),
        (message(msh("ADT^A08", version="3.0")), "AR", "MSH-12 is not a version 2"),
        (message(msh("ADT^A08"), "EVN||20261120"), "AE", "there is no PID segment"),
        (
            message(msh("ADT^A08"), "PID"),
            "AE",
            "PID-3 holds no identifier of a patient whose assigning authority is known",
        ),
    ],
)
def test_malformed_messages_are_told_why(raw: bytes, outcome: str, why: str) -> None:
    """The reason names the segment and the field."""
    assert refused(raw) == (outcome, why)


def test_what_is_read_is_bounded() -> None:
    """Neither parsing nor the record grows with what a sender repeats; other segments may be long."""
    assert refused(message(msh("ADT^A08"), pid(ONE) + "|" * 40000))[1].startswith("MSH, EVN, PID and MRG hold more")
    assert refused(message(msh("ADT^A08"), pid(ONE, {5: "山" * 9000}), charset="utf-8"))[1].startswith(
        "PID and MRG say"
    )
    assert keys(message(msh("ORU^R01"), pid(ONE), "OBX|1|ED|||" + "A" * 500_000)) == [(None, P1)]


def test_a_control_id_is_kept_short_and_printable() -> None:
    """Records and logs take it as it is."""
    verdict = judge(message(msh("ADT^A08", control_id="a\x07" * 150)), RULES)
    assert verdict.meta()["control_id"] == ("a?" * 100)[:199]


# -- acknowledgement


def test_an_error_names_its_place() -> None:
    """MSA-3, and ERR with ERL, code of table 0357, severity and sentence."""
    reply = answer(adt("A08", ""))
    assert reply is not None
    what = "PID-3 holds no identifier of a patient whose assigning authority is known"
    assert fields(reply, "MSA") == ["MSA", "AE", "M1", what]
    assert fields(reply, "ERR") == [
        "ERR",
        "",
        "PID^1^3",
        "204^unknown key identifier^HL70357",
        "E",
        "",
        "",
        "",
        what,
    ]


def test_a_reason_is_escaped_for_the_senders_delimiters() -> None:
    """Ours are hyphens and commas at most, and a sender may choose them."""
    reply = answer(adt("A08", "").replace(b"|", b"-"))
    assert reply is not None
    assert b"\rMSA-AE-M1-PID\\F\\3 holds no" in reply


@pytest.mark.parametrize(
    ("commit", "application", "good", "bad"),
    [
        ("", "", "AA", "AE"),
        ("AL", "NE", "CA", "CE"),
        ("AL", "AL", "CA", "CE"),
        ("SU", "", "CA", None),
        ("ER", "NE", None, "CE"),
        ("NE", "AL", "AA", "AE"),
        ("", "SU", "AA", None),
        ("NE", "NE", None, None),
    ],
)
def test_the_acknowledgement_is_the_one_that_is_asked_for(
    commit: str, application: str, good: str | None, bad: str | None
) -> None:
    """Enhanced mode by MSH-15 and MSH-16; in original mode always one."""
    for patient_id, code in ((ONE, good), ("", bad)):
        reply = answer(message(msh("ADT^A08", commit=commit, application=application), pid(patient_id)))
        assert (fields(reply, "MSA")[1] if reply else None) == code


def test_a_rejected_message_gets_a_commit_reject() -> None:
    """CR, where a commit acknowledgement is asked for."""
    reply = answer(message(msh("ADT^A24", commit="AL"), pid(ONE)))
    assert reply is not None
    assert fields(reply, "MSA")[1] == "CR"


def test_the_answer_is_in_the_character_set_of_the_message() -> None:
    """A control ID comes back byte for byte."""
    for charset, codec in (("8859/1", "latin-1"), ("UNICODE UTF-8", "utf-8"), ("", "latin-1")):
        reply = answer(message(msh("ADT^A08", control_id="ü1", charset=charset), pid(ONE), charset=codec))
        assert reply is not None
        assert "\rMSA|AA|ü1\r".encode(codec) in reply
        assert reply.split(b"\r")[0].endswith(charset.encode() if charset else b"2.5.1")


def test_no_message_at_all_is_still_answered() -> None:
    """In the usual delimiters, with nothing to refer to."""
    reply = answer(b"GET / HTTP/1.1")
    assert reply is not None
    assert fields(reply, "MSA") == ["MSA", "AR", "", "the message does not begin with MSH"]


# -- anything


PIECES = st.sampled_from(
    [
        b"MSH|^~\\&|",
        b"|",
        b"^",
        b"~",
        b"&",
        b"\\",
        b"\\X41\\",
        b"\r",
        b"\n",
        b"PID|",
        b"MRG|",
        b"EVN|",
        b"P1^^^HOSP^MR",
        b"ADT^A40",
        b"ADT^A08",
        b"ORU^R01",
        b"20261120093000+0100",
        b"\x1b$B",
        b"\xff\xfe",
        b"|||||||",
        b"ISO IR87",
        b'""',
    ]
)
NOISE = st.lists(PIECES | st.binary(max_size=6), max_size=40).map(
    lambda parts: b"".join(parts).translate(None, b"\x0b\x1c")
)
HEADS = st.sampled_from([b"", adt_a08(), adt_a40((TWO, ONE)), msh("ADT^A08", charset="ASCII~ISO IR87").encode()])


@given(HEADS, NOISE)
def test_whatever_comes_there_is_a_verdict_and_an_answer(head: bytes, noise: bytes) -> None:
    """Nothing is raised; the answer can be read, its MSA-2 is the message's MSH-10, and only AA has news."""
    _check(judge(head + noise, RULES))


@given(st.data(), st.sampled_from([adt_a08(), adt_a40((TWO, ONE), ("P4", "P3"))]))
def test_damaged_messages_get_a_verdict_too(data: st.DataObject, raw: bytes) -> None:
    """Bytes changed, taken out or put in."""
    at = data.draw(st.integers(0, len(raw)))
    cut = data.draw(st.integers(0, 20))
    _check(judge(raw[:at] + data.draw(NOISE) + raw[at + cut :], RULES))


def _check(verdict: Verdict) -> None:
    assert (verdict.outcome is Outcome.ACCEPT) == (verdict.fault is None)
    assert verdict.fault is None or not verdict.news
    assert all(news.patient.patient_id and news.patient != news.retired for news in verdict.news)
    reply = acknowledge(verdict, NOW, "ACK1")
    header = verdict.header
    if reply is None:
        assert header is not None
        assert header.field(15) + header.field(16)
        return
    lines = reply.decode(header.codec if header else "ascii").split("\r")
    field = lines[0][3]
    assert [line[:3] for line in lines] == ["MSH", "MSA", *(["ERR"] if verdict.fault else []), ""]
    answered = lines[1].split(field)
    assert answered[1][1] == verdict.outcome.value[1]
    assert answered[2] == (header.control_id if header else "")
    assert not {"\x0b", "\x1c"} & set(reply.decode("latin-1"))
