"""What rendered images depend on, as a digest: shards of an older phantom or preprocessing are not taken again."""

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from models.fusion.settings import Imaging

ROOT: Final = Path(__file__).parents[2]
SOURCES: Final = ("models/phantom", "agent/preprocess", "models/fusion/images.py")
LENGTH: Final = 12


def origin(imaging: Imaging) -> str:
    """Digest of everything that the images of one modality are made from: settings, phantom and preprocessing."""
    made = (imaging.name, imaging.shape, imaging.images, imaging.findings, imaging.render, imaging.settings)
    return hashlib.sha256(repr(made).encode() + sources()).hexdigest()[:LENGTH]


@cache
def sources() -> bytes:
    """Digest of the code that draws patients and prepares their images."""
    digest = hashlib.sha256()
    for name in SOURCES:
        place = ROOT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.digest()
