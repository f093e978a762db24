"""Storage commitment reported on the association on which it was asked for, by scripted peers on real sockets."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.association import Association

from agent.core.errors import Permanent, Transient, Unanswered
from agent.core.services import STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE
from agent.dicom.commitment import read_commitment
from agent.dimse.association import Peer, Timeouts
from agent.dimse.commitment import ask

PATIENT_ONE = Timeouts(connect_s=2, association_s=2, response_s=1, pdu_s=2)
WANTED = [("1.2.840.10008.5.1.4.1.1.88.34", "1.2.3"), ("1.2.840.10008.5.1.4.1.1.7", "1.2.4")]
Script = Callable[["ScriptedArchive", evt.Event], int]


@dataclass
class ScriptedArchive:
    """An SCP of storage commitment that does what its script says when it is asked."""

    script: Script
    port: int = 0
    asked: list[Dataset] = field(default_factory=list)
    answers: list[int | None] = field(default_factory=list)  # statuses that our side gave to its reports
    ends: list[str] = field(default_factory=list)  # how its associations ended
    threads: list[threading.Thread] = field(default_factory=list)

    def on_action(self, event: evt.Event) -> tuple[int, None]:
        """Note the request, and follow the script."""
        self.asked.append(event.action_information)
        return self.script(self, event), None

    def report(self, association: Association, asked: Dataset) -> None:
        """Report on this association that everything is kept."""
        ds = Dataset()
        ds.TransactionUID = asked.TransactionUID
        ds.ReferencedSOPSequence = asked.ReferencedSOPSequence
        status, _ = association.send_n_event_report(ds, 1, STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE)
        self.answers.append(status.get("Status"))

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Do something once the response is sent."""

        def run() -> None:
            time.sleep(seconds)
            what()

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()


@contextmanager
def archive(script: Script) -> Iterator[ScriptedArchive]:
    """Serve one."""
    scripted = ScriptedArchive(script)
    ae = AE(ae_title="ARCHIVE")
    ae.dimse_timeout = 5
    ae.add_supported_context(STORAGE_COMMITMENT)
    handlers: list[evt.EventHandlerType] = [
        (evt.EVT_N_ACTION, scripted.on_action),
        (evt.EVT_RELEASED, lambda event: scripted.ends.append("released")),
        (evt.EVT_ABORTED, lambda event: scripted.ends.append("aborted")),
    ]
    server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    scripted.port = server.server_address[1]
    try:
        yield scripted
    finally:
        for thread in scripted.threads:
            thread.join(10)
        server.shutdown()


def peer(port: int) -> Peer:
    """Return whom to ask."""
    return Peer("SENTINODE", "ARCHIVE", "127.0.0.1", port, PATIENT_ONE, 131072)


@dataclass
class Taken:
    """What was reported to us; raises instead while `away`."""

    reports: list[tuple[bytes, str]] = field(default_factory=list)
    away: bool = False

    def __call__(self, payload: bytes, transfer_syntax_uid: str) -> None:
        """Take a report."""
        if self.away:
            raise Transient("the database is away")
        self.reports.append((payload, transfer_syntax_uid))


def before_the_response(archive: ScriptedArchive, event: evt.Event) -> int:
    """Report, and only then answer the request."""
    archive.report(event.assoc, event.action_information)
    return 0x0000


def after_the_response(archive: ScriptedArchive, event: evt.Event) -> int:
    """Answer the request, and report a moment later."""
    asked = event.action_information
    archive.later(0.1, lambda: archive.report(event.assoc, asked))
    return 0x0000


def ended(scripted: ScriptedArchive) -> str:
    """Wait for the end of the association and say how it was."""
    deadline = time.monotonic() + 5
    while not scripted.ends and time.monotonic() < deadline:
        time.sleep(0.01)
    return scripted.ends[0]


@pytest.mark.parametrize("script", [before_the_response, after_the_response])
def test_report_on_the_same_association_is_taken(script: Script) -> None:
    """Whole, answered with success, and the association released at once after it."""
    taken = Taken()
    with archive(script) as scripted:
        began = time.monotonic()
        ask(peer(scripted.port), "2.25.99", WANTED, taken, linger_s=5)
        assert time.monotonic() - began < 3
        assert ended(scripted) == "released"
    ((payload, syntax),) = taken.reports
    assert read_commitment(payload, syntax) == ("2.25.99", ("1.2.3", "1.2.4"), {})
    assert scripted.answers == [0x0000]
    assert scripted.asked[0].TransactionUID == "2.25.99"
    pairs = [(i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID) for i in scripted.asked[0].ReferencedSOPSequence]
    assert pairs == WANTED


@pytest.mark.parametrize("script", [before_the_response, after_the_response])
def test_report_that_cannot_be_kept_is_not_acknowledged(script: Script) -> None:
    """The archive learns that it must report again; the request itself succeeded."""
    with archive(script) as scripted:
        ask(peer(scripted.port), "2.25.99", WANTED, Taken(away=True), linger_s=5)
    assert scripted.answers == [0x0213]


def test_report_that_nobody_takes_is_not_acknowledged() -> None:
    """Who asks without taking reports sends the archive to our listener."""
    with archive(before_the_response) as scripted:
        ask(peer(scripted.port), "2.25.99", WANTED, None)
    assert scripted.answers == [0x0213]


def test_an_archive_that_reports_elsewhere_keeps_us_for_a_moment_only() -> None:
    """The association is released after the time in which a report might come."""
    taken = Taken()
    with archive(lambda scripted, event: 0x0000) as scripted:
        began = time.monotonic()
        ask(peer(scripted.port), "2.25.99", WANTED, taken, linger_s=0.2)
        assert 0.2 <= time.monotonic() - began < 2
        assert ended(scripted) == "released"
    assert taken.reports == []


def test_an_archive_that_ends_the_association_does_not_keep_us() -> None:
    """It was asked; what it reports comes on another association."""

    def hang_up(scripted: ScriptedArchive, event: evt.Event) -> int:
        scripted.later(0.05, event.assoc.release)
        return 0x0000

    with archive(hang_up) as scripted:
        began = time.monotonic()
        ask(peer(scripted.port), "2.25.99", WANTED, Taken(), linger_s=5)
        assert time.monotonic() - began < 3


def test_an_archive_that_aborts_instead_of_answering_is_asked_again() -> None:
    """The request may have been lost."""

    def abort(scripted: ScriptedArchive, event: evt.Event) -> int:
        event.assoc.abort()
        return 0x0000

    with archive(abort) as scripted, pytest.raises(Transient, match="the peer ended the association") as failed:
        ask(peer(scripted.port), "2.25.99", WANTED, Taken())
    assert not isinstance(failed.value, Unanswered)


def test_an_archive_that_says_nothing_is_unanswered() -> None:
    """After the time for a response; what it would say to others would take as long."""

    def sleep(scripted: ScriptedArchive, event: evt.Event) -> int:
        time.sleep(1.5)
        return 0x0000

    with archive(sleep) as scripted, pytest.raises(Unanswered, match="no response"):
        ask(peer(scripted.port), "2.25.99", WANTED, Taken())


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (0x0110, Transient, "0x0110, processing failure"),
        (0x0131, Transient, "0x0131, duplicate transaction UID"),
        (0x0213, Transient, "0x0213, resource limitation"),
        (0x0122, Permanent, "0x0122, refused: SOP class not supported"),
        (0x0123, Permanent, "0x0123, no such action type"),
    ],
)
def test_refusal_is_told_in_words(status: int, error: type[Exception], words: str) -> None:
    """What may pass is asked again, what the archive does not do is not."""
    with archive(lambda scripted, event: status) as scripted, pytest.raises(error, match=words):
        ask(peer(scripted.port), "2.25.99", WANTED, Taken(), linger_s=0)


def test_a_warning_is_a_promise() -> None:
    """0x0107: the report will say."""
    with archive(lambda scripted, event: 0x0107) as scripted:
        ask(peer(scripted.port), "2.25.99", WANTED, Taken(), linger_s=0)
    assert len(scripted.asked) == 1
