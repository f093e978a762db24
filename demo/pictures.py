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


def write_thumbnails(images: Sequence[Dataset], paths: Sequence[Path]) -> None:
    """Write sent images of one study as small JPEGs, all with one window, so that contrast uptake can be seen."""
    grey = [_bright(ds) for ds in images if not _is_colour(ds)]
    low, high = np.percentile(np.concatenate([one.ravel()[::7] for one in grey]), (0.5, 99.7)) if grey else (0, 1)
    for ds, path in zip(images, paths, strict=True):
        shown = ds.pixel_array if _is_colour(ds) else 255 * np.clip((_bright(ds) - low) / max(high - low, 1), 0, 1)
        picture = Image.fromarray(np.asarray(shown, np.uint8))
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


def _is_colour(ds: Dataset) -> bool:
    return int(ds.SamplesPerPixel) == 3


def _bright(ds: Dataset) -> NDArray[np.float32]:
    """Grey values, the higher the brighter."""
    values = np.asarray(ds.pixel_array, np.float32)
    return values.max() - values if ds.PhotometricInterpretation == "MONOCHROME1" else values
