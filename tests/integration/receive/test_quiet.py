"""What pynetdicom would log itself: identifiers of patients. It logs nothing."""

import logging

import pytest
from pynetdicom import _config
from structlog.testing import capture_logs

from tests.receivers import EVERYTHING, SC, SUCCESS, Start, open_association


@pytest.mark.parametrize("contexts", [EVERYTHING[:2], EVERYTHING], ids=["lane", "ordinary"])
def test_pynetdicom_logs_no_identifier(
    start: Start, caplog: pytest.LogCaptureFixture, contexts: list[tuple[str, list[str]]]
) -> None:
    """Not even at its lowest level, whatever a peer sends."""
    canary = b"\x10\x00\x10\x00PN\x0c\x00CANARY^Joan "
    with caplog.at_level(logging.DEBUG), capture_logs() as ours:
        running = start()
        with open_association(running, contexts=contexts) as association:
            assert association.store(1, SC, "1.2", canary) == SUCCESS
            association.send_command(1, 0x0020, SC)  # C-FIND, which nobody negotiated
            association.send_dataset(1, canary)
            association.socket.close()
    assert not (_config.LOG_REQUEST_IDENTIFIERS or _config.LOG_RESPONSE_IDENTIFIERS)
    assert [record for record in caplog.records if record.name.startswith(("pynetdicom", "pydicom"))] == []
    assert "CANARY" not in caplog.text + str(ours)
