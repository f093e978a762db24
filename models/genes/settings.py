"""Every number that shapes the gene systems and how they are judged."""

from dataclasses import dataclass
from typing import Final

PLAIN: Final = "plain"
GUIDED: Final = "guided"


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of the Transformer; the defaults are the published ones (S0b: one layer, 128 wide, 4 heads, ReGLU).

    Attributes
    ----------
    variant : str
        PLAIN: CLS and latents read genes and facts. GUIDED: the facts read the genes, then CLS reads the facts.
    latents : int
        Learned readers beside CLS (Perceiver); 0 is the published layer. Of PLAIN only.
    hidden : float
        Width of the ReGLU layer, in widths.
    """

    variant: str = PLAIN
    width: int = 128
    heads: int = 4
    latents: int = 0
    hidden: float = 4 / 3
    attention_dropout: float = 0.2
    dropout: float = 0.1


@dataclass(frozen=True, slots=True)
class Training:
    """How a network learns: AdamW on the log loss, stopped by patients whom it does not learn from.

    Attributes
    ----------
    held_out : float
        Share of the training patients who say when to stop, in (0, 1).
    """

    rate: float = 1e-4
    weight_decay: float = 1e-4
    batch: int = 64
    epochs: int = 500
    patience: int = 40
    held_out: float = 0.15


@dataclass(frozen=True, slots=True)
class Pretraining:
    """Masked-gene pretraining on the expression of the training patients, without their labels.

    Attributes
    ----------
    low, high : float
        Each patient loses a share of the known genes drawn from here.
    frozen : bool
        Whether what tells genes apart stays as pretrained.
    """

    epochs: int = 150
    rate: float = 1e-3
    low: float = 0.05
    high: float = 0.30
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Pathwayed:
    """Size of the sparse network: units a pathway, then the dense layers (S0b)."""

    units: int = 16
    hidden: tuple[int, ...] = (64, 256, 128)
    dropout: float = 0.2
