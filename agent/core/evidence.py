"""What proves a case complete, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType


@dataclass(frozen=True)
class Patience:
    """How long a site waits for what. `expected` are the modalities that it does for every cancer."""

    quiet: timedelta
    expected: tuple[str, ...] = ()
    wait_for: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))  # else: no wait
    wait_for_facts: bool = True


@dataclass(frozen=True, slots=True)
class Observed:
    """How a case stands."""

    opened_at: datetime
    last_change: datetime
    open_association: bool  # one that brought images of this patient
    present: frozenset[str]  # modalities
    facts_known: bool  # the clinical database answered


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a case is complete; if not, when to look again. `sentences` say what that rests on."""

    complete: bool
    due_at: datetime
    sentences: tuple[str, ...]
    missing: tuple[str, ...]


def judge(observed: Observed, patience: Patience, now: datetime) -> Verdict:
    """Decide whether a case is complete at `now`.

    It is when the quiet period is over, no association that carries the patient is open, the clinical database
    was heard (where the site waits for it) and each expected modality is there or its wait is over.
    """
    missing = tuple(m for m in patience.expected if m not in observed.present)
    blockers = _blockers(observed, patience, missing, now)
    if blockers:
        return Verdict(False, max(due for due, _ in blockers), tuple(why for _, why in blockers), missing)
    return Verdict(True, now, _proof(observed, patience, missing), missing)


def _blockers(
    observed: Observed, patience: Patience, missing: tuple[str, ...], now: datetime
) -> list[tuple[datetime, str]]:
    """What still speaks against completeness, each with the moment at which to look again."""
    found = []
    quiet_until = observed.last_change + patience.quiet
    if now < quiet_until:
        found.append((quiet_until, f"The quiet period of {spell(patience.quiet)} is not over."))
    if observed.open_association:
        found.append((now + patience.quiet, "An association that carries this patient is open."))
    if patience.wait_for_facts and not observed.facts_known:
        found.append((now + patience.quiet, "The clinical database could not be asked."))
    for modality in missing:
        deadline = observed.opened_at + patience.wait_for.get(modality, timedelta())
        if now < deadline:
            found.append((deadline, f"{modality} is expected until {deadline:%Y-%m-%d %H:%M} UTC."))
    return found


def _proof(observed: Observed, patience: Patience, missing: tuple[str, ...]) -> tuple[str, ...]:
    sentences = [
        f"No image arrived during the quiet period of {spell(patience.quiet)}.",
        "No association that carries this patient is open.",
    ]
    if there := [m for m in patience.expected if m in observed.present]:
        sentences.append(f"Expected and present: {', '.join(there)}.")
    for modality in missing:
        wait = patience.wait_for.get(modality)
        sentences.append(f"No usable {modality} arrived{f' within {spell(wait)}' if wait else ''}.")
    if not observed.facts_known:
        sentences.append("The clinical database could not be asked.")
    return tuple(sentences)


def spell(span: timedelta) -> str:
    """Write a span in its largest unit that divides it: "4 h", "90 min", "60 s" as "1 min"."""
    seconds = span.total_seconds()
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:g} s"
