"""What an HL7 v2 message says about a patient, as the receiver read it and the keeper applies it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from agent.core.demographics import UNSAID, Demographics
from agent.core.identities import Told
from agent.core.patient import PatientKey

RESULT: Final = "R01"
"""The event of news from messages other than ADT: something of this patient may have changed."""


@dataclass(frozen=True, slots=True)
class PatientNews:
    """One patient of one message. With `retired`, that identifier is now `patient`'s (A40, A47).

    Messages may come again and in any order: `sent_at` and `control_id` order them.
    """

    control_id: str  # MSH-10
    event: str  # trigger event: A08, A31, A40, A47, R01
    sent_at: datetime  # UTC: EVN-6, EVN-2 or MSH-7
    patient: PatientKey
    retired: PatientKey | None = None
    demographics: Demographics = UNSAID
    other_names: tuple[str, ...] = ()  # PID-5 repetitions, PID-9: as PN, former and alias names

    @property
    def told(self) -> Told:
        """What it says of the patient. Other messages than ADT copy a PID from somewhere, and are no word on it."""
        if self.event == RESULT:
            return Told()
        said = self.demographics
        names = tuple(name for name in (said.name, *self.other_names) if name)
        return Told(said.birth_date, said.sex, names)


def news_to_json(news: Sequence[PatientNews]) -> str:
    """Write what a message says, for the record's `meta`."""
    return json.dumps([_to_json(one) for one in news], ensure_ascii=False, separators=(",", ":"))


def news_from_json(text: str) -> tuple[PatientNews, ...]:
    """Read what `news_to_json` wrote."""
    return tuple(_from_json(raw) for raw in json.loads(text))


def _to_json(one: PatientNews) -> dict[str, Any]:
    said = one.demographics
    return {
        "control_id": one.control_id,
        "event": one.event,
        "sent_at": one.sent_at.isoformat(),
        "patient": [one.patient.issuer, one.patient.patient_id],
        "retired": [one.retired.issuer, one.retired.patient_id] if one.retired else None,
        "name": said.name,
        "birth_date": said.birth_date.isoformat() if said.birth_date else None,
        "sex": said.sex,
        "other_names": list(one.other_names),
    }


def _from_json(raw: dict[str, Any]) -> PatientNews:
    born = raw["birth_date"]
    return PatientNews(
        control_id=raw["control_id"],
        event=raw["event"],
        sent_at=datetime.fromisoformat(raw["sent_at"]),
        patient=PatientKey(*raw["patient"]),
        retired=PatientKey(*raw["retired"]) if raw["retired"] else None,
        demographics=Demographics(raw["name"], date.fromisoformat(born) if born else None, raw["sex"]),
        other_names=tuple(raw["other_names"]),
    )
