"""Several calls over one association: what opens it, what ends it, and what a peer that ends it first costs."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt

from agent.core.errors import Transient, Unanswered, Unreachable
from agent.dimse.session import FIND
from demo.archive import Archive, Switches
from demo.pacs_process import free_port
from tests.archives import client
from tests.fakes.objects import COMPREHENSIVE_3D_SR, SECONDARY_CAPTURE, one_result, part10
from tests.scripted_scp import SHORT, Conversation, Script, ScriptedScp

EXPLICIT = "1.2.840.10008.1.2.1"
FIRST, SECOND = one_result(1), one_result(100)
PAIRS = tuple(dict.fromkeys((o.sop_class_uid, o.transfer_syntax_uid) for o in FIRST))
COMPREHENSIVE_SR = "1.2.840.10008.5.1.4.1.1.88.33"
VERIFICATION, COMMITMENT = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1"


def test_all_that_is_stored_and_read_back_shares_an_association(tmp_path: Path) -> None:
    """Two cases and eight queries: one association, opened with the first call, released with the block."""
    with Archive("ARCHIVE", tmp_path) as archive:
        with client("ARCHIVE", archive.port).session(PAIRS, reads_back=True) as session:
            assert archive.associations == 0
            for objects in (FIRST, SECOND):
                assert [o.status for o in session.store([o.encoded for o in objects])] == [0] * 4
            for one in (*FIRST, *SECOND):
                assert session.has(one.study_instance_uid, one.series_instance_uid, one.sop_instance_uid)
            assert not session.has("1", "2", "3")
            with session.session() as same:
                assert same is session
        assert archive.associations == 1
        assert not [one for one in archive._server.active_associations if one.is_established]


def test_session_that_asks_nothing_calls_nobody() -> None:
    """No association is opened in advance, nor for nothing to store."""
    with client("NOBODY", free_port()).session(PAIRS, reads_back=True) as session:
        assert list(session.store([])) == []


def test_what_was_not_proposed_needs_another_association_that_serves_for_all() -> None:
    """A class that nobody expected is proposed beside the others; the ones before are not asked for again."""
    other = part10(COMPREHENSIVE_SR, "2.25.9")
    with ScriptedScp() as scp, client("S", scp.port).session(PAIRS) as session:
        for part in (FIRST[0].encoded, other, FIRST[3].encoded, other):
            assert [o.status for o in session.store([part])] == [0]
    classes = {sop_class for sop_class, _ in PAIRS}
    assert [set(one) for one in scp.proposed] == [classes, classes | {COMPREHENSIVE_SR}]


def ended(talk: Conversation, how: Callable[[Conversation], None]) -> None:
    """Store the objects of one case, then end the association."""
    for _ in FIRST:
        talk.answer(talk.take())
    how(talk)


def taken_and_dropped(talk: Conversation) -> None:
    """Take an object and close the connection without an answer."""
    talk.take()
    talk.drop()


@pytest.mark.parametrize(
    "how",
    [Conversation.abort, Conversation.drop, Conversation.ask_for_release, taken_and_dropped],
    ids=["abort", "close", "release", "close at the next object"],
)
def test_association_that_the_peer_ends_between_two_cases_costs_nothing(how: Callable[[Conversation], None]) -> None:
    """Everything is stored, over two associations."""
    scripts: tuple[Script, ...] = (lambda talk: ended(talk, how), Conversation.answer_all)
    with (
        ScriptedScp(scripts) as scp,
        client("S", scp.port).session() as session,
    ):
        for objects in (FIRST, SECOND):
            assert [o.status for o in session.store([o.encoded for o in objects])] == [0] * 4
    assert len(scp.proposed) == 2


def test_association_that_is_lost_again_at_once_is_an_error() -> None:
    """A used association may have ended meanwhile; a new one has not."""
    scripts: tuple[Script, ...] = (lambda talk: ended(talk, taken_and_dropped), taken_and_dropped, taken_and_dropped)
    with (
        ScriptedScp(scripts) as scp,
        client("S", scp.port).session() as session,
    ):
        list(session.store([o.encoded for o in FIRST]))
        with pytest.raises(Transient, match="ended the association"):
            list(session.store([o.encoded for o in SECOND]))
    assert len(scp.proposed) == 2


def test_loss_after_an_answer_is_not_begun_anew() -> None:
    """What was answered stands, and the caller decides about the rest."""

    def two_of_the_next(talk: Conversation) -> None:
        talk.answer(talk.take())
        talk.answer(talk.take())
        taken_and_dropped(talk)

    scripts: tuple[Script, ...] = (lambda talk: ended(talk, two_of_the_next), Conversation.answer_all)
    with (
        ScriptedScp(scripts) as scp,
        client("S", scp.port).session() as session,
    ):
        list(session.store([o.encoded for o in FIRST]))
        with closing(session.store([o.encoded for o in SECOND])) as outcomes:
            assert [next(outcomes).status, next(outcomes).status] == [0, 0]
            with pytest.raises(Transient, match="ended the association"):
                next(outcomes)
    assert len(scp.proposed) == 1


def test_peer_that_is_gone_when_the_association_is_opened_again_is_unreachable(tmp_path: Path) -> None:
    """The breaker is to know."""
    switches = Switches(die_after=4)
    with (
        Archive("ARCHIVE", tmp_path, switches=switches) as archive,
        client("ARCHIVE", archive.port).session() as session,
    ):
        assert [o.status for o in session.store([o.encoded for o in FIRST])] == [0] * 4
        with pytest.raises(Unreachable):
            list(session.store([o.encoded for o in SECOND]))


def test_early_end_with_nothing_under_way_keeps_the_association(tmp_path: Path) -> None:
    """Whoever stops after the first outcome goes on with the next case."""
    with Archive("ARCHIVE", tmp_path) as archive:
        with client("ARCHIVE", archive.port).session() as session:
            outcomes = session.store([o.encoded for o in FIRST])
            next(outcomes)
            outcomes.close()
            assert len(list(session.store([o.encoded for o in SECOND]))) == 4
        assert archive.associations == 1
        assert len(archive.instances()) == 5


def test_commitment_has_an_association_of_its_own(tmp_path: Path) -> None:
    """The one that is open is released before: the peer may report over the new one."""
    with Archive("ARCHIVE", tmp_path, switches=Switches(drop_commitment=True)) as archive:
        with client("ARCHIVE", archive.port).session(PAIRS) as session:
            list(session.store([FIRST[0].encoded]))
            session.request_commitment("2.25.1", [(FIRST[0].sop_class_uid, FIRST[0].sop_instance_uid)])
        assert archive.associations == 2


def test_echo_opens_the_association_for_what_follows(tmp_path: Path) -> None:
    """A probe is answered, and the association stays."""
    with Archive("ARCHIVE", tmp_path) as archive:
        with client("ARCHIVE", archive.port).session(PAIRS, reads_back=True) as session:
            session.echo()
            list(session.store([FIRST[0].encoded]))
            session.echo()
        assert archive.associations == 1


class Queries:
    """An SCP of storage and queries, and what it was asked."""

    def __init__(self) -> None:
        self.associations = 0
        self.ends_after = 0  # queries after which it aborts instead of answering
        self.asked = 0
        ae = AE(ae_title="PEER")
        for sop_class in (SECONDARY_CAPTURE, COMPREHENSIVE_3D_SR, FIND[0], VERIFICATION):
            ae.add_supported_context(sop_class)
        handlers = [
            (evt.EVT_REQUESTED, self._count),
            (evt.EVT_C_STORE, lambda event: 0),
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_FIND, self._find),
        ]
        self.server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        self.client = client("PEER", self.server.server_address[1])

    def _count(self, event: evt.Event) -> None:
        self.associations += 1

    def _is_over(self, event: evt.Event) -> bool:
        self.asked += 1
        if self.asked == self.ends_after:
            event.assoc.abort()
        return self.asked == self.ends_after

    def _echo(self, event: evt.Event) -> int:
        return 0x0122 if self._is_over(event) else 0

    def _find(self, event: evt.Event) -> Iterator[tuple[int, Dataset | None]]:
        if self._is_over(event):
            return
        match = Dataset()
        match.SOPInstanceUID = event.identifier.SOPInstanceUID
        yield 0xFF00, match


@pytest.fixture
def queries() -> Iterator[Queries]:
    """A peer that answers queries."""
    made = Queries()
    yield made
    made.server.shutdown()


def test_query_is_asked_again_where_the_association_had_ended(queries: Queries) -> None:
    """The second of three finds no answer: it is asked once more, over a new association."""
    queries.ends_after = 2
    with queries.client.session() as session:
        assert [session.has("1", "2", uid) for uid in ("1.1", "1.2", "1.3")] == [True] * 3
    assert (queries.associations, queries.asked) == (2, 4)


def test_query_that_ends_a_new_association_is_an_error(queries: Queries) -> None:
    """The first finds no answer."""
    queries.ends_after = 1
    with queries.client.session() as session, pytest.raises(Transient, match="C-FIND ended with no response"):
        session.has("1", "2", "1.1")
    assert queries.associations == 1


def test_silence_is_not_taken_for_an_end() -> None:
    """A peer that does not answer on a used association is not asked again, which would take as long."""

    def silent(talk: Conversation) -> None:
        talk.answer(talk.take())
        talk.take()

    with ScriptedScp((silent,)) as scp, client("S", scp.port, SHORT).session(PAIRS, reads_back=True) as session:
        assert [o.status for o in session.store([FIRST[0].encoded])] == [0]
        with pytest.raises(Unanswered, match="C-FIND ended with no response"):
            session.has("1", "2", "1.1")
    assert len(scp.proposed) == 1


def test_probe_that_is_not_answered_in_time_is_no_end_either() -> None:
    """A peer that listens and says nothing."""
    with ScriptedScp((lambda talk: talk.take() and None,)) as scp, pytest.raises(Unanswered, match="C-ECHO ended"):
        client("S", scp.port, SHORT).echo()


def test_probe_without_an_answer_is_an_error(queries: Queries) -> None:
    """C-ECHO that ends the association."""
    queries.ends_after = 1
    with pytest.raises(Transient, match="C-ECHO ended with no response"):
        queries.client.echo()


def test_peer_that_takes_queries_alone_is_asked_alone() -> None:
    """Where storage is proposed it refuses queries: they get an association of their own, and no third one."""
    queries = Queries()

    def alone(event: evt.Event) -> None:
        requestor = event.assoc.requestor
        if len(requestor.requested_contexts) > 1:
            event.assoc.acceptor.supported_contexts = [
                one for one in event.assoc.acceptor.supported_contexts if one.abstract_syntax != FIND[0]
            ]

    queries.server.bind(evt.EVT_REQUESTED, alone)
    try:
        with queries.client.session(PAIRS[:1], reads_back=True) as session:
            list(session.store([FIRST[0].encoded]))
            assert [session.has("1", "2", uid) for uid in ("1.1", "1.2")] == [True, True]
    finally:
        queries.server.shutdown()
    assert (queries.associations, queries.asked) == (2, 2)
