"""What the receiver process makes of its configuration."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from structlog.testing import capture_logs

from agent.bootstrap.common import Stop
from agent.bootstrap.receiver import run_receiver
from agent.config import load_config
from agent.core.adt import news_from_json
from agent.core.patient import PatientKey
from agent.core.ports import RecordKind
from agent.spool import SpoolReader
from tests.harness import free_port
from tests.hl7_sender import adt_a08, fields, send
from tests.peers import ROOT
from tests.receivers import eventually
from tests.senders import RawAssociation

HOST = "127.0.0.1"


@pytest.fixture
def config_of(tmp_path: Path) -> Callable[..., Path]:
    """Give a writer of overrides: sections by name, beside a DICOM port and a spool of the test's own."""

    def write(**sections: object) -> Path:
        path = tmp_path / "overrides.yaml"
        storage = {"spool": str(tmp_path / "spool"), "refuse_below_free_bytes": 0}
        path.write_text(yaml.safe_dump({"storage": storage, **sections}), encoding="utf-8")
        return path

    return write


def test_both_listeners_write_to_one_spool(tmp_path: Path, config_of: Callable[..., Path]) -> None:
    """The site's issuers and time zone reach the message; one run has one start."""
    dicom, hl7 = free_port(), free_port()
    overrides = config_of(
        site={"time_zone": "Europe/Berlin", "issuer_of_patient_id": "SITE"},
        dicom={"port": dicom, "accept_from": "any"},
        hl7={"port": hl7, "issuers": {"HOSP": "MAPPED"}, "identifier_types": ["PI"]},
        operate={"drain_s": 1},
    )
    stop = Stop()
    process = threading.Thread(target=run_receiver, args=(load_config(ROOT / "config.yaml", [overrides]).config, stop))
    process.start()
    try:
        eventually(lambda: _takes(hl7))
        contexts = [("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])]
        with RawAssociation(HOST, dicom, calling="ANY", called="SENTINODE", contexts=contexts):
            pass
        assert fields(send(HOST, hl7, adt_a08("P1^^^HOSP^PI~P2^^^HOSP^MR", control_id="2")), "MSA")[1:] == ["AA", "2"]
        assert fields(send(HOST, hl7, adt_a08("P3", control_id="3")), "MSA")[1:] == ["AA", "3"]
    finally:
        stop.request()
        process.join(20)
    assert not process.is_alive()
    records = list(SpoolReader(tmp_path / "spool").after({}))
    assert [record.kind for record in records].count(RecordKind.RECEIVER_STARTED) == 1
    messages = [record for record in records if record.meta.get("control_id") in ("2", "3")]
    news = [one for record in messages for one in news_from_json(record.meta["news"])]
    assert [one.patient for one in news] == [PatientKey("MAPPED", "P1"), PatientKey("SITE", "P3")]
    assert {one.sent_at.isoformat() for one in news} == {"2026-11-20T08:30:00+00:00"}


def test_without_the_section_nothing_listens_for_hl7(config_of: Callable[..., Path]) -> None:
    """The DICOM listener is alone, and stops as before."""
    dicom = free_port()
    overrides = config_of(dicom={"port": dicom, "accept_from": "any"}, operate={"drain_s": 1})
    stop = Stop()
    process = threading.Thread(target=run_receiver, args=(load_config(ROOT / "config.yaml", [overrides]).config, stop))
    process.start()
    try:
        contexts = [("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])]
        eventually(lambda: _takes(dicom))
        with RawAssociation(HOST, dicom, calling="ANY", called="SENTINODE", contexts=contexts):
            assert "hl7" not in {thread.name for thread in threading.enumerate()}
    finally:
        stop.request()
        process.join(20)
    assert not process.is_alive()


def test_a_taken_hl7_port_keeps_no_image_out(config_of: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The DICOM listener takes images meanwhile; messages are taken once the port is free, and it is told once."""
    monkeypatch.setattr("agent.bootstrap.receiver.HL7_AGAIN_S", 0.05)
    dicom = free_port()
    stop = Stop()
    with capture_logs() as logged, socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        hl7 = other.getsockname()[1]
        overrides = config_of(dicom={"port": dicom, "accept_from": "any"}, hl7={"port": hl7}, operate={"drain_s": 1})
        config = load_config(ROOT / "config.yaml", [overrides]).config
        process = threading.Thread(target=run_receiver, args=(config, stop))
        process.start()
        try:
            eventually(lambda: _takes(dicom))
            eventually(lambda: any(line["event"] == "hl7_not_listening" for line in logged))
            contexts = [("1.2.840.10008.1.1", ["1.2.840.10008.1.2"])]
            with RawAssociation(HOST, dicom, calling="ANY", called="SENTINODE", contexts=contexts):
                pass
            other.close()
            eventually(lambda: any(line["event"] == "hl7_listening" for line in logged))
            assert fields(send(HOST, hl7, adt_a08("P3^^^EXAMPLE^MR", control_id="3")), "MSA")[1:] == ["AA", "3"]
        finally:
            stop.request()
            process.join(20)
    assert not process.is_alive()
    assert [line["event"] for line in logged].count("hl7_not_listening") == 1


def _takes(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
