"""What proves a case complete, and what is missing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType


@dataclass(frozen=True)
class Patience:
    """How long a site waits for what. `expected` are the modalities that it does for every cancer."""

    quiet: timedelta
    expected: tuple[str, ...] = ()
    wait_for: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))  # else: no wait
    wait_for_facts: bool = True
    views: tuple[str, ...] = ()  # of a mammogram, expected of each side once there is one
    counts_wait: timedelta | None = None  # how long an answer of the PACS holds a case; None: it is not asked
    poll: timedelta = timedelta(seconds=10)  # between two questions to the PACS


@dataclass(frozen=True, slots=True)
class Counted:
    """How many instances of one modality the PACS lists of one study."""

    modality: str
    listed: int
    missing: int  # of these, not here
    stable: bool  # two answers in a row were equal, the last one since the last image
    counted_at: datetime | None  # None: it has not answered
    acquired_on: date | None = None  # the study's day, where the case holds several of the modality


@dataclass(frozen=True, slots=True)
class Observed:
    """How a case stands."""

    opened_at: datetime
    last_change: datetime
    open_association: bool  # one that brought images of this patient
    present: frozenset[str]  # modalities
    facts_known: bool  # the clinical database answered
    asked_since: datetime | None = None  # when the last news came that the PACS is asked about; None: the last image
    counts: tuple[Counted, ...] = ()  # by the PACS
    missing_views: tuple[str, ...] = ()  # "left MLO"
    fetching: bool = False  # other studies of this patient are looked for, or on their way
    not_fetched: tuple[str, ...] = ()  # sentences on what could not be
    returning: int = 0  # instances whose bytes are no longer kept, and that the PACS was asked to send again


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a case is complete; if not, when to look again. `sentences` say what that rests on.

    A complete case with something `missing` is partial.
    """

    complete: bool
    due_at: datetime
    sentences: tuple[str, ...]
    missing: tuple[str, ...]


def judge(observed: Observed, patience: Patience, now: datetime) -> Verdict:
    """Decide whether a case is complete at `now`.

    It is when the quiet period is over, no association that carries the patient is open, the clinical database
    was heard (where the site waits for it), each expected modality and view is there or its wait is over, and,
    where the PACS is asked, all that it lists is here, stable over two answers, or the wait for that is over.
    A wait for a modality or view begins with the case, one for the PACS with the last news.
    """
    missing = tuple(m for m in patience.expected if m not in observed.present)
    blockers = _blockers(observed, patience, missing, now)
    lacking = (*missing, *observed.missing_views, *_not_here(observed))
    if blockers:
        return Verdict(False, max(due for due, _ in blockers), tuple(why for _, why in blockers), lacking)
    return Verdict(True, now, _proof(observed, patience, missing), lacking)


def _not_here(observed: Observed) -> list[str]:
    return [f"{one.missing} of {one.listed} instances of {one.modality}" for one in observed.counts if one.missing]


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
    views_until = observed.opened_at + patience.wait_for.get("MG", timedelta())
    if now < views_until:
        found += [
            (views_until, f"The {view} is expected until {views_until:%Y-%m-%d %H:%M} UTC.")
            for view in observed.missing_views
        ]
    if patience.counts_wait is not None:
        found += _open_questions(observed, patience, patience.counts_wait, now)
    return found


def _open_questions(
    observed: Observed, patience: Patience, counts_wait: timedelta, now: datetime
) -> list[tuple[datetime, str]]:
    """What the PACS has still to say or to send, as long as the site waits for it."""
    waits = [
        (patience.wait_for.get(one.modality, counts_wait) if one.missing else counts_wait, why)
        for one in observed.counts
        if (why := _doubt(one))
    ]
    if observed.fetching:
        waits.append((counts_wait, "Other studies of this patient are being fetched from the PACS."))
    if observed.returning:
        why = f"{observed.returning} instances that are no longer kept here are being fetched again from the PACS."
        waits.append((counts_wait, why))
    since = observed.asked_since or observed.last_change
    untils = [(since + wait, why) for wait, why in waits]
    return [(min(until, now + patience.poll), why) for until, why in untils if now < until]


def _doubt(one: Counted) -> str:
    """What speaks against the study being here as a whole; empty: nothing."""
    study = _study(one)
    if one.counted_at is None:
        return f"The PACS has not said what {study} holds."
    if not one.listed:
        return f"The PACS lists no instance of {study}."
    if one.missing:
        return _share(one)
    return "" if one.stable else f"The PACS's count of {study} may still change."


def _study(one: Counted) -> str:
    """Name a study by its modality, and by its day where that tells it from another."""
    of_day = f" of {one.acquired_on:%Y-%m-%d}" if one.acquired_on else ""
    return f"the {one.modality} study{of_day}" if one.modality else "a study"


def _share(one: Counted) -> str:
    return (
        f"{one.listed - one.missing} of {one.listed} instances of {_study(one)} are here, "
        f"by the PACS's count at {one.counted_at:%Y-%m-%d %H:%M} UTC."
    )


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
    sentences += [f"The {view} did not arrive." for view in observed.missing_views]
    if patience.counts_wait is not None:
        sentences += _counted(observed.counts)
    sentences += observed.not_fetched
    if not observed.facts_known:
        sentences.append("The clinical database could not be asked.")
    return tuple(sentences)


def _counted(counts: tuple[Counted, ...]) -> list[str]:
    """What the PACS said in the end."""
    answered = [one for one in counts if one.counted_at is not None]
    sentences = [_share(one) if one.listed else _doubt(one) for one in answered]
    sentences += [_doubt(one) for one in answered if one.listed and not one.missing and not one.stable]
    if len(answered) < len(counts):
        sentences.append("The PACS could not be asked for its counts.")
    return sentences


def spell(span: timedelta) -> str:
    """Write a span in its largest unit that divides it: "4 h", "90 min", "60 s" as "1 min"."""
    seconds = span.total_seconds()
    for length, unit in ((3600, "h"), (60, "min")):
        if seconds and seconds % length == 0:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:g} s"
