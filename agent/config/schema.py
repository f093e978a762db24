"""The configuration as a frozen model. Titles and descriptions become docs/configuration.md."""

from pathlib import Path
from typing import Literal

from pydantic import ByteSize, Field

from agent.config.network import Destination, Dicom, Hl7
from agent.config.patients import Cases, Ehr, RoleRule
from agent.config.section import Section
from agent.config.values import TimeZone


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
