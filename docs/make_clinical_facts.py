"""Render docs/clinical-facts.md from the table that parses facts: python docs/make_clinical_facts.py."""

from pathlib import Path
from typing import Final

from agent.core.fact_rows import parse_rows
from agent.core.facts import FACTS, FactRule
from agent.core.patient import PatientKey

PAGE: Final = Path(__file__).with_name("clinical-facts.md")
HEAD: Final = """# Clinical facts

What the clinical query may return, one column a fact, or one row a fact by these names ([ehr.md](ehr.md)). Every fact
is optional, but without a `diagnosis` of invasive cancer no question is asked. `patient_id` and `issuer_of_patient_id`
must be columns and equal what was asked.

Each fact has the day on which it became known, `<name>_date`, else the row's `recorded_date`; a fact with neither is
refused. `<name>_source` may say where it is from. A value outside its range or set is refused alone, with its reason;
the others are used. Facts that became known on or after the day of treatment are not used, and those that only surgery
tells never before it. Age is derived from `birth_date`.

A row describes one tumour and one axilla. Where `side` is B it does not say which: then the model gets only facts about
the patient, the same for both axillae, and the report names the others as left out. Whether an estimate may be given at
all is still decided with every fact.

This page is rendered from the table in `agent/core/facts.py`.

| name | about | unit | accepted | of several values |
|-|-|-|-|-|
"""


def render() -> str:
    """Return the whole page."""
    return HEAD + "".join(
        f"| `{name}` | {rule.about} | {rule.unit or ''} | {_accepted(name)} | {_chosen(rule)} |\n"
        for name, rule in FACTS.items()
    )


def _chosen(rule: FactRule) -> str:
    return (
        "the earliest" if rule.earliest else "the newest; never before surgery" if rule.after_surgery else "the newest"
    )


def _accepted(name: str) -> str:
    """Say what is accepted by what the parser says of values that never are."""
    reasons = [_reason(name, value) for value in ("?", 1e12)]
    told = next((r for r in reasons if r.startswith(("outside ", "not one of "))), reasons[0])
    return told.removeprefix("outside ").removeprefix("not one of ").removeprefix("not ").replace("|", "\\|") or "text"


def _reason(name: str, value: object) -> str:
    row = {"patient_id": "1", "issuer_of_patient_id": "A", "recorded_date": "2026-01-01", name: value}
    refused = parse_rows([row], PatientKey("A", "1")).refused
    return next((refusal.reason for refusal in refused if refusal.name == name), "")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
