"""Results leave over TLS: to who shows a certificate of its own name, and to nobody else."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.bootstrap.pacs import destination_tls
from agent.bootstrap.tls import client_context
from agent.config.network import Destination
from agent.core.errors import Unreachable
from agent.dimse.client import PacsClient
from tests.certificates import Authority, Signed
from tests.fakes.objects import SECONDARY_CAPTURE, part10
from tests.harness import free_port
from tests.peers import program


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return who signs for both sides."""
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def storescp(authority: Authority, own: Signed, folder: Path) -> Iterator[int]:
    """Run DCMTK's storescp over TLS, that demands a certificate; give its port."""
    port = free_port()
    secured = ["+tls", str(own.key), str(own.certificate), "+cf", str(authority.ca), "-rc"]
    command = [program("storescp"), *secured, "-od", str(folder), str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


def client(authority: Authority, own: Signed, port: int, name: str = "pacs.example.org") -> PacsClient:
    """Return the agent's client for a destination of this name."""
    context = client_context(authority.files(own))
    return PacsClient("SENTINODE", "PACS", "127.0.0.1", port, tls=(context, name))


def reached(one: PacsClient) -> None:
    """C-ECHO as soon as it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            one.echo()
            return
        except Unreachable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_objects_arrive_over_tls(authority: Authority, tmp_path: Path) -> None:
    """At a peer of another make; another name than its certificate's, or a stranger's certificate, is unreachable."""
    own = authority.sign("/CN=SENTINODE")
    with storescp(authority, authority.sign("/CN=PACS", names="DNS:pacs.example.org"), tmp_path) as port:
        reached(client(authority, own, port))
        (outcome,) = client(authority, own, port).store([part10(SECONDARY_CAPTURE, "1.2.3")])
        assert outcome.status == 0
        with pytest.raises(Unreachable):
            client(authority, own, port, name="other.example.org").echo()
        stranger = Authority(tmp_path / "other", "Other CA").sign("/CN=SENTINODE")
        with pytest.raises(Unreachable):
            client(authority, stranger, port).echo()
        with pytest.raises(Unreachable):
            PacsClient("SENTINODE", "PACS", "127.0.0.1", port).echo()
    assert len(list(tmp_path.glob("*1.2.3"))) == 1


def test_a_destination_has_tls_where_it_is_configured(authority: Authority) -> None:
    """Its certificate has the name of the host, unless another is given."""
    plain = {"name": "pacs", "ae_title": "PACS", "host": "pacs.example.org", "port": 104}
    assert destination_tls(Destination.model_validate(plain)) is None
    files = authority.files(authority.sign("/CN=SENTINODE")).model_dump()
    for names, expected in (({}, "pacs.example.org"), ({"server_name": "other"}, "other")):
        secured = Destination.model_validate(plain | {"tls": files | names})
        tls = destination_tls(secured)
        assert tls is not None and tls[1] == expected and tls[0].check_hostname
