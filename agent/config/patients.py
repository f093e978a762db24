"""The configuration of where patients' facts and images come from, and when a case is complete."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from agent.config.section import Section
from agent.config.values import Duration, Modality, Role, Words
from agent.core.roles import MATCHED


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
