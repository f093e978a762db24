"""Several calls to one PACS over one association, opened with the first and released after the last."""

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import chain, islice
from typing import Final, Self, TypeAlias, TypeVar

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom.association import Association
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]  # made at import

from agent.core.archive import OnReport, StoreOutcome
from agent.core.errors import Transient, Unanswered
from agent.core.services import MESSAGE_TRANSFER_SYNTAXES, VERIFICATION
from agent.dimse.association import Peer, association
from agent.dimse.flight import Flight
from agent.dimse.part10 import EXPLICIT, IMPLICIT, Part, split
from agent.dimse.query import PENDING, named
from agent.dimse.still import AssociationLost, hold_still
from agent.dimse.store import store

Proposal: TypeAlias = tuple[str, tuple[str, ...]]
"""What a presentation context proposes: an abstract syntax and its transfer syntaxes."""

FIND: Final[Proposal] = (str(StudyRootQueryRetrieveInformationModelFind), MESSAGE_TRANSFER_SYNTAXES)
ECHO: Final[Proposal] = (VERIFICATION, MESSAGE_TRANSFER_SYNTAXES)
_NOT_STORAGE: Final = frozenset({FIND[0], ECHO[0]})
_Answer = TypeVar("_Answer")
Commit: TypeAlias = Callable[[str, Sequence[tuple[str, str]], OnReport | None], None]
_Outcomes: TypeAlias = Generator[StoreOutcome, None, None]


class NotAccepted(Transient):
    """The association was accepted, and what is wanted was not."""


def proposals(pairs: Iterable[tuple[str, str]]) -> list[Proposal]:
    """Return one proposal for each pair of SOP class and transfer syntax, in order of appearance.

    Beside Explicit VR Little Endian the default transfer syntax has one of its own (PS3.5 10.1): of two in one proposal
    a peer might take the default although it takes both.
    """
    both = {EXPLICIT: (EXPLICIT, IMPLICIT)}
    distinct = dict.fromkeys((one, each) for one, syntax in pairs for each in both.get(syntax, (syntax,)))
    return [(sop_class, (syntax,)) for sop_class, syntax in distinct]


class PacsSession:
    """An `Archive` over at most one association at a time.

    Parameters
    ----------
    peer : Peer
        Whom to call.
    expected : collection of Proposal
        What the first association proposes beside what its first call needs.
    commit : callable
        Asks for storage commitment, over an association of its own.
    taken : deque of Proposal, one at most
        What the peer took to store before. It is proposed beside what is to be stored: a peer that refuses that and
        takes this knows us, and does not take that SOP class.
    """

    def __init__(self, peer: Peer, expected: Collection[Proposal], commit: Commit, taken: deque[Proposal]) -> None:
        self._peer = peer
        self._expected = tuple(expected)
        self._commit = commit
        self._taken = taken
        self._open = ExitStack()
        self._held: Flight | None = None
        self._proposed: frozenset[Proposal] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the association, if there is one."""
        self._held = None
        self._open.close()

    @contextmanager
    def session(self, pairs: Collection[tuple[str, str]] = (), *, reads_back: bool = False) -> Iterator[Self]:
        """Give this very session, which ends with its own block."""
        yield self

    def store(
        self,
        parts: Sequence[bytes],
        *,
        needs: Mapping[str, Collection[str]] | None = None,
        may_send: Callable[[str], bool] = lambda _: True,
    ) -> Generator[StoreOutcome, None, None]:
        """Store Part 10 files in order, as many at once as the peer allows, and yield each outcome when it is there.

        The dataset bytes travel as they are, unless the peer takes the SOP class in Implicit VR Little Endian alone.
        Where it takes other SOP classes of ours and not that of an object, or not in its transfer syntax, the object
        has status None.

        Raises
        ------
        Unreachable
            Before the first outcome, if there is no association; Unanswered where a response does not come in time.
        Transient
            If a response is missing for another reason, outcomes yielded before stand; or if the peer accepts no
            context for anything to store: as long as it does not know us at all, that says nothing of the objects.
        Permanent
            If one of `parts` is not a Part 10 file; nothing was sent then.
        """
        chosen = [split(encoded) for encoded in parts]
        if not chosen:
            return
        wanted = proposals((p.sop_class_uid, p.transfer_syntax_uid) for p in chosen)
        first, rest = self._over(wanted, lambda held: _begun(self._stored(held, chosen, needs or {}, may_send)))
        with closing(rest):
            yield from chain(first, rest)

    def has(self, study_instance_uid: str, series_instance_uid: str, sop_instance_uid: str) -> bool:
        """Whether the peer lists the instance (PS3.4 C.6.2, study root, IMAGE level).

        Raises
        ------
        Transient
            If it cannot be asked, or answers with a failure; Unanswered where nothing comes in time.
        """
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = study_instance_uid
        query.SeriesInstanceUID = series_instance_uid
        query.SOPInstanceUID = sop_instance_uid
        return self._over([FIND], lambda held: _is_listed(held, query))

    def request_commitment(
        self,
        transaction_uid: str,
        instances: Sequence[tuple[str, str]],
        on_report: OnReport | None = None,
    ) -> None:
        """Ask for storage commitment, over an association of its own; what is open is released before.

        Raises
        ------
        Transient, Permanent
            As the client's own.
        """
        self.close()
        self._commit(transaction_uid, instances, on_report)

    def echo(self) -> None:
        """C-ECHO (PS3.4 A.4).

        Raises
        ------
        Transient
            If it is not answered with success; Unanswered where nothing comes in time.
        """
        self._over([ECHO], _echo)

    def _stored(
        self, held: Flight, parts: Sequence[Part], needs: Mapping[str, Collection[str]], may_send: Callable[[str], bool]
    ) -> _Outcomes:
        """Store over an association on which the peer accepted something to store. Raises NotAccepted."""
        accepted = [(str(one.abstract_syntax), (str(one.transfer_syntax[0]),)) for one in held.opened.accepted_contexts]
        storage = [one for one in accepted if one[0] not in _NOT_STORAGE]
        if not storage:
            raise NotAccepted("the peer accepted no presentation context for anything to store")
        self._taken.append(storage[0])
        yield from store(held, parts, needs, may_send)

    def _over(self, wanted: Sequence[Proposal], ask: Callable[[Flight], _Answer]) -> _Answer:
        """Ask over the association that is held, where it proposed all that is wanted, else over a new one.

        Where the one held turns out to be over, a new one is asked. A peer that refused what is wanted beside something
        else is asked with that alone: some serve queries and storage from different programs.
        """
        held = self._covering(wanted)
        if not _NOT_STORAGE.issuperset(sop_class for sop_class, _ in wanted):
            wanted = [*wanted, *self._taken]
        opened = held or self._opened([*wanted, *self._expected])
        try:
            return ask(opened)
        except AssociationLost:
            if held is None:
                raise
            opened = self._opened([*wanted, *self._expected])
        except NotAccepted:
            opened = self._opened(wanted)
        return ask(opened)

    def _covering(self, wanted: Sequence[Proposal]) -> Flight | None:
        """Return the association that is held, if it is still open and proposed all that is wanted."""
        held = self._held
        return held if held is not None and held.opened.is_established and self._proposed.issuperset(wanted) else None

    def _opened(self, chosen: Sequence[Proposal]) -> Flight:
        """Open an association, and release the one before; what it proposes is expected from now on."""
        self.close()
        distinct = tuple(dict.fromkeys(chosen))
        contexts = [build_context(abstract, list(syntaxes)) for abstract, syntaxes in distinct]
        self._held = Flight(self._open.enter_context(association(self._peer, contexts)))
        self._proposed = frozenset(distinct)
        self._expected = tuple(dict.fromkeys((*self._expected, *distinct)))
        return self._held


def _begun(outcomes: _Outcomes) -> tuple[list[StoreOutcome], _Outcomes]:
    """Go on until the first outcome; return it, if there is one, and those that follow."""
    return list(islice(outcomes, 1)), outcomes


def _is_listed(held: Flight, query: Dataset) -> bool:
    """Whether an answer names the SOP instance: a peer that ignores the unique key lists the whole series."""
    opened = held.opened
    _check(opened, FIND[0])
    hold_still(opened)
    found, asked_at = False, time.monotonic()
    for status, match in opened.send_c_find(query, UID(FIND[0]), msg_id=held.next_message_id()):
        code = status.get("Status")
        if code in PENDING:
            found = found or (match is not None and match.get("SOPInstanceUID") == query.SOPInstanceUID)
        elif code is None:
            raise _silence(opened, "C-FIND", asked_at)
        elif code != 0x0000:
            raise Transient(f"C-FIND ended with {named(code)}")
    return found


def _echo(held: Flight) -> None:
    opened = held.opened
    _check(opened, ECHO[0])
    hold_still(opened)
    asked_at = time.monotonic()
    status = opened.send_c_echo(msg_id=held.next_message_id()).get("Status")
    if status is None:
        raise _silence(opened, "C-ECHO", asked_at)
    if status != 0x0000:
        raise Transient(f"C-ECHO ended with {named(status)}")


def _silence(opened: Association, service: str, asked_at: float) -> Transient:
    """Return the error that no response stands for: pynetdicom does not tell an association that ended from a wait."""
    is_late = time.monotonic() - asked_at >= (opened.dimse_timeout or 0.0)
    return (Unanswered if is_late else AssociationLost)(f"{service} ended with {named(None)}")


def _check(opened: Association, sop_class_uid: str) -> None:
    if all(context.abstract_syntax != sop_class_uid for context in opened.accepted_contexts):
        raise NotAccepted(f"the peer does not accept {UID(sop_class_uid).name}")
