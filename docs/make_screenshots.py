"""Reduce screenshots of the viewer's tests to those that docs/viewers.md shows: `make viewer`, then this."""

import sys
from pathlib import Path
from typing import Final

from PIL import Image

ROOT: Final = Path(__file__).resolve().parent.parent
SHOTS: Final = ROOT / "build" / "viewer" / "shots"
CHOSEN: Final = {
    "bilateral-1-left": "viewer-report",
    "bilateral-3-text": "viewer-text",
    "bilateral-4-heatmap-left": "viewer-heatmap",
    "clip-1-report": "viewer-clip",
    "mr4d-1-report": "viewer-dynamic-mr",
    "none-2-summary": "viewer-no-estimate",
    "greek-2-text": "viewer-superseded",
}
SIZE: Final = (1000, 633)
QUALITY: Final = 80


def main(shots: Path) -> None:
    """Write each chosen screenshot below docs/images."""
    for shot, name in CHOSEN.items():
        with Image.open(shots / f"{shot}.png") as whole:
            small = whole.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        small.save(ROOT / "docs" / "images" / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHOTS)
