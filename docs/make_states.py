"""Render docs/states.md from the table that decides: python docs/make_states.py."""

from collections import defaultdict
from pathlib import Path
from typing import Final

from agent.core.case import ANSWERED, TRANSITIONS, CaseEvent, CaseState

PAGE: Final = Path(__file__).with_name("states.md")
HEAD: Final = """# The life of a case

A case is one question about one episode of one patient. `agent.core.case.TRANSITIONS` is its whole life; this page is
rendered from it. `agent.state` applies one event at a time, in one transaction with everything that belongs to it, and
notes it in the table `case_event`. What is not an arrow here cannot happen. Why it is built so:
[ADR 0002](adr/0002-state-machine.md).
"""

STATES: Final = {
    CaseState.COLLECTING: "Images and facts are still coming. Looked at again after the quiet period.",
    CaseState.DORMANT: "No cancer is confirmed, as in most women imaged. Nothing is sent; the EHR is asked again.",
    CaseState.READY: "Complete: an answer is due, be it an estimate or why there is none. Waits for a worker.",
    CaseState.RUNNING: "Leased by a worker until `due_at`. From here on this version takes nothing new.",
    CaseState.DELIVERING: "The result is saved, its objects are in the outbox. Retries are the outbox's matter.",
    CaseState.DONE: "Every destination proved that it has every object. Looked at again until its episode is over.",
    CaseState.FAILED: "Given up, with the reason. A person may have its result sent again (`resend`).",
    CaseState.HELD: "Identities, or images and facts, contradict each other: a person must decide. Nothing is sent.",
    CaseState.CLOSED: "Merged away, withdrawn or expired. The end.",
}

EVENTS: Final = {
    CaseEvent.INSTANCE_STORED: "An image of the case was received and indexed.",
    CaseEvent.FACTS_CHANGED: "The EHR says something new, such as a diagnosis.",
    CaseEvent.COMPLETE: "The evidence says that nothing more is to be waited for, and cancer is confirmed.",
    CaseEvent.NOT_ASKED: "The question does not apply now.",
    CaseEvent.EXPIRED: "The episode is over without a confirmed cancer.",
    CaseEvent.CLAIMED: "A worker took the case: one more attempt, with a lease. A version waits until those before it"
    " are neither ready nor running.",
    CaseEvent.LEASE_EXPIRED: "The worker died, or did not end in time; whatever it still saves is discarded. The second"
    " time is the last.",
    CaseEvent.RELEASED: "The whole agent stopped, or lost its database: nothing that this case did.",
    CaseEvent.RETRY_DUE: "The worker met an error that may pass; the case waits until `due_at`.",
    CaseEvent.RESULT_SAVED: "Result, encoded objects and outbox rows were saved together.",
    CaseEvent.GAVE_UP: "It cannot work, or did not work for too long.",
    CaseEvent.ALL_CONFIRMED: "The last object was confirmed.",
    CaseEvent.RERUN: "A new answer is wanted; only while nothing of this version was sent. No command asks for it yet.",
    CaseEvent.RESEND: "A person wants the stored bytes sent again, under the same UIDs.",
    CaseEvent.CONFLICT_FOUND: "An object says that it belongs to somebody else, or all images are of the other breast.",
    CaseEvent.RESOLVED: "A person decided, or the contradiction is gone.",
    CaseEvent.WITHDRAWN: "The case was merged into another one, taken back, or would have said the same again.",
}


def render() -> str:
    """Return the whole page."""
    return f"{HEAD}\n{_diagram()}\n{_states()}\n{_events()}"


def _diagram() -> str:
    """Draw one arrow for each pair of states that events join, in the order of the table."""
    arrows: defaultdict[tuple[CaseState, CaseState], list[CaseEvent]] = defaultdict(list)
    for (before, event), after in TRANSITIONS.items():
        arrows[before, after].append(event)
    lines = [f"    {a} --> {b}: {', '.join(events)}" for (a, b), events in arrows.items()]
    ends = [f"    {state} --> [*]" for state in CaseState if state not in {before for before, _ in TRANSITIONS}]
    return "\n".join(["```mermaid", "stateDiagram-v2", f"    [*] --> {CaseState.COLLECTING}", *lines, *ends, "```", ""])


def _states() -> str:
    rows = [
        f"| {state} | {STATES[state]} | {'next version' if state in ANSWERED else _news(state)} |" for state in STATES
    ]
    return "\n".join(["## States", "", "| state | meaning | an image that comes now |", "|-|-|-|", *rows, ""])


def _news(state: CaseState) -> str:
    return "joins it" if (state, CaseEvent.INSTANCE_STORED) in TRANSITIONS else "opens a new case"


def _events() -> str:
    rows = []
    for event, meaning in EVENTS.items():
        ways = [f"{before} → {after}" for (before, e), after in TRANSITIONS.items() if e is event]
        rows.append(f"| {event} | {meaning} | {', '.join(ways)} |")
    return "\n".join(["## Events", "", "| event | meaning | from → to |", "|-|-|-|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
