"""Times, names, sexes and character sets."""

from datetime import date, datetime

import pytest

from tests.hl7_sender import adt, message, msh, pid
from tests.hl7_verdicts import ONE, accepted, name_of, refused


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
