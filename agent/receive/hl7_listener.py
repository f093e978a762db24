"""The HL7 listener: MLLP blocks in, spool records out, and only then the acknowledgement."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import structlog
from hl7.mllp import start_hl7_server

from agent.core.errors import Permanent, Transient
from agent.crashpoint import crashpoint
from agent.receive.hl7_ack import acknowledge
from agent.receive.hl7_fault import ErrorCode, Fault, erroneous, rejected
from agent.receive.hl7_message import Header, read_header
from agent.receive.hl7_settings import Hl7Settings
from agent.receive.hl7_verdict import Verdict, judge
from agent.receive.journal import Journal

START: Final = b"\x0b"
END: Final = b"\x1c"
_AROUND: Final = 16  # bytes: the start of a block, and what ended the one before
_HEADER_BYTES: Final = 4096  # of a message that is too long to be read, for its acknowledgement
_LINGER_S: Final = 2.0
_WRITERS: Final = 4  # at most so many segments of the spool are open for messages
_log = structlog.get_logger()


class Hl7Listener:
    """Takes HL7 v2 messages over MLLP (HL7 implementation guide, appendix C) in a thread of its own.

    A message is read, judged and kept, whatever the verdict; what cannot be kept is not accepted, and its sender sends
    it again. Bytes outside of blocks are passed over.

    Parameters
    ----------
    settings
        Address, callers and limits, and how messages are understood.
    journal
        Where messages are kept; it belongs to the DICOM receiver of the same process.
    now
        The clock, timezone-aware UTC.
    new_control_id
        MSH-10 of the next acknowledgement.
    """

    def __init__(
        self,
        settings: Hl7Settings,
        journal: Journal,
        now: Callable[[], datetime],
        new_control_id: Callable[[], str] = lambda: uuid4().hex[:20],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._now = now
        self._new_control_id = new_control_id
        self._talks: dict[asyncio.Task[None], bool] = {}  # each connection, and whether a message is being answered
        self._running: tuple[threading.Thread, asyncio.AbstractEventLoop, asyncio.Event, int] | None = None
        self._is_stopping = False
        self._drain_s = 0.0

    def start(self) -> None:
        """Begin to listen.

        Raises
        ------
        Transient
            If the address cannot be listened on.
        """
        started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(started)), name="hl7", daemon=True)
        thread.start()
        try:
            self._running = (thread, *started.result())
        except OSError as error:
            thread.join()
            place = f"{self._settings.bind}:{self._settings.port}"
            raise Transient(f"cannot listen on {place}: {error.strerror}") from error
        _log.info("hl7_listening", bind=self._settings.bind, port=self.port)

    @property
    def port(self) -> int:
        """The port listened on."""
        if self._running is None:
            raise Transient("the HL7 listener is not running")
        return self._running[3]

    def stop(self, drain_s: float) -> None:
        """Take nothing more, answer what has been read within `drain_s` seconds, and close all connections."""
        if self._running is None:
            return
        thread, loop, stopping, _ = self._running
        self._drain_s = drain_s
        loop.call_soon_threadsafe(stopping.set)
        thread.join()
        self._running = None

    async def _serve(self, started: "Future[Any]") -> None:
        settings, stopping = self._settings, asyncio.Event()
        limit = settings.max_message_bytes + _AROUND
        with ThreadPoolExecutor(_WRITERS, "hl7-spool") as pool:

            def connected(reader: Any, writer: Any) -> None:
                self._admit(_Line(reader, writer, settings.idle_timeout_s), pool)

            try:
                server = await start_hl7_server(connected, settings.bind, settings.port, limit=limit)
            except OSError as error:
                started.set_exception(error)
                return
            started.set_result((asyncio.get_running_loop(), stopping, server.sockets[0].getsockname()[1]))
            await stopping.wait()
            server.close()
            await self._end_talks()

    async def _end_talks(self) -> None:
        """Close what is silent at once, the others once they are answered, or the time is over."""
        self._is_stopping = True
        for talk, is_busy in list(self._talks.items()):
            if not is_busy:
                talk.cancel()
        if self._talks:
            await asyncio.wait(list(self._talks), timeout=self._drain_s)
        for talk in list(self._talks):
            talk.cancel()
        if self._talks:
            await asyncio.wait(list(self._talks))

    def _admit(self, line: "_Line", pool: ThreadPoolExecutor) -> None:
        refusal = "" if line.peer and self._settings.admits(line.peer) else "address"
        if len(self._talks) >= self._settings.max_connections:
            refusal = "too many connections"
        if refusal or self._is_stopping:
            _log.warning("hl7_connection_refused", peer=line.peer, reason=refusal or "stopping")
            line.writer.transport.abort()
            return
        talk = asyncio.get_running_loop().create_task(self._talk(line, pool))
        self._talks[talk] = False
        talk.add_done_callback(self._talks.pop)

    async def _talk(self, line: "_Line", pool: ThreadPoolExecutor) -> None:
        """Answer one message after the other until the sender has gone, or is silent for too long."""
        this: Any = asyncio.current_task()
        try:
            while not self._is_stopping and (raw := await line.message()) is not None:
                self._talks[this] = True
                loop = asyncio.get_running_loop()
                await line.answer(await loop.run_in_executor(pool, self._answer, raw, line.peer))
                self._talks[this] = False
        except _Unreadable as unreadable:
            _log.warning("hl7_unreadable", peer=line.peer, reason=str(unreadable.fault))
            verdict = Verdict(unreadable.header, unreadable.fault)
            await line.answer_last(acknowledge(verdict, self._now(), self._new_control_id()))
        except TimeoutError:
            _log.info("hl7_connection_idle", peer=line.peer)
        except ConnectionError:
            pass  # the sender sends again what was not answered
        finally:
            await line.close()

    def _answer(self, raw: bytes, peer: str) -> bytes | None:
        """Keep a message, and return its acknowledgement."""
        verdict = judge(raw, self._settings.rules, self._now())
        log = _log.bind(control_id=verdict.control_id)
        try:
            self._journal.message({**verdict.meta(), "peer": peer}, raw)
        except (Transient, Permanent) as error:
            log.error("hl7_message_refused", reason=str(error))
            what = erroneous(ErrorCode.APPLICATION_INTERNAL, "the message could not be stored: send it again")
            verdict = Verdict(verdict.header, what)
        else:
            crashpoint("receive.after_hl7")
            log.info("hl7_message_stored", outcome=verdict.outcome.value, reason=str(verdict.fault or ""))
        return acknowledge(verdict, self._now(), self._new_control_id())


class _Unreadable(Exception):
    """What came over a connection is no block, or one that is not read to its end."""

    def __init__(self, fault: Fault, header: Header | None = None) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.header = header


class _Line:
    """One connection: blocks out of a stream, and back."""

    def __init__(self, reader: Any, writer: Any, idle_timeout_s: float) -> None:
        self._reader = reader
        self.writer = writer
        self._idle_timeout_s = idle_timeout_s
        self.peer = str((writer.get_extra_info("peername") or [""])[0])  # none where it has already gone

    async def message(self) -> bytes | None:
        """Return the next message, None at the end of the connection. A block that begins anew counts from there.

        Raises
        ------
        _Unreadable
            If the block is too long, or has no beginning.
        TimeoutError
            If it does not come in time.
        """
        try:
            async with asyncio.timeout(self._idle_timeout_s):
                block = await self._reader.readuntil(END)
        except asyncio.IncompleteReadError as error:
            if START in error.partial:
                _log.warning("hl7_message_cut_off", peer=self.peer, bytes=len(error.partial))
            return None
        except asyncio.LimitOverrunError:
            beginning = await self._reader.read(_HEADER_BYTES)
            raise _Unreadable(
                rejected(ErrorCode.APPLICATION_INTERNAL, "the message is longer than is accepted"),
                _header(beginning.rpartition(START)[2]),
            ) from None
        _, start, message = block[: -len(END)].rpartition(START)
        if not start:
            raise _Unreadable(rejected(ErrorCode.APPLICATION_INTERNAL, "no start of an MLLP block came before its end"))
        return bytes(message)

    async def answer(self, reply: bytes | None) -> None:
        """Send a block. Raises TimeoutError if the sender does not take it."""
        if reply is not None:
            self.writer.writeblock(reply)
            async with asyncio.timeout(self._idle_timeout_s):
                await self.writer.drain()

    async def answer_last(self, reply: bytes | None) -> None:
        """Send a block, and take a little of what still comes: closing at once would lose the block on its way."""
        with suppress(ConnectionError, TimeoutError):
            await self.answer(reply)
            self.writer.write_eof()
            async with asyncio.timeout(_LINGER_S):
                while await self._reader.read(1 << 16):
                    pass

    async def close(self) -> None:
        """Close the connection, by force if the sender does not take what is on its way."""
        self.writer.close()
        try:
            async with asyncio.timeout(_LINGER_S):
                await self.writer.wait_closed()
        except TimeoutError:
            self.writer.transport.abort()
        except ConnectionError:
            pass


def _header(beginning: bytes) -> Header | None:
    try:
        return read_header(beginning)
    except Fault:
        return None
