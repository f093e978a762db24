"""What a case lacks is looked for in the PACS and fetched: this patient's alone, bounded, one at a time."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final

import structlog

from agent.assemble.inquire import Routed
from agent.core.case import Case
from agent.core.errors import Permanent, Transient, Unreachable
from agent.core.pacs import (
    MOST_INSTANCES,
    Listed,
    PacsQuery,
    PacsRetrieve,
    Retrieval,
    RetrievalStatus,
    Search,
    StudyMatch,
    Wanted,
)
from agent.core.ports import Store
from agent.core.retry import RetryPolicy, retry_delay

MOST_SEARCHES: Final = 20
MOST_RETRIEVALS: Final = 10
TRIES: Final = 5
SPREAD: Final = 0.2  # share of a wait by which calls to a PACS that is away are spread
POLICY: Final = RetryPolicy(first_s=30, max_s=900, give_up_after_s=86400)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LookFor:
    """What is looked for. `expected` are the modalities that the site makes for every cancer."""

    routed: Routed
    expected: tuple[str, ...]
    days_back: timedelta
    poll: timedelta


class Searcher:
    """Finds the patient's other studies, and requests those of their series of which nothing is here.

    Parameters
    ----------
    random
        Numbers in [0, 1), which spread new tries.
    """

    def __init__(
        self,
        store: Store,
        pacs: PacsQuery,
        look_for: LookFor,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._pacs = pacs
        self._look_for = look_for
        self._now = now
        self._random = random

    def tick(self) -> int:
        """Look for the studies of the cases that are due, and return how many series were requested.

        Raises
        ------
        Transient
            If the agent's own database is away.
        """
        with self._store.unit() as unit:
            due = unit.searches_due(self._now(), MOST_SEARCHES)
        requested = 0
        for case, search in due:
            try:
                requested += self._look(case, search)
            except Unreachable as exc:
                self._failed(search, str(exc))
                break
            except (Transient, Permanent) as exc:
                self._failed(search, str(exc))
        return requested

    def _look(self, case: Case, search: Search) -> int:
        now, wanted = self._now(), self._look_for
        classes = wanted.routed.get(case.question, {})
        with self._store.unit() as unit:
            instances = [one.instance for one in unit.instances(case.id)]
            findings = unit.findings(case.id)
        missing = {m for m in wanted.expected if m in classes} - {one.modality for one in instances}
        # a day more: the PACS counts its days in its own time zone
        days = (_since(findings, (now - wanted.days_back).date()), (now + timedelta(days=1)).date())
        studies = self._pacs.studies(case.patient, tuple(classes), *days)
        here = {one.study_instance_uid for one in instances}
        listed = self._listed(studies, here, missing, classes)
        requested = 0
        with self._store.unit() as unit:
            lacking = unit.not_arrived([one.sop_instance_uid for _, one in listed])
            for place, modality in _absent(listed, lacking).items():
                why = f"{modality} is missing" if modality in missing else "another study of this patient"
                requested += unit.want_study(case.id, place, why, now)
            unit.save_search(replace(search, next_at=None, searched_at=now, attempts=0, error=""))
        return requested

    def _listed(
        self,
        studies: Sequence[StudyMatch],
        here: Collection[str],
        missing: Collection[str],
        classes: Mapping[str, frozenset[str]],
    ) -> list[tuple[str, Listed]]:
        """What these studies hold that the question reads; of a study that is here only what is missing."""
        found: list[tuple[str, Listed]] = []
        for study in sorted(studies, key=lambda s: _rank(s, missing)):
            uid = study.study_instance_uid
            modalities = tuple(m for m in classes if uid not in here or m in missing)
            if modalities and len(found) < MOST_INSTANCES:
                listed = self._pacs.instances(uid, modalities)
                found += [(uid, one) for one in listed if one.sop_class_uid in classes.get(one.modality, ())]
        return found[:MOST_INSTANCES]

    def _failed(self, search: Search, reason: str) -> None:
        attempts = search.attempts + 1
        delay = max(retry_delay(POLICY, attempts, self._random()), self._look_for.poll)
        next_at = self._now() + delay if attempts < TRIES else None
        with self._store.unit() as unit:
            unit.save_search(replace(search, next_at=next_at, attempts=attempts, error=reason))
        _log.warning("search_failed", case_id=search.case_id, reason=reason)


def _since(findings: Mapping[str, Any], days_back: date) -> date:
    """The first day that is looked at: all of the episode, however long ago it began."""
    earliest = findings.get("eligibility", {}).get("earliest")
    return min(days_back, date.fromisoformat(earliest)) if earliest else days_back


def _rank(study: StudyMatch, missing: Collection[str]) -> tuple[bool, int]:
    """What is missing first, then the newest."""
    day = study.study_date.toordinal() if study.study_date else 0
    return study.modalities.isdisjoint(missing), -day


def _absent(listed: Sequence[tuple[str, Listed]], lacking: Collection[str]) -> dict[Wanted, str]:
    """The series of which nothing was ever received, with their modality."""
    started = {one.series_instance_uid for _, one in listed if one.sop_instance_uid not in lacking}
    return {
        Wanted(uid, one.series_instance_uid): one.modality
        for uid, one in listed
        if one.series_instance_uid not in started
    }


class Retriever:
    """Carries out what was requested, one at a time, a few tries each; what comes arrives by the receiver.

    Parameters
    ----------
    random
        Numbers in [0, 1), which spread new tries.
    """

    def __init__(
        self,
        store: Store,
        pacs: PacsRetrieve,
        *,
        now: Callable[[], datetime],
        random: Callable[[], float],
    ) -> None:
        self._store = store
        self._pacs = pacs
        self._now = now
        self._random = random

    def tick(self) -> int:
        """Carry out what is due, at most 10 requests, and return how many were fulfilled.

        Raises
        ------
        Transient
            If the agent's own database is away.
        """
        done = 0
        for _ in range(MOST_RETRIEVALS):
            with self._store.unit() as unit:
                wanted = unit.retrieval_due(self._now())
            if wanted is None:
                break
            try:
                settled = self._try(wanted)
            except Unreachable as exc:
                self._put_off(wanted, str(exc))
                break
            with self._store.unit() as unit:
                unit.save_retrieval(settled)
            done += settled.status is RetrievalStatus.DONE
        return done

    def _try(self, one: Retrieval) -> Retrieval:
        tried = replace(one, attempts=one.attempts + 1)
        try:
            if not self._pacs.retrieve(one.wanted):
                raise Transient("the peer sent nothing")
        except Unreachable:
            raise
        except Permanent as exc:
            return self._given_up(tried, str(exc))
        except Transient as exc:
            if tried.attempts >= TRIES:
                return self._given_up(tried, str(exc))
            next_at = self._now() + retry_delay(POLICY, tried.attempts, self._random())
            return replace(tried, next_at=next_at, error=str(exc))
        _log.info("retrieved", case_id=one.case_id)
        return replace(tried, status=RetrievalStatus.DONE, settled_at=self._now(), error="")

    def _put_off(self, one: Retrieval, reason: str) -> None:
        """A PACS that is away was not asked: that is no try. The longer it is away the seldomer it is called."""
        waited = (self._now() - one.asked_at).total_seconds()
        span = min(max(waited, POLICY.first_s), POLICY.max_s) * (1 - SPREAD * self._random())
        later = replace(one, next_at=self._now() + timedelta(seconds=span), error=reason)
        with self._store.unit() as unit:
            unit.save_retrieval(later)
        if one.error != reason:
            _log.warning("pacs_away", reason=reason)

    def _given_up(self, tried: Retrieval, reason: str) -> Retrieval:
        _log.warning("retrieval_given_up", case_id=tried.case_id, reason=reason)
        return replace(tried, status=RetrievalStatus.GIVEN_UP, settled_at=self._now(), error=reason)
