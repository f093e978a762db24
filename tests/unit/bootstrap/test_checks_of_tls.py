"""What check-config says of peers, certificates and keys."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.bootstrap.certificates import validities
from agent.bootstrap.checks_of_dicom import dicom_problems
from agent.bootstrap.receiver import _settings
from agent.bootstrap.tls import client_context, server_context, tls_problems
from agent.config import Config, load_config
from agent.core.errors import Permanent
from tests.certificates import Authority, Signed
from tests.peers import ROOT

NOW = datetime.now(UTC) + timedelta(hours=1)  # what is made here is valid by then
PEER = {"ae_title": "A", "host": "127.0.0.1", "may": ["store"]}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return who signs."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def own(authority: Authority) -> Signed:
    """Return a certificate that is in order."""
    return authority.sign("/CN=SENTINODE")


def configured(folder: Path, **sections: Any) -> Config:
    """Load the shipped file with these overrides."""
    overrides = folder / "overrides.yaml"
    overrides.write_text(yaml.safe_dump(sections), encoding="utf-8")
    return load_config(ROOT / "config.yaml", [overrides]).config


def section(authority: Authority, own: Signed, **changes: Any) -> dict[str, Any]:
    """Return `dicom.tls`."""
    return {"certificate": str(own.certificate), "key": str(own.key), "ca": str(authority.ca), **changes}


def test_files_in_order_are_no_mistake(authority: Authority, own: Signed, tmp_path: Path) -> None:
    """And reach the receiver, with what the peers are bound to."""
    mammo = PEER | {"certificate_subject": "CN=x", "sop_classes": ["CTImageStorage", "1.2.840.10008.5.1.4.1.1.1.2"]}
    config = configured(tmp_path, dicom={"tls": section(authority, own, min_version=1.3), "peers": [mammo]})
    assert list(dicom_problems(config, NOW)) == []
    settings = _settings(config)
    assert settings.tls is not None and settings.tls.port == 2762
    assert settings.tls.context.minimum_version.name == "TLSv1_3"
    (peer,) = settings.peers
    assert peer.certificate_subject == "CN=x"
    assert peer.sop_classes == {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2"}


def test_without_the_section_there_is_no_tls(tmp_path: Path) -> None:
    """As the shipped file has it."""
    assert _settings(configured(tmp_path)).tls is None


def test_there_may_be_tls_alone(authority: Authority, own: Signed, tmp_path: Path) -> None:
    """Without `port`; without either there would be no listener."""
    config = configured(tmp_path, dicom={"port": None, "tls": section(authority, own)})
    assert list(dicom_problems(config, NOW)) == []
    assert _settings(config).port is None
    with pytest.raises(Permanent, match="port is null and there is no tls"):
        configured(tmp_path, dicom={"port": None})


def test_paths_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    """Of the listener's files and of a destination's."""
    files = {"certificate": "tls/a.pem", "key": "tls/a.key", "ca": "tls/ca.pem"}
    pacs = {"name": "pacs", "ae_title": "PACS", "host": "pacs.example.org", "port": 104, "tls": files}
    config = configured(tmp_path, dicom={"tls": files}, destinations=[pacs])
    for tls in (config.dicom.tls, config.destinations[0].tls):
        assert tls is not None and tls.key == ROOT / "tls/a.key" and tls.ca == ROOT / "tls/ca.pem"
    told = [(key, may_pass) for key, _, may_pass in dicom_problems(config, NOW)]
    assert told == [(("dicom", "tls"), False), (("destinations", 0, "tls"), False)]


@pytest.mark.parametrize(
    ("days", "after", "told"),
    [(365, timedelta(0), None), (20, timedelta(0), "expires on"), (20, timedelta(days=25), "expired on")],
)
def test_a_certificate_that_ends_is_told_of(
    authority: Authority, days: int, after: timedelta, told: str | None
) -> None:
    """Thirty days before, and after; it may be renewed while the agent serves."""
    files = authority.files(authority.sign("/CN=SENTINODE", days=days))
    found = list(tls_problems(files, NOW + after))
    assert len(found) == (told is not None)
    for key, what, may_pass in found:
        assert (key, may_pass) == ("certificate", True)
        assert told is not None and told in what and str(files.certificate) in what


def test_an_authority_that_ends_and_a_certificate_of_the_future_are_told_of(authority: Authority, own: Signed) -> None:
    """By the key that names them."""
    files = authority.files(own)
    later = [(key, what.partition("pem ")[2][:7]) for key, what, _ in tls_problems(files, NOW + timedelta(days=400))]
    assert later == [("certificate", "expired"), ("ca", "expired")]
    earlier = [what for _, what, _ in tls_problems(files, NOW - timedelta(days=5))]
    assert len(earlier) == 2 and all("is valid only from" in what for what in earlier)


def test_a_key_that_others_may_read_is_refused(authority: Authority) -> None:
    """With what to do; the group may read it, as Debian's ssl-cert has it."""
    made = authority.sign("/CN=SENTINODE")
    for mode in (0o600, 0o400, 0o640):
        os.chmod(made.key, mode)
        server_context(authority.files(made))
    for mode in (0o644, 0o660, 0o604):
        os.chmod(made.key, mode)
        with pytest.raises(Permanent, match=f"not kept secret .mode {mode:04o}.: chmod 600"):
            server_context(authority.files(made))


def test_files_that_cannot_be_used_are_named(authority: Authority, own: Signed, tmp_path: Path) -> None:
    """Missing, not PEM, not each other's."""
    other, empty = authority.sign("/CN=other"), tmp_path / "empty.pem"
    empty.write_text("nothing", encoding="ascii")
    for changes, said in (
        ({"certificate": tmp_path / "none.pem"}, "none.pem cannot be read: No such file"),
        ({"key": other.key}, "not a certificate and its key in PEM form .key values mismatch"),
        ({"certificate": empty}, "not a certificate and its key in PEM form"),
        ({"ca": empty}, "empty.pem holds no certificate in PEM form"),
    ):
        for make in (server_context, client_context):
            with pytest.raises(Permanent, match=said):
                make(authority.files(own, **changes))


def test_an_encrypted_key_takes_its_password_from_the_environment(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it nobody is asked at a terminal, and it stands in no message."""
    word, named = "open sesame", {"key_password_env": "TEST_KEY_PASSWORD"}
    made = authority.sign("/CN=SENTINODE", password=word)
    with pytest.raises(Permanent, match="the key is encrypted: key_password_env"):
        server_context(authority.files(made))
    monkeypatch.setenv("TEST_KEY_PASSWORD", word)
    server_context(authority.files(made, **named))
    monkeypatch.setenv("TEST_KEY_PASSWORD", "sesame")
    with pytest.raises(Permanent) as wrong:
        server_context(authority.files(made, **named))
    assert "sesame" not in str(wrong.value)


def test_what_is_no_certificate_has_no_dates() -> None:
    """Nor has a damaged one."""
    with pytest.raises(ValueError, match="no certificate"):
        validities("hello")
    with pytest.raises(ValueError, match="damaged"):
        validities("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"certificate_subject": "CN=a,b"}, "write a subject as"),
        ({"sop_classes": ["CTImage"]}, "CTImage is no storage SOP class"),
        ({"sop_classes": ["1.2.840.10008.1.1"]}, "is no storage SOP class"),
        ({"certificate_subject": "CN=a"}, "A may call over TLS alone, and there is no dicom.tls"),
    ],
)
def test_peers_that_cannot_be_meant_are_told_of(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """Before the first of them is turned away."""
    config = configured(tmp_path, dicom={"peers": [PEER, PEER | changes]})
    found = list(dicom_problems(config, NOW))
    assert found and all(key[:3] == ("dicom", "peers", 1) and not may_pass for key, _, may_pass in found)
    assert said in found[0][1]


@pytest.mark.parametrize(("bind", "count"), [("127.0.0.1", 1), ("0.0.0.0", 1), ("127.0.0.2", 0)])  # noqa: S104 - unbound
def test_tls_has_a_port_of_its_own(authority: Authority, own: Signed, tmp_path: Path, bind: str, count: int) -> None:
    """Beside the one without, and HL7's."""
    tls = section(authority, own, port=11999, bind=bind)
    for changes in ({"dicom": {"port": 11999, "tls": tls}}, {"dicom": {"tls": tls}, "hl7": {"port": 11999}}):
        found = list(dicom_problems(configured(tmp_path, **changes), NOW))
        assert [key for key, _, _ in found] == [("dicom", "tls", "port")] * count
