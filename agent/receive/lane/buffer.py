"""The one buffer that an association receives into."""

import mmap

from agent.receive.lane.framing import HEADER_BYTES

LEAST_BYTES = 1 << 20


class ReceiveBuffer:
    """Bytes that came and are not yet used up, in one place, so that parts of them can be lent as views.

    It is memory of its own that becomes resident as it is written to: an association that sends little takes little.

    Parameters
    ----------
    max_pdu_bytes
        Longest body of a PDU. A whole one always fits.
    """

    def __init__(self, max_pdu_bytes: int) -> None:
        self._memory = mmap.mmap(-1, max(LEAST_BYTES, HEADER_BYTES + max_pdu_bytes))
        self._view = memoryview(self._memory)
        self._start = 0
        self._end = 0

    @property
    def filled(self) -> int:
        """Bytes that came and are not used up."""
        return self._end - self._start

    def peek(self, start: int, end: int) -> memoryview:
        """Return a view of bytes that came, counted from the first that is not used up."""
        return self._view[self._start + start : self._start + end]

    def fits(self, count: int) -> bool:
        """Tell whether so many bytes have a place behind those that are used up."""
        return self._start + count <= len(self._view)

    def tail(self) -> memoryview:
        """Return where the next bytes go."""
        return self._view[self._end :]

    def received(self, count: int) -> None:
        """Note that so many bytes came."""
        self._end += count

    def use_up(self, count: int) -> None:
        """Note that so many bytes are of no more use. Views of them stay as they are until `compact`."""
        self._start += count

    def compact(self) -> None:
        """Move what is not used up to the front. Views that were lent show anything then."""
        count = self.filled
        if self._start and count:
            self._memory.move(0, self._start, count)
        self._start, self._end = 0, count
