"""What is known of a patient, as the tests of who is asked about need it, and what follows from it today."""

from datetime import date, timedelta

from agent.core.assessed import Range
from agent.core.clinical import ClinicalFacts, Fact, Refusal, Value
from agent.core.eligibility import Eligibility, assess

TODAY = date(2026, 11, 20)
KNOWN = date(2026, 11, 1)
EPISODE = timedelta(days=120)
CANCER: dict[str, Value] = {"diagnosis": "invasive", "side": "L", "sex": "F", "birth_date": date(1970, 1, 1)}
SENTINEL: dict[str, Value] = {"axillary_surgery_date": date(2026, 11, 12), "sentinel_positive": 1}


def clinical(*, known_on: date = KNOWN, refused: tuple[str, ...] = (), **values: Value | None) -> ClinicalFacts:
    """Return the facts of a woman with invasive cancer, some of them others or, as None, not there."""
    kept = {n: Fact(v, known_on) for n, v in {**CANCER, **values}.items() if v is not None}
    return ClinicalFacts(kept, tuple(Refusal(name, "a rule") for name in refused))


def dated(facts: ClinicalFacts, **known_on: date) -> ClinicalFacts:
    """Change the days on which facts became known."""
    return ClinicalFacts({n: Fact(f.value, known_on.get(n, f.known_on)) for n, f in facts.facts.items()}, facts.refused)


def with_earlier(facts: ClinicalFacts, **earlier: Fact) -> ClinicalFacts:
    """Add what was said before."""
    return ClinicalFacts(facts.facts, facts.refused, {name: (fact,) for name, fact in earlier.items()})


def assessed(facts: ClinicalFacts | None, question: str = "aln", limits: Range | None = None) -> Eligibility:
    """Ask today, with the episode that is usual."""
    return assess(question, facts, TODAY, limits=limits, episode=EPISODE)
