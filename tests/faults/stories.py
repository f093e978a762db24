"""What is sent of one patient while death comes, and what must have become of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from agent.core.case import CaseState
from agent.core.patient import PatientKey
from tests.faults.evidence import Evidence, Kind, Version, Violation
from tests.faults.senders import breast_mr, mammograms, one_more, ultrasounds
from tests.senders import Sendable

PLAIN, ADDED, BILATERAL = "mammograms", "ultrasound and MR added", "both sides"
STRUCK, TWO_CHARTS, CORRECTED = "merged when struck", "two charts merged", "corrected"


class Merge(Enum):
    """When the message comes that a patient's key is another's now."""

    WHEN_STRUCK = "the moment somebody died, else once everything is answered"
    AT_ONCE = "with the images"


@dataclass(frozen=True, slots=True)
class Story:
    """What is sent of one patient: some of it ahead, answered in peace, the rest while death comes."""

    rest: Callable[[PatientKey, str], list[Sendable]]
    ahead: Callable[[PatientKey, str], list[Sendable]] | None = None
    bilateral: bool = False
    uses: frozenset[str] = frozenset({"MG"})  # modalities on which the last answer rests
    merge: Merge | None = None  # into another patient; None: messages say nothing new of this one
    of_other: Callable[[PatientKey, str], list[Sendable]] | None = None  # what that one has already
    is_held: bool = False  # until a person accepts what came
    by_turns: bool = False  # at each boundary on one of the databases

    def before(self, who: PatientKey, other: PatientKey, name: str) -> list[Sendable]:
        """Return what is answered in peace."""
        own = self.ahead(who, name) if self.ahead else []
        return own + (self.of_other(other, name) if self.of_other else [])


STORIES = {
    PLAIN: Story(mammograms),
    ADDED: Story(
        lambda who, name: [*ultrasounds(who, name), *breast_mr(who, name)],
        ahead=mammograms,
        uses=frozenset({"MG", "US", "MR"}),
    ),
    BILATERAL: Story(lambda who, name: mammograms(who, name, "LR"), bilateral=True),
    STRUCK: Story(mammograms, merge=Merge.WHEN_STRUCK),
    TWO_CHARTS: Story(
        ultrasounds,
        ahead=mammograms,
        uses=frozenset({"MG", "US"}),
        merge=Merge.AT_ONCE,
        of_other=lambda who, name: ultrasounds(who, f"{name}other"),
        by_turns=True,
    ),
    CORRECTED: Story(
        lambda who, name: one_more(who, name, "R"),
        ahead=lambda who, name: [*mammograms(who, name), *one_more(who, name)],
        is_held=True,
        by_turns=True,
    ),
}


def versions_of(seen: Evidence, patient: PatientKey) -> list[Version]:
    """Return the versions of a patient, the newest last."""
    theirs = [version for version in seen.versions if version.case.patient == patient]
    return sorted(theirs, key=lambda version: version.case.version)


def held_of(seen: Evidence, patient: PatientKey) -> list[Version]:
    """Return those of them that wait for a person."""
    return [version for version in versions_of(seen, patient) if version.case.state is CaseState.HELD]


def is_told(seen: Evidence, patient: PatientKey, story: Story) -> Iterator[Violation]:
    """Yield what is wrong at the end: the last answer rests on everything that was sent, and came once."""
    theirs = versions_of(seen, patient)
    if not theirs:
        yield Violation(Kind.LOST, f"no version of {sorted(story.uses)}")
    elif not story.uses <= theirs[-1].used:
        missing = sorted(story.uses - theirs[-1].used)
        yield Violation(Kind.LOST, f"case {theirs[-1].case.id} was answered without {missing}")
    if story.is_held and len(theirs) != 2:
        yield Violation(Kind.DUPLICATE, f"{len(theirs)} versions where one image was corrected once")
