"""A thread that rests until something is due."""

import socket
import threading
import time

from agent.receive.lane.lending import Checkpoint
from agent.receive.lane.waker import Waker


def test_bytes_and_other_threads_end_a_rest() -> None:
    """At once; otherwise it lasts as long as it may."""
    waker = Waker()
    near, far = socket.socketpair()
    with near, far:
        begun = time.monotonic()
        waker.rest(near, 0.05)
        assert time.monotonic() - begun >= 0.04
        far.sendall(b"x")
        waker.rest(near, 60)
        near.recv(1)
        threading.Timer(0.02, waker.wake).start()
        waker.rest(near, 60)
        waker.wake()
        waker.rest(near, 60)
        assert time.monotonic() - begun < 30
    waker.rest(near, 60)  # closed: there is nothing to wait for
    waker.rest(None, 60)
    waker.close()
    waker.close()
    waker.wake()
    waker.rest(near, 60)


def test_a_checkpoint_rests_until_there_is_news() -> None:
    """And no longer than a tenth of a second; one that is not set holds up all the same."""
    checkpoint = Checkpoint()
    begun = time.monotonic()
    assert checkpoint.wait()
    assert 0.05 < time.monotonic() - begun < 10
    checkpoint.wake()
    checkpoint.clear()
    assert not checkpoint.wait(0.01)
