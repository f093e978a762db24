"""An outage of the clinical database is told when it begins and when it is over."""

from structlog.testing import capture_logs

from agent.core.evidence import Patience
from agent.core.patient import PatientKey
from tests.ward import ALICE, CANCER, HOUR, QUIET, Ward


def test_an_outage_is_logged_once_at_either_end() -> None:
    """However many cases and ticks it holds up, and without a word of whom was asked about."""
    ward = Ward(Patience(QUIET))
    for n in range(3):
        ward.image(PatientKey("PHANTOM", f"P-{n}"))
    ward.clinical.know(ALICE, "2026-11-01", **CANCER)
    ward.clinical.away = True
    with capture_logs() as begun:
        for _ in range(4):
            ward.pass_time(HOUR)
    assert [line["event"] for line in begun] == ["ehr_away"]
    assert begun[0]["reason"] == "the clinical database cannot be asked"
    ward.clinical.away = False
    with capture_logs() as over:
        ward.pass_time(HOUR)
        ward.pass_time(HOUR)
    assert [line["event"] for line in over].count("ehr_back") == 1
    assert "ehr_away" not in {line["event"] for line in over}
    ward.clinical.away = True
    with capture_logs() as again:
        ward.pass_time(HOUR)
    assert [line["event"] for line in again] == ["ehr_away"]
