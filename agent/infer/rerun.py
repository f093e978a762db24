"""Answering a failed version once more, because a person asks for it."""

from datetime import datetime
from typing import Final

from agent.core.case import Case, CaseEvent, CaseState, IllegalTransition
from agent.core.errors import Permanent
from agent.core.firewall import stopped
from agent.core.ports import Store, Unit

_INSTEAD: Final = {
    CaseState.COLLECTING: "it is answered when it is complete",
    CaseState.DORMANT: "it is answered if the question comes to apply; `sentinode cases show {id}` says what is known",
    CaseState.READY: "it is about to be answered",
    CaseState.RUNNING: "it is being answered",
    CaseState.DELIVERING: "its result is on its way and final; `sentinode resend {id}` sends the same objects again",
    CaseState.DONE: "its result is final; `sentinode resend {id}` sends the same objects again",
    CaseState.HELD: "decide what it is held for first: `sentinode resolve {id}`",
    CaseState.CLOSED: "it was ended for good; what arrives next opens another version",
}

_NOT_SAID: Final = (CaseState.COLLECTING, CaseState.DORMANT, CaseState.CLOSED)
"""States of a later version that take nothing from an earlier one."""


def rerun(store: Store, case_id: int, now: datetime) -> Case:
    """Let a FAILED version of which nothing was sent be answered again, and return the case: READY.

    A worker answers it with the bundle that is configured then, from the same images and findings.

    Raises
    ------
    Permanent
        If there is no such case, it is not FAILED, something of it was sent, a later version took its place, or the
        firewall stops it. The message says what to do instead.
    """
    with store.unit() as unit:
        try:
            case = unit.lock(case_id)
        except KeyError:
            raise Permanent(f"there is no case {case_id}") from None
        if why := _refusal(unit, case):
            raise Permanent(f"case {case_id} is not run again: {why}")
        try:
            return unit.apply(case, CaseEvent.RERUN, now, reason="asked for by a person")
        except IllegalTransition:
            raise Permanent(
                f"case {case_id} is not run again: something of it was sent, and other content never goes out under the"
                f" same UIDs; `sentinode resend {case_id}` sends the same objects again"
            ) from None


def _refusal(unit: Unit, case: Case) -> str:
    if case.state is not CaseState.FAILED:
        return f"it is {case.state}, only a failed one is; {_INSTEAD[case.state].format(id=case.id)}"
    later = [one for one in unit.versions(case) if one.version > case.version and one.state not in _NOT_SAID]
    if later:
        return f"version {later[-1].version} took its place: see case {later[-1].id}"
    stored = unit.instances(case.id)
    if gone := sum(one.is_gone for one in stored):
        return (
            f"{gone} of its {len(stored)} images are no longer kept here; have the PACS or the modality send them to"
            " the agent again, then ask once more"
        )
    return stopped(unit, case)
