"""The PACS's word on a case: asked for in its own time, and judged as evidence that the case is complete."""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import structlog

from agent.assemble.judging import QuestionScope
from agent.core.case import Case
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.evidence import Counted, Observed, Patience
from agent.core.pacs import AGAIN, Listed, PacsQuery, Retrieval, RetrievalStatus, Search, StudyCount
from agent.core.ports import Store, StoredInstance, Unit

MOST_PER_TICK: Final = 50
SLOWEST: Final = 4  # doublings of the time between two polls of a count that does not change
_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
_READ: Final[Mapping[str, frozenset[str]]] = {  # raw mammograms and tomosynthesis: seldom sent on, never read
    "MG": frozenset({_STORAGE + "1.2"}),
    "US": frozenset({_STORAGE + "6.1", _STORAGE + "3.1"}),
    "MR": frozenset({_STORAGE + "4", _STORAGE + "4.1", _STORAGE + "4.4"}),
    "SM": frozenset({_STORAGE + "77.1.6"}),
}

_log = structlog.get_logger()

Routed = Mapping[str, Mapping[str, frozenset[str]]]
"""By question and modality, the SOP classes that are to be here."""


@dataclass(frozen=True, slots=True)
class Asking:
    """What the PACS is asked about each case that a confirmed cancer asks the question of."""

    counts: bool = False
    missing_modalities: bool = False


NOTHING: Final = Asking()
"""The site has no PACS that may be asked."""


def routed(scopes: Iterable[QuestionScope]) -> Routed:
    """Return what each question reads, as far as a site sends it on."""
    return {scope.question: {m: _READ[m] for m in sorted(scope.modalities) if m in _READ} for scope in scopes}


def with_pacs(
    unit: Unit,
    case: Case,
    observed: Observed,
    stored: Sequence[StoredInstance],
    *,
    patience: Patience,
    asking: Asking,
    now: datetime,
) -> Observed:
    """Add to what was observed of a case what the PACS said of it, and have it asked what it did not say yet."""
    since = max(observed.last_change, case.changed_at)
    observed = replace(observed, asked_since=since)
    if asking.counts:
        observed = replace(observed, counts=_counts(unit, case, stored, since))
    if asking.missing_modalities:
        missing = [modality for modality in patience.expected if modality not in observed.present]
        observed = _with_fetching(unit, case, observed, missing, patience, now)
    if asking != NOTHING:
        observed = replace(observed, returning=_returning(unit, case, stored, patience, now))
    return observed


def _counts(unit: Unit, case: Case, stored: Sequence[StoredInstance], since: datetime) -> tuple[Counted, ...]:
    here: dict[str, set[str]] = {}
    for one in stored:
        here.setdefault(one.instance.study_instance_uid, set()).add(one.instance.modality)
    days = _days(stored)
    unit.want_counts(case.id, sorted(here), since)
    counts = [count for count in unit.counts(case.id) if count.study_instance_uid in here]
    found = [
        replace(one, acquired_on=days.get((count.study_instance_uid, one.modality)))
        for count in counts
        for one in _counted(unit, count, here[count.study_instance_uid], since)
    ]
    several = {modality for modality, number in Counter(one.modality for one in found).items() if number > 1}
    return tuple(one if one.modality in several else replace(one, acquired_on=None) for one in found)


def _days(stored: Sequence[StoredInstance]) -> dict[tuple[str, str], date | None]:
    """The day of each study and modality, by which two studies of one modality are told apart."""
    return {(one.instance.study_instance_uid, one.instance.modality): one.instance.acquired_on for one in stored}


def _counted(unit: Unit, count: StudyCount, here: Collection[str], since: datetime) -> list[Counted]:
    """What the PACS said of one study, by modality; what came since then is no longer missing."""
    if count.counted_at is None:
        return [Counted(modality, 0, 0, False, None) for modality in sorted(here)]
    lacking = unit.not_arrived([uid for _, uid in count.missing])
    stable = count.equal_polls >= 2 and count.counted_at >= since
    return [
        Counted(
            modality,
            count.listed.get(modality, 0),
            sum(1 for of, uid in count.missing if of == modality and uid in lacking),
            stable,
            count.counted_at,
        )
        for modality in sorted({*here, *count.listed})
    ]


def _with_fetching(
    unit: Unit, case: Case, observed: Observed, missing: Sequence[str], patience: Patience, now: datetime
) -> Observed:
    """Have other studies looked for: once, and again while an expected modality is missing."""
    search, asked = unit.search(case.id), [one for one in unit.retrievals(case.id) if one.why != AGAIN]
    if search is None or _is_due_again(search, missing, patience, now):
        unit.want_search(case.id, now)
        return replace(observed, fetching=True)
    return replace(
        observed,
        fetching=search.next_at is not None or any(_is_coming(one, patience, now) for one in asked),
        not_fetched=_not_fetched(search, asked),
    )


def _is_due_again(search: Search, missing: Sequence[str], patience: Patience, now: datetime) -> bool:
    waits = [patience.wait_for[modality] for modality in missing if modality in patience.wait_for]
    if not waits or search.next_at is not None or search.searched_at is None:
        return False
    return now - search.searched_at >= max(min(waits) / 4, patience.poll)


def _is_coming(one: Retrieval, patience: Patience, now: datetime) -> bool:
    """Whether it is still to come, or came just now and may not have been read from the spool yet."""
    just_now = one.settled_at is not None and now - one.settled_at < patience.quiet
    return one.status is RetrievalStatus.WAITING or (one.status is RetrievalStatus.DONE and just_now)


def _returning(unit: Unit, case: Case, stored: Sequence[StoredInstance], patience: Patience, now: datetime) -> int:
    """Have what is no longer kept sent again, once a version; return how many instances are still to come."""
    gone = [one.instance for one in stored if one.is_gone]
    if not gone:
        return 0
    requested = {one.wanted: one for one in unit.retrievals(case.id) if one.why == AGAIN}
    waiting = 0
    for study, series in sorted({(one.study_instance_uid, one.series_instance_uid) for one in gone}):
        here = (study, series)
        uids = [one.sop_instance_uid for one in gone if (one.study_instance_uid, one.series_instance_uid) == here]
        known = [
            one for wanted, one in requested.items() if (wanted.study_instance_uid, wanted.series_instance_uid) == here
        ]
        if not known:
            unit.want_again(case.id, study, series, uids, now)
        waiting += len(uids) if not known or any(_is_coming(one, patience, now) for one in known) else 0
    return waiting


def _not_fetched(search: Search, asked: Sequence[Retrieval]) -> tuple[str, ...]:
    sentences = []
    if search.error:
        sentences.append("The PACS could not be asked for other studies of this patient.")
    if lacking := sum(1 for one in asked if one.status is not RetrievalStatus.DONE):
        sentences.append(f"{lacking} series that the PACS lists could not be fetched.")
    return tuple(sentences)


class Inquirer:
    """Asks the PACS how many instances the studies of waiting cases have. It decides nothing.

    Parameters
    ----------
    routed
        What counts; anything else in a study, our own results too, does not.
    quiet
        A case is asked about once it was quiet for this long.
    poll
        Between two questions about one study; longer for one that no longer changes.
    """

    def __init__(
        self,
        store: Store,
        pacs: PacsQuery,
        routed: Routed,
        *,
        quiet: timedelta,
        poll: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._pacs = pacs
        self._routed = routed
        self._quiet = quiet
        self._poll = poll
        self._now = now

    def tick(self) -> int:
        """Ask about the studies that are due, and return how many the PACS answered for.

        A PACS that is away is asked once; the others wait with the one that was asked for.

        Raises
        ------
        Transient
            If the agent's own database is away.
        """
        with self._store.unit() as unit:
            due = unit.studies_to_ask(self._now(), self._now() - self._quiet, MOST_PER_TICK)
        answered, away = 0, ""
        for case, count in due:
            if away:
                self._failed(case, count, away)
                continue
            try:
                listed = self._pacs.instances(count.study_instance_uid, tuple(self._routed.get(case.question, ())))
            except Unreachable as exc:
                away = str(exc)
                self._failed(case, count, away)
            except (Transient, Permanent) as exc:
                self._failed(case, count, str(exc))
            else:
                self._answered(case, count, listed)
                answered += 1
        if away:
            _log.warning("pacs_away", reason=away)
        return answered

    def _failed(self, case: Case, count: StudyCount, reason: str) -> None:
        now = self._now()
        with self._store.unit() as unit:
            unit.save_count(case.id, replace(count, asked_at=now, error=reason), now + self._poll)

    def _answered(self, case: Case, count: StudyCount, listed: Sequence[Listed]) -> None:
        now, classes = self._now(), self._routed.get(case.question, {})
        counting = [one for one in listed if one.sop_class_uid in classes.get(one.modality, ())]
        with self._store.unit() as unit:
            lacking = unit.not_arrived([one.sop_instance_uid for one in counting])
            said = _said(count, counting, lacking, now)
            calm = min(max(said.equal_polls - 2, 0), SLOWEST)
            unit.save_count(case.id, said, now + self._poll * 2**calm)


def _said(count: StudyCount, counting: Sequence[Listed], lacking: Collection[str], now: datetime) -> StudyCount:
    """What an answer makes of what was known."""
    by_modality: dict[str, int] = {}
    for one in counting:
        by_modality[one.modality] = by_modality.get(one.modality, 0) + 1
    digest = hashlib.sha256("\n".join(sorted(one.sop_instance_uid for one in counting)).encode()).hexdigest()
    return StudyCount(
        count.study_instance_uid,
        asked_at=now,
        counted_at=now,
        listed=by_modality,
        digest=digest,
        missing=tuple((one.modality, one.sop_instance_uid) for one in counting if one.sop_instance_uid in lacking),
        equal_polls=count.equal_polls + 1 if digest == count.digest else 1,
    )
