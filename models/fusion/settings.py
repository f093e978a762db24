"""Every number that shapes the fusion system."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Sizes:
    """Size of the network; one builder holds them all."""

    facts: int = 8
    height: int = 256
    width: int = 208
    stem: int = 32
    features: int = 48
    dilations: tuple[int, ...] = (1, 2, 3)
    concept_hidden: int = 32
    clinical_hidden: int = 32
    evidence: int = 12  # features of each evidence on which the interval rests


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
    version: str = "1.0.0"
    sizes: Sizes = field(default_factory=Sizes)
    encoder: Cohort = Cohort("encoder", 101, 5000)  # the mammogram encoder learns from these
    heads: Cohort = Cohort("heads", 102, 3000)  # the evidence learns from these, whose images the encoder never saw
    validation: Cohort = Cohort("validation", 103, 1500)  # calibration and operating points
    test: Cohort = Cohort("test", 104, 2000)  # looked at once, by evaluate
    render_rows: int = 320  # a quarter of the full size; `evaluate` measures what that costs
    render_columns: int = 256
    full_size: int = 50  # test patients who are also rendered at full size
    seed: int = 7
    encoder_epochs: int = 8
    encoder_batch: int = 32
    encoder_rate: float = 3e-3
    heads_epochs: int = 60
    heads_rate: float = 3e-3
    weight_decay: float = 1e-3
    processes: int = 2
    work: Path = Path("var/training/fusion")  # shards and checkpoints: a stopped run goes on from here
    bundles: Path = Path("models/bundles")

    @property
    def bundle(self) -> Path:
        """Folder of the bundle that this run writes."""
        return self.bundles / f"{self.name}-{self.version}"

    @property
    def preprocessing(self) -> dict[str, float]:
        """Arguments of `agent.preprocess.mammogram.prepare`."""
        return {"height": self.sizes.height, "width": self.sizes.width, "air_share": 0.05, "headroom": 2.6}
