"""Pictures for the page: what was sent, small; what came back, small and large."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset

THUMBNAIL_HEIGHT: Final = 192
PREVIEW_WIDTH: Final = 560
MOST_OF_A_STUDY: Final = 4


def thumbnails(images: Sequence[Dataset]) -> list[Dataset]:
    """Choose what to show of a study: the middle of each series, or four spread over the only one."""
    series: dict[str, list[Dataset]] = {}
    for ds in images:
        series.setdefault(str(ds.SeriesInstanceUID), []).append(ds)
    groups = [sorted(group, key=lambda ds: int(ds.InstanceNumber)) for group in series.values()]
    if len(groups) == 1:
        return _spread(groups[0])
    return _spread([group[len(group) // 2] for group in groups])


def _spread(images: Sequence[Dataset]) -> list[Dataset]:
    most = min(MOST_OF_A_STUDY, len(images))
    return [images[(2 * n + 1) * len(images) // (2 * most)] for n in range(most)]


def write_thumbnail(ds: Dataset, path: Path) -> None:
    """Write a sent image as a small JPEG."""
    picture = Image.fromarray(_shown(ds))
    picture.thumbnail((4 * THUMBNAIL_HEIGHT, THUMBNAIL_HEIGHT), Image.Resampling.LANCZOS)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=80)


def write_capture(ds: Dataset, folder: Path, name: str) -> tuple[Path, Path]:
    """Write a Secondary Capture as a preview and in its own size; return both paths."""
    picture = Image.fromarray(ds.pixel_array)
    large, small = folder / f"{name}.jpg", folder / f"{name}-small.jpg"
    picture.save(large, quality=82, subsampling=0)
    picture.thumbnail((PREVIEW_WIDTH, 2 * PREVIEW_WIDTH), Image.Resampling.LANCZOS)
    picture.save(small, quality=78, subsampling=0)
    return small, large


def _shown(ds: Dataset) -> NDArray[np.uint8]:
    """An image in grey values or colour as one would look at it."""
    pixels = ds.pixel_array
    if ds.get("SamplesPerPixel", 1) == 3:
        return np.asarray(pixels, np.uint8)
    values = pixels.astype(np.float32)
    low, high = np.percentile(values, (0.5, 99.7))
    grey = np.clip((values - low) / max(float(high - low), 1.0), 0, 1)
    if ds.PhotometricInterpretation == "MONOCHROME1":
        grey = 1 - grey
    return np.asarray(255 * grey, np.uint8)
