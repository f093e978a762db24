"""Whether a question applies to a patient, by what the clinical database says and by the images that are here."""

from datetime import date, timedelta

from agent.assemble.judging import QuestionScope
from agent.assemble.seen import Seen
from agent.core.eligibility import APART, NO_IMAGE, Eligibility, assess, bound_by_identity, bound_by_images
from agent.core.patient import SPLIT


def applies(
    question: str, seen: Seen, scope: QuestionScope | None, *, day: date, episode: timedelta | None
) -> Eligibility:
    """Say whether a question applies on a day, and for which axillae there may be an estimate.

    Of whom a person told apart nothing is asked: her images came under another patient's identifier.
    """
    if seen.case.patient.issuer.startswith(SPLIT):
        return Eligibility(asked=False, reason=APART)
    images = [one.instance for one in seen.standing.stored if not one.instance.barred]
    found = assess(question, seen.facts, day, limits=scope.limits if scope else None, episode=episode)
    found = bound_by_images(found, [image.acquired_on for image in images])
    return bound_by_identity(found, seen.facts, {image.demographics for image in images})


def with_images(seen: Seen, eligibility: Eligibility) -> Eligibility:
    """Ask nothing where there is no image: a case was opened to hold something, or its images are another's now."""
    return eligibility if seen.standing.stored else Eligibility(asked=False, reason=NO_IMAGE)
