"""The configuration as a frozen model. Titles and descriptions become docs/configuration.md."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ByteSize, ConfigDict, Field, model_validator

from agent.config.values import AeTitle, Duration, Modality, Network, Port, Role, TimeZone, TlsVersion, Words
from agent.core.roles import MATCHED


class Section(BaseModel):
    """A part of the file: unknown keys are errors, nothing changes once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Site(Section):
    """The hospital."""

    name: str = Field(description="Stands in logs when the agent starts.")
    issuer_of_patient_id: str | None = Field(
        None, min_length=1, description="Issuer for senders that give none; without it their AE title keeps them apart."
    )
    time_zone: TimeZone = Field(
        "UTC", description="IANA name; DICOM dates and times carry no zone, so results say these."
    )
    language: Literal["en", "de"] = Field("en", description="Of the page and the pictures; the coded SR stays English.")
    prevalence: float | None = Field(
        None, gt=0, lt=1, description="Share of node-positive patients among those asked about; shifts the estimate."
    )


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


class Storage(Section):
    """Where received objects are kept."""

    spool: Path = Field(Path("var/spool"), description="Folder of the spool's segments.")
    spool_bytes: ByteSize = Field(
        ByteSize(20 * 2**30),
        ge=256 * 2**20,
        description="The spool grows up to this size, then is used anew; with nothing left that may go: 0xA700.",
    )
    refuse_below_free_bytes: ByteSize = Field(
        ByteSize(5 * 2**30), description="Below this, associations for storage are refused as transient."
    )
    quarantine: Path = Field(Path("var/quarantine"), description="Unusable objects are copied here with the reason.")
    quarantine_bytes: ByteSize = Field(
        ByteSize(2 * 2**30),
        ge=16 * 2**20,
        description="They take no more than this: the oldest go first; of a larger one the reason stands alone.",
    )


class Database(Section):
    """The agent's own state."""

    url: str = Field("sqlite:///var/sentinode.db", description="sqlite:///… or postgresql+psycopg://…")
    password_env: str | None = Field(None, description="Environment variable that holds the password.")


class Ehr(Section):
    """The hospital's clinical database, read-only."""

    url: str = Field(description="SQLAlchemy URL.")
    query: Path = Field(Path("sql/ehr/clinical_facts.sql"), description="Site-editable query, bound parameters.")
    outcomes_query: Path | None = Field(
        None, description="Query of what surgery found (nodes_removed, nodes_positive), for comparing; only checked."
    )
    timeout_s: float = Field(5, gt=0, description="A query that takes longer counts as unavailable.")
    refresh_s: float = Field(900, gt=0, description="Dormant cases are asked about again after this time.")
    if_unavailable: Literal["wait", "continue_without"] = Field("wait", description="What an open case does.")
    password_env: str | None = Field(None, description="Environment variable that holds the password.")


class AskPacs(Section):
    """What the PACS is asked about patients with confirmed cancer."""

    peer: str = Field(min_length=1, description="Name or AE title of the destination that is asked.")
    counts: bool = Field(True, description="How many instances each study has, as evidence that a case is complete.")
    missing_modalities: bool = Field(
        True, description="Whether the patient's other studies are looked for and fetched."
    )
    days_back: int = Field(
        120, ge=1, le=3650, description="Studies older than this, and than the episode, are not looked for."
    )
    counts_wait: Duration = Field(timedelta(hours=1), description="How long the PACS's answer may hold a case.")
    retrieve: Literal["move", "get"] = Field(
        "move", description="C-MOVE to our own AE title, or C-GET, passed on to our own listener."
    )


class Cases(Section):
    """When a case is complete."""

    quiet_s: float = Field(60, ge=0, description="No new image for this long.")
    episode_days: int = Field(120, ge=1, description="Images of one patient within this span belong together.")
    expect: tuple[Modality, ...] = Field((), description="Modalities that this site makes for every cancer.")
    wait_for: dict[Modality, Duration] = Field({}, description="How long a missing, expected modality holds a case.")
    expect_views: tuple[Literal["CC", "MLO"], ...] = Field(
        ("CC", "MLO"), description="Mammograms of each side; a missing one holds a case as long as a missing MG."
    )
    ask_pacs: AskPacs | None = None
    release: Literal["at_once", "after_radiologist_report"] = Field(
        "at_once", description="Results leave at once, or once a radiologist's report of the study is there: hl7.md."
    )
    report_no_estimate: bool = Field(True, description="Say why there is no number, for confirmed cancer.")


class RoleRule(Section):
    """What an object is, by a rule of the site's own: roles.md. In patterns `*` is any letters, `?` is one."""

    modality: Literal["MG", "US", "MR", "SM"] = Field(description="Modality of the objects that it is about.")
    role: Role = Field(description="What they are: a role of this modality, as `us.node`; or `refused`.")
    reason: Words = Field(min_length=1, max_length=200, description="Why, in words; stands in tables and reports.")
    study_description: str | None = Field(
        None, min_length=1, max_length=100, description="Study or procedure description."
    )
    series_description: str | None = Field(None, min_length=1, max_length=100, description="Series Description.")
    protocol_name: str | None = Field(None, min_length=1, max_length=100, description="Protocol Name.")
    body_part: str | None = Field(None, min_length=1, max_length=100, description="Body Part Examined.")
    anatomy: str | None = Field(
        None, min_length=1, max_length=100, description="Meaning of a code of the anatomic region."
    )
    comments: str | None = Field(
        None, min_length=1, max_length=100, description="Image or acquisition comments, acquisition context."
    )
    view: str | None = Field(None, min_length=1, max_length=100, description="View as on a film: CC, MLO, MCC.")
    image_type: str | None = Field(
        None, min_length=1, max_length=100, description="Image Type, its values with a backslash between."
    )
    specimen: str | None = Field(None, min_length=1, max_length=100, description="Description of a specimen.")
    station_name: str | None = Field(None, min_length=1, max_length=100, description="Station Name.")
    scanner: str | None = Field(None, min_length=1, max_length=100, description="Manufacturer and model name.")
    sop_class_uid: str | None = Field(None, min_length=1, max_length=100, description="SOP Class UID.")

    @property
    def match(self) -> dict[str, str]:
        """The patterns that are given, by what they are compared with."""
        return {name: pattern for name in MATCHED if (pattern := getattr(self, name)) is not None}

    @model_validator(mode="after")
    def _says_something(self) -> "RoleRule":
        if self.role != "refused" and not self.role.startswith(f"{self.modality.lower()}."):
            raise ValueError(f"{self.role} is no role of {self.modality}")
        if not self.match:
            raise ValueError(f"give at least one pattern: {', '.join(MATCHED)}")
        return self


class Model(Section):
    """A model bundle."""

    bundle: Path = Field(description="Folder with manifest.json and model.onnx.")
    role: Literal["active"] = Field("active", description="An active bundle answers.")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda:\d+)$", description="auto, cpu or cuda:N.")
    demo_issuers: tuple[str, ...] = Field(
        ("PHANTOM",),
        description="A demonstration bundle answers only for patients of these issuers; never the site's own.",
    )
    send_research: bool = Field(False, description="Whether a research bundle's results are sent.")


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


class Log(Section):
    """Logging, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level written.")
    format: Literal["json", "text"] = Field("json", description="One JSON object a line, or text for people.")


class Operate(Section):
    """Running it."""

    workers: int = Field(1, ge=1, le=16, description="Processes that decode, infer and report.")
    drain_s: float = Field(30, gt=0, le=300, description="How long SIGTERM lets work under way end.")
    log: Log = Log()


class Config(Section):
    """The whole file. Relative paths start at the file's folder."""

    site: Site
    dicom: Dicom
    hl7: Hl7 | None = None
    storage: Storage = Storage()
    database: Database = Database()
    ehr: Ehr
    cases: Cases = Cases()
    roles: tuple[RoleRule, ...] = Field((), description="What objects are, where the built-in rules do not know.")
    models: tuple[Model, ...] = Field(min_length=1)
    destinations: tuple[Destination, ...] = Field(min_length=1)
    operate: Operate = Operate()
