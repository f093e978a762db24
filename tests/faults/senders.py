"""Modalities that send to an agent which is being killed, and remember what it acknowledged."""

import hashlib
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta

from agent.core.patient import PatientKey
from tests.builders import mammogram, part10
from tests.builders_us_mr import dynamic, ultrasound
from tests.faults.evidence import Bytes, Message
from tests.senders import AssociationAborted, AssociationRejected, RawAssociation, Sendable, split_part10

SUCCESS = 0x0000
TRY_AGAIN_S = 0.1
NEW_PATIENT_AFTER = 4  # studies


class Ledger:
    """What was answered 0x0000 or AA, written down the moment the answer was read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acknowledged: set[Bytes] = set()
        self._messages: set[Message] = set()

    def note(self, sent: Sendable) -> None:
        """Remember one acknowledgement."""
        with self._lock:
            self._acknowledged.add(Bytes(sent.sop_instance_uid, hashlib.sha256(sent.dataset).hexdigest()))

    def note_message(self, message: Message) -> None:
        """Remember that an HL7 message was accepted."""
        with self._lock:
            self._messages.add(message)

    def acknowledged(self) -> frozenset[Bytes]:
        """Return all instances so far."""
        with self._lock:
            return frozenset(self._acknowledged)

    def messages(self) -> frozenset[Message]:
        """Return all messages so far."""
        with self._lock:
            return frozenset(self._messages)


def mammograms(patient: PatientKey, name: str, sides: Iterable[str] = "L") -> list[Sendable]:
    """Return two small views of each breast."""
    views = [(side, view) for side in sorted(sides) for view in ("CC", "MLO")]
    made = [mammogram(*v, study=name, day=_day(), rows=160, columns=128, patient=patient) for v in views]
    return [_sendable(part10(view)) for view in made]


def one_more(patient: PatientKey, name: str, side: str = "L") -> list[Sendable]:
    """Return a view of a study of its own. Of another side it is the same object, UID and pixels, corrected."""
    made = mammogram(study=f"{name}more", day=_day(), rows=160, columns=128, patient=patient, ImageLaterality=side)
    return [_sendable(part10(made))]


def ultrasounds(patient: PatientKey, name: str, sides: Iterable[str] = "L") -> list[Sendable]:
    """Return a still of each breast."""
    made = [ultrasound(side, study=f"{name}us", day=_day(), patient=patient) for side in sorted(sides)]
    return [_sendable(part10(still)) for still in made]


def breast_mr(patient: PatientKey, name: str) -> list[Sendable]:
    """Return a dynamic MR of both breasts: two phases of three slices."""
    made = dynamic(phases=2, slices=3, study=f"{name}mr", day=_day(), patient=patient)
    return [_sendable(part10(image)) for image in made]


def _day() -> date:
    return date.today() - timedelta(days=3)


def truncated(patient: PatientKey, name: str) -> Sendable:
    """Return a mammogram whose end is missing."""
    whole = _sendable(part10(mammogram("L", "CC", study=name, rows=160, columns=128, patient=patient)))
    return Sendable(whole.sop_class_uid, whole.sop_instance_uid, whole.transfer_syntax_uid, whole.dataset[:-5000])


def _sendable(encoded: bytes) -> Sendable:
    split = split_part10(encoded)
    assert isinstance(split, Sendable), split
    return split


def send(port: int, items: Sequence[Sendable], ledger: Ledger) -> list[Sendable]:
    """Send over one association, noting every acknowledgement; return what is left to be sent again."""
    contexts = list(dict.fromkeys((one.sop_class_uid, (one.transfer_syntax_uid,)) for one in items))
    left = list(items)
    try:
        association = RawAssociation(
            "127.0.0.1", port, calling="MODALITY", called="SENTINODE", contexts=contexts, timeout_s=10
        )
        with closing(association.socket), association:  # closed also where the release is not answered
            for one in items:
                context_id = 2 * contexts.index((one.sop_class_uid, (one.transfer_syntax_uid,))) + 1
                if association.store(context_id, one.sop_class_uid, one.sop_instance_uid, one.dataset) == SUCCESS:
                    ledger.note(one)
                    left.remove(one)
    except (OSError, AssociationAborted, AssociationRejected):
        pass  # killed under our hands: what was answered stands in the ledger
    return left


def send_until_taken(port: int, items: Sequence[Sendable], ledger: Ledger, stop: threading.Event) -> None:
    """Send again and again what was not acknowledged, until everything was or `stop` is set."""
    left = list(items)
    while left and not stop.is_set():
        left = send(port, left, ledger)
        if left:
            stop.wait(TRY_AGAIN_S)


@dataclass
class Load:
    """Several modalities that send studies of a changing set of patients until they are told to stop.

    Parameters
    ----------
    patient
        The n-th patient.
    asked
        The sides that the EHR asks about.
    is_too_much
        Whether to wait before the next study.
    """

    port: int
    ledger: Ledger
    patient: Callable[[int], PatientKey]
    asked: Callable[[PatientKey], Iterable[str]]
    is_too_much: Callable[[], bool]
    seed: int
    senders: int = 3
    pause_s: float = 0.5
    stop_event: threading.Event = field(default_factory=threading.Event)
    _begun: list[str] = field(default_factory=list)
    _sent: list[Sendable] = field(default_factory=list)
    _running: list[Future[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.senders, thread_name_prefix="modality")

    @property
    def begun(self) -> int:
        """Studies of which sending has begun."""
        return len(self._begun)

    def start(self) -> None:
        """Begin to send."""
        self._running = [self._pool.submit(self._run, number) for number in range(self.senders)]

    def stop(self) -> None:
        """Send no more, and raise what a sender failed with."""
        self.stop_event.set()
        self._pool.shutdown(wait=True)
        for sender in self._running:
            sender.result()

    def _run(self, number: int) -> None:
        chance = random.Random(f"{self.seed}/{number}")
        studies = 0
        while not self.stop_event.wait(chance.uniform(0, 2 * self.pause_s)):
            if self.is_too_much():
                continue
            who = number + self.senders * (studies // NEW_PATIENT_AFTER)
            name = f"m{number}.{studies}"
            self._begun.append(name)
            self._send(chance, self.patient(who), name)
            studies += 1

    def _send(self, chance: random.Random, patient: PatientKey, name: str) -> None:
        """Send a study of some kind, now and then with a damaged object, or something that was sent before."""
        sides = self.asked(patient)
        makers = (mammograms, mammograms, ultrasounds, lambda who, called, _: breast_mr(who, called))
        items = chance.choice(makers)(patient, name, sides)
        if chance.random() < 0.2:
            items.insert(1, truncated(patient, name + "t"))
        if self._sent and chance.random() < 0.3:
            items.append(chance.choice(self._sent))
        send_until_taken(self.port, items, self.ledger, self.stop_event)
        self._sent += items[:2]
