"""The message that is on its way in: first its command, fragment by fragment, then its dataset (PS3.7 section 6.3)."""

from collections.abc import Sequence
from typing import Final, Protocol

from agent.receive.lane.commands import MalformedCommand, Request, parse
from agent.receive.lane.framing import Fragment

_MAX_COMMAND_BYTES: Final = 1 << 16
_MAX_PIECES: Final = 1024  # what one gathered write takes
_LEAST_OF_PIECES: Final = 16 * _MAX_PIECES  # bytes; each piece costs time, whatever its length
_MOST_OF_NO_USE: Final = 256


class OutOfOrder(Exception):
    """A fragment that does not belong where it stands."""


class Answer(Protocol):
    """What becomes of one request. A dataset that is not wanted is taken and dropped."""

    def write(self, chunks: Sequence[memoryview]) -> None:
        """Take a part of the dataset; done with the buffers on return."""

    def finish(self, chunks: Sequence[memoryview]) -> int:
        """Take the rest of the dataset, and return the status of the response."""

    def abandon(self) -> None:
        """Forget it: the message ended before its end. Harmless when repeated."""


class Service(Protocol):
    """Who answers requests."""

    def begin(self, request: Request, context_id: int) -> Answer:
        """Begin to answer a request, before its dataset came."""

    def answered(self, request: Request, status: int) -> None:
        """Note that the response went out, where there is to be one."""


class Incoming:
    """One message at a time of one association.

    PS3.8 annex E lets a message begin only when the one before it is complete, and keeps it to one presentation
    context.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._command = b""
        self._pieces: list[memoryview] = []
        self._of_no_use = 0  # fragments of this message that are empty, or that only cut its command up
        self._answer: Answer | None = None
        self.context_id: int | None = None
        self.request: Request | None = None

    @property
    def holds_views(self) -> bool:
        """Whether it has views of what came."""
        return bool(self._pieces)

    def take(self, fragment: Fragment) -> bool:
        """Take the next fragment; tell whether the message is complete.

        Raises
        ------
        OutOfOrder
            If it is of another message, or a dataset's before its command, or one of too many of next to nothing.
        MalformedCommand
            If the command cannot be understood.
        """
        if self.context_id not in (None, fragment.context_id):
            raise OutOfOrder("fragments of two messages")
        if fragment.is_command != (self.request is None):
            raise OutOfOrder("a dataset without command" if self.request is None else "a command within a dataset")
        self.context_id = fragment.context_id
        if fragment.is_command:
            return self._take_command(fragment)
        if fragment.value:
            self._pieces.append(fragment.value)
            if len(self._pieces) >= _MAX_PIECES:
                if sum(map(len, self._pieces)) < _LEAST_OF_PIECES:
                    raise OutOfOrder("fragments of next to nothing")
                self.flush()
        elif not fragment.is_last:
            self._count_of_no_use()
        return fragment.is_last

    def finish(self) -> int:
        """Complete the message, and return the status of its response."""
        assert self._answer is not None  # noqa: S101 - a message is complete only behind its command
        status = self._answer.finish(self._pieces)
        self._pieces.clear()
        self._answer = None
        return status

    def flush(self) -> None:
        """Let go of the views."""
        if self._pieces and self._answer is not None:
            self._answer.write(self._pieces)
        self._pieces.clear()

    def abandon(self) -> None:
        """Forget an incomplete message. Harmless when repeated."""
        if self._answer is not None:
            self._answer.abandon()
        self._pieces.clear()
        self._answer = None

    def clear(self) -> None:
        """Be ready for the next message."""
        self._command, self.context_id, self.request, self._of_no_use = b"", None, None, 0

    def _take_command(self, fragment: Fragment) -> bool:
        self._command += fragment.value
        if len(self._command) > _MAX_COMMAND_BYTES:
            raise MalformedCommand("too long")
        if not fragment.is_last:
            self._count_of_no_use()
            return False
        self.request = request = parse(self._command)
        self._answer = self._service.begin(request, fragment.context_id)
        return not request.has_dataset

    def _count_of_no_use(self) -> None:
        self._of_no_use += 1
        if self._of_no_use > _MOST_OF_NO_USE:
            raise OutOfOrder("fragments of next to nothing")
