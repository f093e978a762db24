"""Making a failing story small, and telling it."""

from collections.abc import Callable, Sequence

from agent.core.patient import PatientKey
from tests.faults.cases.play import Step
from tests.faults.cases.truth import Message, Photo, Story

Orders = tuple[tuple[Step, ...], ...]


def shrink(orders: Orders, fails: Callable[[Orders], bool]) -> Orders:
    """Leave out messages, from every order at once, and repetitions, while it still fails."""
    smaller = True
    while smaller:
        smaller = False
        for dropped in _parts(orders):
            fewer = tuple(tuple(step for step in order if step not in dropped) for order in orders)
            if fails(fewer):
                orders, smaller = fewer, True
                break
    return orders


def _parts(orders: Orders) -> Sequence[frozenset[Step]]:
    """What may be left out: a message wherever it is, or a single repetition."""
    messages = list({id(step.message): step.message for step in orders[0]}.values())
    whole = [frozenset(s for order in orders for s in order if s.message is message) for message in messages]
    again = []
    for order in orders:
        for message in messages:
            again += [frozenset((step,)) for step in [s for s in order if s.message is message][1:]]
    return whole + again


def tell(story: Story, orders: Orders) -> str:
    """Tell a story in lines."""
    lines = [f"{p.name}: {', '.join(map(_key, p.keys))}; side {p.sides or 'none'}" for p in story.persons]
    for number, order in enumerate(orders):
        lines += [f"order {number}:", *(f"  {_said(story, step.message)}" for step in order)]
    return "\n".join(lines)


def _said(story: Story, message: Message) -> str:
    if isinstance(message, tuple):
        row = story.person[message[0]].rows[message[1]]
        return f"facts of {message[0]}: {', '.join(f'{name}={value}' for name, value in row.items())}"
    if isinstance(message, Photo):
        h = message.header
        said = h.demographics.name or "nobody"
        return (
            f"image {h.sop_instance_uid[-6:]} {h.modality} {h.laterality or '-'} of {h.acquired_on}, study "
            f"{h.study_instance_uid[-4:]}, {_key(h.patient)}, says {said}, shows {message.owner}"
            f"{'' if message.is_right else ', wrong'}, {h.sha256[:6]}"
        )
    retired = f" for {_key(message.retired)}" if message.retired else ""
    return f"{message.event} {message.control_id}: {_key(message.patient)}{retired} {message.demographics.name}"


def _key(key: PatientKey) -> str:
    return f"{key.issuer}|{key.patient_id}"
