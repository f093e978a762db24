from dataclasses import replace
from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from agent.core.adt import RESULT, PatientNews, news_from_json, news_to_json
from agent.core.demographics import Demographics
from agent.core.identities import Told
from agent.core.patient import PatientKey

T0 = datetime(2026, 1, 2, tzinfo=UTC)
KEYS = st.builds(PatientKey, st.text(), st.text())
NEWS = st.builds(
    PatientNews,
    control_id=st.text(),
    event=st.text(),
    sent_at=st.datetimes(timezones=st.just(UTC)),
    patient=KEYS,
    retired=st.none() | KEYS,
    demographics=st.builds(Demographics, st.text(), st.none() | st.dates(), st.sampled_from(["", "F", "M", "O"])),
    other_names=st.lists(st.text(), max_size=3).map(tuple),
)


@given(st.lists(NEWS, max_size=3))
def test_news_is_read_as_it_was_written(news: list[PatientNews]) -> None:
    """Nothing of it is lost or changed on the way through a record."""
    assert news_from_json(news_to_json(news)) == tuple(news)


def test_only_adt_tells_who_a_patient_is() -> None:
    """What a result message repeats of a patient is no word on it."""
    news = PatientNews("1", "A08", T0, PatientKey("H", "1"), None, Demographics("Doe^Jane", None, "F"), ("Roe^Jane",))
    assert news.told == Told(None, "F", ("Doe^Jane", "Roe^Jane"))
    nameless = replace(news, demographics=Demographics("", date(1970, 1, 1)))
    assert nameless.told == Told(date(1970, 1, 1), "", ("Roe^Jane",))
    assert replace(news, event=RESULT).told == Told()


def test_news_is_written_in_its_own_letters() -> None:
    """A record has little room: letters are not escaped, and nothing is spaced out."""
    one = PatientNews("1", "A08", datetime(2026, 1, 2, tzinfo=UTC), PatientKey("H", "1"), None, Demographics("山田"))
    assert '"name":"山田"' in news_to_json([one])
    assert news_from_json(news_to_json([one]))[0].demographics.birth_date is None
    assert Demographics("山田", date(1961, 2, 3)) != one.demographics
