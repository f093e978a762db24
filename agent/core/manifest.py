"""What a model bundle says of itself: the whole contract between training and serving."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agent.core.assessed import COVERABLE
from agent.core.errors import Permanent
from agent.core.prediction import OperatingPoint
from agent.core.writable import is_writable

SCHEMA: Final = 1
_REPEATED: Final = ("name", "version", "intended_use", "label")


@dataclass(frozen=True, slots=True)
class Tensor:
    """One input or output of the graph; a dimension that may vary is named, a fixed one is a number."""

    name: str
    dtype: str
    shape: tuple[str | int, ...]
    layout: str  # e.g. "N V 1 H W"
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class FactSpec:
    """One fact that the bundle uses, and how it becomes a number: (n - mean) / sd, n of a category its index."""

    name: str  # of FACTS, or "age"
    unit: str
    values: tuple[str, ...] = ()  # of a category; empty for numbers
    mean: float = 0.0
    sd: float = 1.0
    low: float = 0.0  # typical range in the training data, in `unit`
    high: float = 0.0


@dataclass(frozen=True)
class BundleManifest:
    """manifest.json, parsed. `files` maps each file of the bundle, the manifest apart, to its SHA-256."""

    name: str
    version: str
    question: str  # aln | nsln | histology
    intended_use: str  # demonstration | research
    label: str  # what counts as positive
    modalities: tuple[str, ...]  # what it can use: "clinical", "MG", ...
    required: tuple[str, ...]  # without these: no estimate
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    facts: tuple[FactSpec, ...]
    preprocessing: Mapping[str, Mapping[str, Any]]  # by modality: the arguments of agent.preprocess
    operating_points: tuple[OperatingPoint, ...]
    training_prevalence: float
    training: Mapping[str, Any]  # summary of the data, commit, seeds
    metrics: Mapping[str, Any]
    opset: int
    licence: str
    files: Mapping[str, str]
    covers: tuple[str, ...] = ()  # of COVERABLE: patients beyond those whom every model covers

    @property
    def is_demonstration(self) -> bool:
        """Whether it was trained on synthetic patients and so never answers for a real one."""
        return self.intended_use == "demonstration"


def _point(raw: Mapping[str, Any]) -> OperatingPoint:
    measured = {name: (found[0], found[1]) for name, found in raw.get("by_inputs", {}).items()}
    return OperatingPoint(**{**raw, "by_inputs": measured})


def _covers(raw: Iterable[str]) -> tuple[str, ...]:
    covers = tuple(raw)
    if any(one not in COVERABLE for one in covers):
        raise ValueError(f"covers more than {', '.join(sorted(COVERABLE))}")
    return covers


def _writable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields, if what reports repeat of them can be written in a DICOM object."""
    said = {key: fields.get(key) for key in _REPEATED} | {"training.summary": fields["training"].get("summary")}
    for key, text in said.items():
        if not is_writable(str(text)):
            raise ValueError(f"{key} holds a control character: no report can repeat it")
    return fields


def parse_manifest(raw: Mapping[str, Any]) -> BundleManifest:
    """Build the manifest from its JSON object.

    Raises
    ------
    Permanent
        If the schema is another one, a key is missing or unknown, or a value is of the wrong form.
    """
    if raw.get("schema") != SCHEMA:
        raise Permanent(f"manifest.json: schema {raw.get('schema')!r}, this version reads {SCHEMA}")
    fields = {key: value for key, value in raw.items() if key != "schema"}
    try:
        return BundleManifest(
            **_writable(fields)
            | {
                "modalities": tuple(fields["modalities"]),
                "required": tuple(fields["required"]),
                "covers": _covers(fields.get("covers", ())),
                "inputs": tuple(Tensor(**t | {"shape": tuple(t["shape"])}) for t in fields["inputs"]),
                "outputs": tuple(Tensor(**t | {"shape": tuple(t["shape"])}) for t in fields["outputs"]),
                "facts": tuple(FactSpec(**f | {"values": tuple(f.get("values", ()))}) for f in fields["facts"]),
                "operating_points": tuple(_point(p) for p in fields["operating_points"]),
            }
        )
    except (AttributeError, LookupError, TypeError, ValueError) as exc:
        raise Permanent(f"manifest.json: {exc}") from exc
