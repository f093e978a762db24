"""Storage commitment's results: recorded as they came, or refused."""

import os
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pynetdicom import AE, build_role
from pynetdicom.dsutils import decode

from agent.core.ports import RecordKind
from agent.dimse.still import hold_still
from tests.receivers import COMMITMENT, SC, SUCCESS, Start, open_association
from tests.senders import EXPLICIT, IMPLICIT


def test_a_commitment_result_is_recorded_as_it_came(start: Start) -> None:
    """A PACS opens an association as SCP by role selection and reports; the dataset is kept, not decoded."""
    running = start()
    contexts = [(COMMITMENT, [EXPLICIT, IMPLICIT])]
    with open_association(running, contexts=contexts, roles={COMMITMENT: (0, 1)}) as association:
        assert association.roles == {COMMITMENT: (0, 1)}
        assert association.event_report(1, COMMITMENT, COMMITMENT + ".1", 2, b"no dataset") == SUCCESS
    (record,) = running.records(RecordKind.EVENT_REPORT)
    (opened,) = running.records(RecordKind.ASSOCIATION_OPENED)
    assert record.payload == b"no dataset"
    assert record.meta == {
        "association_id": opened.meta["association_id"],
        "event_type_id": "2",
        "transfer_syntax_uid": EXPLICIT,
    }


def test_pynetdicom_reports_commitment(start: Start) -> None:
    """Another implementation's N-EVENT-REPORT over an association of its own."""
    running = start()
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(COMMITMENT, IMPLICIT)
    role = build_role(COMMITMENT, scp_role=True)
    association = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE", ext_neg=[role])
    assert association.is_established
    ds = Dataset()
    ds.TransactionUID = "1.2.3.4"
    hold_still(association)
    status, _ = association.send_n_event_report(ds, 1, COMMITMENT, COMMITMENT + ".1")
    association.release()
    assert status.Status == SUCCESS
    (record,) = running.records(RecordKind.EVENT_REPORT)
    assert decode(BytesIO(record.payload), True, True).TransactionUID == "1.2.3.4"


def test_an_event_report_that_cannot_be_kept_is_a_resource_limitation(start: Start) -> None:
    """The PACS then reports again."""
    failing = [False]

    def sync(fd: int) -> None:
        if failing[0]:
            raise OSError(5, "told to")
        os.fdatasync(fd)

    running = start(spool={"sync": sync})
    with open_association(running) as association:
        failing[0] = True
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == 0x0213
        failing[0] = False
        assert association.event_report(5, COMMITMENT, COMMITMENT + ".1", 1, b"") == SUCCESS
    assert len(running.records(RecordKind.EVENT_REPORT)) == 1


def test_other_event_reports_and_commitment_requests_are_refused(start: Start) -> None:
    """Only results of storage commitment are taken, and none is given."""
    running = start()
    with open_association(running) as association:
        assert association.event_report(1, COMMITMENT, COMMITMENT + ".1", 1, b"") == 0x0118
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(COMMITMENT, IMPLICIT)
    requestor = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE")
    ds = Dataset()
    ds.TransactionUID = "1.2.3.4"
    hold_still(requestor)
    status, _ = requestor.send_n_action(ds, 1, COMMITMENT, COMMITMENT + ".1")
    requestor.release()
    assert status.Status == 0x0211
    assert running.records(RecordKind.EVENT_REPORT) == []


def test_one_sender_stores_asks_and_reports_over_one_association(start: Start) -> None:
    """Pynetdicom as a PACS that proposes both roles of commitment beside storage."""
    running = start()
    ae = AE(ae_title="SENDER")
    ae.add_requested_context(SC, EXPLICIT)
    ae.add_requested_context(COMMITMENT, IMPLICIT)
    role = build_role(COMMITMENT, scu_role=True, scp_role=True)
    association = ae.associate("127.0.0.1", running.port, ae_title="SENTINODE", ext_neg=[role])
    assert association.is_established
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = SC, "1.2.3"
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = EXPLICIT
    result = Dataset()
    result.TransactionUID = "1.2.3.4"
    hold_still(association)
    stored = association.send_c_store(ds)
    hold_still(association)
    asked, _ = association.send_n_action(result, 1, COMMITMENT, COMMITMENT + ".1")
    hold_still(association)
    reported, _ = association.send_n_event_report(result, 1, COMMITMENT, COMMITMENT + ".1")
    hold_still(association)
    again = association.send_c_store(ds)
    association.release()
    assert [one.Status for one in (stored, asked, reported, again)] == [SUCCESS, 0x0211, SUCCESS, SUCCESS]
    assert len(running.records(RecordKind.INSTANCE)) == 2
    assert len(running.records(RecordKind.EVENT_REPORT)) == 1
