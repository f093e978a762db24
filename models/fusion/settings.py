"""Every number that shapes the fusion system."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

Finding = tuple[str, tuple[str, ...]]  # its name, and the latents of the phantom that describe it


@dataclass(frozen=True, slots=True)
class Imaging:
    """One image modality: its tensor, what its images show, and the encoder that reads them."""

    name: str  # as in the manifest
    tensor: str  # name of the graph's input
    axis: str  # name of the dimension that counts its images
    shape: tuple[int, int, int]  # channels, height, width
    images: int  # of a training patient
    findings: tuple[Finding, ...]
    choices: tuple[tuple[float, ...], ...]  # which images may be left; all of them first
    preprocessing: dict[str, Any]  # arguments of agent.preprocess besides the tensor's size
    render: tuple[int, int]  # rows and columns that training renders
    stack: bool = False  # whether images are slices of one volume, whose areas add up
    unshuffle: int = 4
    stem: int = 32
    features: int = 48
    dilations: tuple[int, ...] = (1, 2, 3)
    ring: int = 2  # cells around a finding that also describe it
    gamma: tuple[float, float] = (1.0, 1.0)  # range of random gamma in training
    epochs: int = 8
    batch: int = 32

    @property
    def concepts(self) -> tuple[str, ...]:
        """All concepts in their order."""
        return tuple(concept for _, concepts in self.findings for concept in concepts)

    @property
    def cost(self) -> int:
        """How long an encoder trains, compared with another one."""
        return self.images * math.prod(self.shape) * self.epochs

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the saliency maps."""
        cell = 2 * self.unshuffle
        return self.shape[1] // cell, self.shape[2] // cell

    @property
    def settings(self) -> dict[str, Any]:
        """Every argument of `prepare` that the bundle sets."""
        return {"height": self.shape[1], "width": self.shape[2], **self.preprocessing}


MAMMOGRAM: Final = Imaging(
    name="MG",
    tensor="mammogram",
    axis="V",
    shape=(1, 256, 208),
    images=2,
    findings=(("mass", ("size", "spiculation")), ("node", ("node_density",))),
    choices=((1, 1), (1, 0), (0, 1)),  # CC and MLO, CC, MLO
    preprocessing={"air_share": 0.05, "headroom": 2.6},
    render=(320, 256),
    epochs=10,
    gamma=(0.85, 1.2),
)
ULTRASOUND: Final = Imaging(
    name="US",
    tensor="ultrasound",
    axis="U",
    shape=(1, 128, 128),
    images=2,
    findings=(("tumour", ("ultrasound_size",)), ("node", ("cortex", "hilum"))),
    choices=((1, 1), (1, 0), (0, 1)),  # tumour and node, tumour, node
    preprocessing={"tensor_pixel_mm": 0.4},
    render=(176, 176),
    unshuffle=2,
    stem=24,
    epochs=6,
    gamma=(0.9, 1.1),
)
MRI: Final = Imaging(
    name="MR",
    tensor="mri",
    axis="S",
    shape=(4, 80, 96),
    images=8,
    findings=(("mass", ("size", "washout", "uptake")),),
    choices=((1,) * 8, (1, 0) * 4, (0, 1) * 4),
    preprocessing={"tensor_pixel_mm": 1.6, "phases": 4, "headroom": 2.0, "enhancement_headroom": 1.2},
    render=(128, 204),
    stack=True,
    unshuffle=2,
    features=40,
    dilations=(1, 2),
    epochs=6,
)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Size of what weighs the evidence."""

    facts: int = 8
    concept_hidden: int = 32
    clinical_hidden: int = 32
    finding_hidden: int = 24
    evidence: int = 8  # features of each piece of evidence, on which the interval rests


@dataclass(frozen=True, slots=True)
class Cohort:
    """A set of synthetic patients that shares no patient with another."""

    name: str
    seed: int
    patients: int


@dataclass(frozen=True, slots=True)
class Settings:
    """One training run."""

    name: str = "aln-demo"
    version: str = "2.0.0"
    sizes: Sizes = field(default_factory=Sizes)
    imaging: tuple[Imaging, ...] = (MAMMOGRAM, ULTRASOUND, MRI)
    encoder: Cohort = Cohort("encoder", 101, 6000)  # the image encoders learn from these
    heads: Cohort = Cohort("heads", 102, 5000)  # the evidence learns from these, whose images no encoder saw
    validation: Cohort = Cohort("validation", 103, 2000)  # calibration and operating points
    test: Cohort = Cohort("test", 104, 2000)  # looked at once, by evaluate
    full_size: int = 40  # test patients who are also rendered at full size
    seed: int = 7
    encoder_rate: float = 3e-3
    weight_decay: float = 1e-3
    heads_epochs: int = 60
    heads_rate: float = 3e-3
    heads_decay: float = 0.02
    heads_batch: int = 400
    heads_masks: int = 4  # masks that each patient shows in an epoch
    processes: int = 2
    work: Path = Path("var/training/fusion")  # shards and checkpoints: a stopped run goes on from here
    bundles: Path = Path("models/bundles")

    @property
    def cohorts(self) -> tuple[Cohort, ...]:
        """Every cohort of the run."""
        return self.encoder, self.heads, self.validation, self.test

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the bundle can use, in the order of its contributions and of the bits of a presence mask."""
        return ("clinical", *(one.name for one in self.imaging))

    @property
    def bundle(self) -> Path:
        """Folder of the bundle that this run writes."""
        return self.bundles / f"{self.name}-{self.version}"
