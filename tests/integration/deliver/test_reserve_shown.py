"""What a person sees of objects in reserve."""

from dataclasses import replace

import pytest

from agent.core.result import Kind
from agent.state import SqlStore
from agent.state.overview import overview
from agent.state.stories import case_story
from tests.delivery import Delivery, delivering
from tests.fakes.objects import COMPREHENSIVE_3D_SR, part10, result_object
from tests.fakes.pacs import FakePacs

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"


@ON_SQLITE
def test_what_is_not_needed_is_not_counted_and_what_was_sent_instead_is_told(sql_store: SqlStore) -> None:
    """Status counts what is under way and what arrived; the story has every row, and the reason."""
    preferred, text = result_object(Kind.SR, 100), result_object(Kind.TEXT_SR, 101)
    reserve = replace(
        result_object(Kind.SR, 150),
        role="sr:L:comprehensive",
        sop_class_uid=COMPREHENSIVE_SR,
        instead_of=preferred.sop_instance_uid,
        encoded=part10(COMPREHENSIVE_SR, "2.25.300150"),
    )
    old = FakePacs(refuse_sop_classes=frozenset({COMPREHENSIVE_3D_SR}))
    d = Delivery(confirm="none", store=sql_store, archives={"old": old})
    case = delivering(sql_store, dict.fromkeys(("pacs", "old"), (preferred, reserve, text)), at=d.clock())
    with sql_store.reading() as db:
        assert overview(db).outbox == {"old: waiting": 2, "pacs: waiting": 2}
    while d.courier.tick():
        pass
    with sql_store.reading() as db:
        assert overview(db).outbox == {"old: confirmed": 2, "old: refused": 1, "pacs: confirmed": 2}
        story = case_story(db, case.id)
    assert story is not None
    assert story.case.reason == "old sr:100: SOP class or transfer syntax not accepted, Comprehensive SR sent instead"
    shown = [(row["destination"], row["role"], str(row["status"])) for row in story.deliveries]
    assert shown == [
        ("old", "sr:100", "refused"),
        ("old", "sr:L:comprehensive", "confirmed"),
        ("old", "text_sr:101", "confirmed"),
        ("pacs", "sr:100", "confirmed"),
        ("pacs", "sr:L:comprehensive", "spare"),
        ("pacs", "text_sr:101", "confirmed"),
    ]
