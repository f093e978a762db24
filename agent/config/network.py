"""The configuration of who may call us, and of whom we call."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field, model_validator

from agent.config.section import Section
from agent.config.values import AeTitle, Duration, Network, Port, TlsVersion


class Peer(Section):
    """A node that may talk to the agent."""

    ae_title: AeTitle = Field(description="Calling AE title.")
    host: Network = Field(description="IP address or network in CIDR form.")
    may: frozenset[Literal["store", "echo", "commit"]] = Field(description="What it may do.")
    certificate_subject: str | None = Field(
        None,
        min_length=1,
        description="Its certificate: the whole subject (`CN=MAMMO1,O=Hospital`) or one name of it. It may then call"
        " over TLS alone. Without it, a certificate over TLS must name its AE title.",
    )
    sop_classes: tuple[str, ...] | None = Field(
        None, min_length=1, description="Storage SOP classes that it may store, UIDs or keywords; without it, all."
    )


class TlsFiles(Section):
    """What TLS needs. Both sides show a certificate."""

    certificate: Path = Field(description="Our certificate, and what leads from it to the CA; PEM.")
    key: Path = Field(description="Its private key, PEM; no others may read it (chmod 600).")
    key_password_env: str | None = Field(None, description="Environment variable that holds the key's password.")
    ca: Path = Field(description="Certificates of who signs the other side's; PEM.")
    min_version: TlsVersion = Field("1.2", description="Least version; the best that both sides have is taken.")


class DicomTls(TlsFiles):
    """DICOM over TLS (PS3.15 annex B.12), on a port of its own. Without this section there is none."""

    bind: str = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(2762, description="TCP port; nothing without TLS and a certificate is answered here.")


class DestinationTls(TlsFiles):
    """TLS to this destination. Without this section there is none."""

    server_name: str | None = Field(
        None, min_length=1, description="Name that its certificate must have; without it, `host`."
    )


class Dicom(Section):
    """The DICOM listener."""

    ae_title: AeTitle = Field("SENTINODE", description="Our AE title; associations that call another are refused.")
    bind: str = Field("127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        11112, ge=1, le=65535, strict=True, description="TCP port without TLS; null: there is none, but that of `tls`."
    )
    max_associations: int = Field(64, ge=1, le=1000, description="Open at once; more are refused as transient.")
    max_associations_per_peer: int = Field(
        16, ge=1, le=1000, description="Open at once of one AE title; more are refused as transient."
    )
    max_waiting: int = Field(
        512,
        ge=16,
        le=10000,
        description="Connections that have no association; of more, the oldest of who has most is closed.",
    )
    max_pdu_bytes: int = Field(131072, ge=4096, le=1048576, description="Maximum PDU length that is offered.")
    idle_timeout_s: float = Field(300, gt=0, description="A silent association is closed after this time.")
    pdu_timeout_s: float = Field(
        25, gt=0, le=300, description="A PDU once begun, or a connection's association request, is complete by then."
    )
    message_timeout_s: float = Field(
        3600, gt=0, description="A message once begun, the object that it stores included, is complete by then."
    )
    accept_from: Literal["listed", "any"] = Field(
        "listed", description="`any` takes every calling AE title; what a peer `may` is asked of those listed alone."
    )
    peers: tuple[Peer, ...] = Field((), description="Who may connect.")
    tls: DicomTls | None = None

    @model_validator(mode="after")
    def _listens(self) -> "Dicom":
        if self.port is None and self.tls is None:
            raise ValueError("port is null and there is no tls: nothing would be listened for; give one of them")
        return self


class Hl7(Section):
    """The HL7 v2 listener (MLLP). Without this section there is none."""

    bind: str = Field("127.0.0.1", description="Address to listen on. MLLP knows neither encryption nor passwords.")
    port: Port = Field(2575, description="TCP port.")
    accept_from: tuple[Network, ...] = Field(
        ("127.0.0.0/8",), description="IP addresses or networks in CIDR form that may connect."
    )
    max_message_bytes: ByteSize = Field(
        ByteSize(2**20), ge=2**16, le=2**24, description="A longer message is rejected and its connection closed."
    )
    max_connections: int = Field(64, ge=1, le=1000, description="Open at once; more are closed at once.")
    idle_timeout_s: float = Field(3600, gt=0, description="A connection that brings no message for so long is closed.")
    issuers: dict[str, str] = Field(
        {}, description="Assigning authority (CX.4) to Issuer of Patient ID; others stand for themselves."
    )
    identifier_types: tuple[str, ...] = Field(
        ("MR", "PI", "PT"), description="Types (CX.5) that can be the Patient ID of images, best first."
    )


class Retry(Section):
    """How a failed delivery is tried again."""

    first_s: float = Field(5, gt=0, description="First delay.")
    max_s: float = Field(300, gt=0, description="Longest delay.")
    give_up_after: Duration = Field(timedelta(days=7), description="Then the case fails, with its reason.")

    @model_validator(mode="after")
    def _in_order(self) -> "Retry":
        if self.first_s > self.max_s:
            raise ValueError("first_s must not be longer than max_s")
        return self


SentKind = Literal["sr", "text_sr", "secondary_capture", "segmentation", "presentation_state", "key_object"]


class Destination(Section):
    """A node that gets results."""

    name: str = Field(min_length=1, description="A name for logs and tables.")
    ae_title: AeTitle = Field(description="Called AE title.")
    host: str = Field(description="Host name or address.")
    port: Port = Field(description="TCP port.")
    send: frozenset[SentKind] = Field(
        frozenset({"sr", "text_sr", "secondary_capture"}),
        description="Which objects it gets; `segmentation` (of MR), `presentation_state` and `key_object` by wish.",
    )
    reject_superseded: bool = Field(
        False,
        description="Whether Key Objects (IHE IOCM) reject what it has of earlier versions; what it does with them is "
        "its own setting.",
    )
    confirm: Literal["commitment", "read_back", "none"] = Field("read_back", description="How arrival is proven.")
    tls: DestinationTls | None = None
    retry: Retry = Retry()

    @model_validator(mode="after")
    def _has_what_key_objects_name(self) -> "Destination":
        if "key_object" in self.send and "secondary_capture" not in self.send:
            raise ValueError("key_object names the captures: list secondary_capture, too")
        return self
