"""Who may associate, and what is negotiated."""

import subprocess
from copy import deepcopy

import pytest
from pydicom.uid import UID_dictionary
from pynetdicom import AE
from pynetdicom.presentation import build_context
from structlog.testing import capture_logs

from agent.core.identity import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from agent.core.ports import RecordKind
from agent.receive.negotiation import acceptable
from tests.peers import program
from tests.receivers import COMMITMENT, NOT_AUTHORIZED, SC, SUCCESS, Start, open_association
from tests.senders import EXPLICIT, IMPLICIT, VERIFICATION, AssociationRejected, send_raw


def test_echoscu_is_answered(start: Start) -> None:
    """DCMTK's C-ECHO succeeds, and leaves an association opened and closed."""
    running = start()
    command = [program("echoscu"), "-aet", "SENDER", "-aec", "SENTINODE", "127.0.0.1", str(running.port)]
    subprocess.run(command, check=True, timeout=30)
    running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    started, opened, closed = running.records()
    assert started.kind is RecordKind.RECEIVER_STARTED
    assert opened.meta == {
        "association_id": f"{started.meta['run_id']}/1",
        "calling_ae_title": "SENDER",
        "called_ae_title": "SENTINODE",
        "peer": "127.0.0.1",
    }
    assert closed.meta == {"association_id": opened.meta["association_id"]}


@pytest.mark.parametrize(
    ("called", "calling", "diagnostic"),
    [("OTHER", "SENDER", 7), ("SENTINODE", "STRANGER", 3), ("SENTINODE", "ELSEWHERE", 3), ("sentinode", "SENDER", 7)],
)
def test_strangers_are_rejected(start: Start, called: str, calling: str, diagnostic: int) -> None:
    """Called AE title, calling AE title and address must all fit; a rejected caller leaves no record."""
    running = start()
    with pytest.raises(AssociationRejected) as rejected:
        open_association(running, called=called, calling=calling)
    assert rejected.value.reason == (1, 1, diagnostic)
    assert [record.kind for record in running.records()] == [RecordKind.RECEIVER_STARTED]


def test_anyone_is_accepted_where_the_settings_say_so(start: Start) -> None:
    """Except under another called AE title."""
    running = start(accept_from="any", peers=())
    assert send_raw("127.0.0.1", running.port, "STRANGER", "SENTINODE", [(SC, "1.2", EXPLICIT, b"x")]) == [SUCCESS]
    with pytest.raises(AssociationRejected):
        open_association(running, calling="STRANGER", called="OTHER")


@pytest.mark.parametrize(
    ("calling", "store", "echo", "commit"),
    [
        ("SENDER", SUCCESS, SUCCESS, SUCCESS),
        ("ECHOER", NOT_AUTHORIZED, SUCCESS, NOT_AUTHORIZED),
        ("STORER", SUCCESS, NOT_AUTHORIZED, NOT_AUTHORIZED),
    ],
)
def test_each_message_must_be_allowed(start: Start, calling: str, store: int, echo: int, commit: int) -> None:
    """What a peer may not do is answered Not Authorized and leaves nothing."""
    running = start()
    with open_association(running, calling=calling) as association:
        assert association.store(1, SC, "1.2", b"x") == store
        assert association.echo(3) == echo
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == commit
    assert len(running.records(RecordKind.INSTANCE)) == (store == SUCCESS)
    assert len(running.records(RecordKind.EVENT_REPORT)) == (commit == SUCCESS)


def test_every_storage_sop_class_and_transfer_syntax_is_stored(start: Start) -> None:
    """What pydicom names, current and retired, and the newest syntaxes by UID."""
    running = start()
    classes = [
        uid for uid, (name, kind, *_) in UID_dictionary.items() if kind == "SOP Class" and name.find("Storage") >= 0
    ]
    others = {"1.2.840.10008.1.3.10", COMMITMENT, "1.2.840.10008.1.20.2"}  # DICOMDIR, storage commitment
    syntaxes = [uid for uid, entry in UID_dictionary.items() if entry[1] == "Transfer Syntax"]
    syntaxes += [
        "1.2.840.10008.1.2.8.1",
        "1.2.840.10008.1.2.4.110",
        "1.2.840.10008.1.2.4.111",
        "1.2.840.10008.1.2.4.112",
    ]
    items = [(uid, f"1.{n}", EXPLICIT, b"x") for n, uid in enumerate(classes) if uid not in others]
    items += [(SC, f"2.{n}", uid, b"x") for n, uid in enumerate(dict.fromkeys(syntaxes))]
    assert len(items) > 260
    for at in range(0, len(items), 100):
        part = items[at : at + 100]
        assert send_raw("127.0.0.1", running.port, "SENDER", "SENTINODE", part) == [SUCCESS] * len(part)
    records = running.records(RecordKind.INSTANCE)
    assert [(r.meta["sop_class_uid"], r.meta["sop_instance_uid"], r.meta["transfer_syntax_uid"]) for r in records] == [
        item[:3] for item in items
    ]


def test_what_is_no_storage_is_refused_at_negotiation(start: Start) -> None:
    """Queries, private classes and unknown transfer syntaxes get no presentation context; the rest does."""
    running = start()
    query = "1.2.840.10008.5.1.4.1.2.2.1"
    contexts = [(query, [IMPLICIT]), ("1.2.3.4", [IMPLICIT]), (SC, ["1.2.3.5"]), (SC, [EXPLICIT]), (SC, [IMPLICIT])]
    with open_association(running, contexts=contexts) as association:
        assert association.accepted == {7: EXPLICIT, 9: IMPLICIT}


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        ([IMPLICIT, EXPLICIT], EXPLICIT),
        ([EXPLICIT, IMPLICIT], EXPLICIT),
        (["1.2.840.10008.1.2.4.80", EXPLICIT, IMPLICIT], "1.2.840.10008.1.2.4.80"),
        (["1.2.840.10008.1.2.2", IMPLICIT, EXPLICIT], "1.2.840.10008.1.2.2"),
        ([IMPLICIT, "1.2.840.10008.1.2.4.50"], IMPLICIT),
        ([IMPLICIT, "1.2.840.10008.1.2.4.50", EXPLICIT], EXPLICIT),
        (["9.9.9", "1.2.840.10008.1.2.4.112"], "1.2.840.10008.1.2.4.112"),
    ],
)
def test_the_senders_order_decides(start: Start, offered: list[str], taken: str) -> None:
    """Its first supported transfer syntax is taken, but never implicit where it offers explicit."""
    with open_association(start(), contexts=[(SC, offered)]) as association:
        assert association.accepted == {1: taken}


@pytest.mark.parametrize("service", [VERIFICATION, COMMITMENT])
def test_services_without_objects_speak_little_endian(start: Start, service: str) -> None:
    """Big endian, deflated and compressed transfer syntaxes are for objects, not for verification and commitment."""
    jpeg, big_endian, deflated = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
    contexts = [(uid, [syntax]) for uid in (service, SC) for syntax in (jpeg, big_endian, deflated)]
    contexts.append((service, [jpeg, EXPLICIT]))
    with open_association(start(), contexts=contexts) as association:
        assert association.accepted == {7: jpeg, 9: big_endian, 11: deflated, 13: EXPLICIT}


def test_the_acceptor_says_who_it_is(start: Start) -> None:
    """An accepted association carries the implementation that the files carry."""
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(VERIFICATION)
    association = ae.associate("127.0.0.1", start().port, ae_title="SENTINODE")
    acceptor = association.acceptor
    association.release()
    assert acceptor.implementation_class_uid == IMPLEMENTATION_CLASS_UID
    assert acceptor.implementation_version_name == IMPLEMENTATION_VERSION_NAME


def test_logs_hold_ids_only(start: Start) -> None:
    """A patient's name in an object reaches no log."""
    running = start()
    canary = b"\x10\x00\x10\x00PN\x0c\x00CANARY^Joan "
    with capture_logs() as logs:
        assert send_raw("127.0.0.1", running.port, "SENDER", "SENTINODE", [(SC, "1.2", EXPLICIT, canary)]) == [SUCCESS]
        running.wait_for(RecordKind.ASSOCIATION_CLOSED, 1)
    assert [entry["event"] for entry in logs] == ["association_opened", "instance_stored", "association_closed"]
    assert "CANARY" not in str(logs)


def test_associations_that_propose_the_same_share_what_is_supported() -> None:
    """Making 128 presentation contexts costs more than all the rest of accepting; they are only read."""
    proposed = [build_context(SC, [IMPLICIT, EXPLICIT]), build_context(VERIFICATION, [IMPLICIT])]
    first, again = acceptable(proposed), acceptable(deepcopy(proposed))
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert [str(syntax) for syntax in first[0].transfer_syntax] == [EXPLICIT, IMPLICIT]
    assert acceptable([build_context(SC, [IMPLICIT])])[0] is not first[0]
