"""python -m bench.report: what making the objects of a result costs, beside a bare script, and of door-to-PACS.

Four full-size mammograms are decoded and reduced as a worker does it; then the composer makes, of an estimate of both
axillae, everything that such a result has: SRs and those in reserve, text SR, a capture of each view, all past the
gate. CPU time of one core, median. In the same run pydicom alone writes the same objects and Pillow alone resizes and
blends the same pictures; more images show how the cost grows; and a real agent answers such patients. The last line is
JSON; a cost above the bound makes it exit with 1.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import numpy as np
from PIL import Image
from pydicom import Dataset, dcmread, dcmwrite

from agent.core.result import Kind, Result, ResultObject, SourceImage
from agent.dicom.pixels import decode, header
from agent.dicom.uids import device_uid
from agent.report.colour import OPACITY, PALETTE
from agent.report.compose import Composer, DeviceIdentity
from agent.report.heatmap import PANEL
from agent.report.iod_tables import read_ahead
from bench.door import door_to_pacs
from bench.figures import rounded
from tests import builders

MOST_MS: Final = 400.0
FULL: Final = (4096, 3328)  # rows, columns
DRAWN: Final = 8  # as few pixels of the full size are drawn; the others repeat them
COUNTS: Final = (1, 4, 40)
VIEWS: Final = (("L", "MLO"), ("L", "CC"), ("R", "MLO"), ("R", "CC"))
DEVICE: Final = DeviceIdentity(device_uid(builders.INSTALLATION), "BENCH", "Sentinode", "Sentinode", "1", "1")
Scene = tuple[Result, Sequence[SourceImage]]


def sources(count: int, full: tuple[int, int] = FULL) -> list[SourceImage]:
    """Return mammograms as a report is given them: four views a study, pixels decoded and reduced."""
    shown = [_shown(side, view, full) for side, view in VIEWS[:count]]
    made = []
    for n in range(count):
        ds = builders.mammogram(*VIEWS[n % len(VIEWS)], study=f"study{n // len(VIEWS)}", rows=DRAWN, columns=DRAWN)
        (ds.Rows, ds.Columns), (image_hw, reduction) = full, shown[n % len(shown)]
        made.append(SourceImage(builders.instance_of(ds), header(builders.part10(ds)), image_hw, float(reduction), 0))
    return made


def _shown(side: str, view: str, full: tuple[int, int]) -> tuple[Any, int]:
    ds = builders.mammogram(side, view, rows=full[0] // DRAWN, columns=full[1] // DRAWN)
    drawn = np.frombuffer(ds.PixelData, np.uint16).reshape(ds.Rows, ds.Columns)
    ds.Rows, ds.Columns = full
    ds.PixelData = drawn.repeat(DRAWN, 0).repeat(DRAWN, 1).tobytes()
    pixels = decode(builders.part10(ds))
    return pixels.display_hw8(pixels.reduction), pixels.reduction


def scene(images: Sequence[SourceImage]) -> Scene:
    """Return a result with an estimate of each side of which there is an image, all of which had influence."""
    sides = sorted({image.instance.laterality for image in images})
    risks = {"L": 0.042, "R": 0.7312}
    return builders.result([builders.estimate(side, risks[side]) for side in sides], images), images


def cpu_ms(run: Callable[[], object], times: int) -> float:
    """Return the median CPU time, of all threads."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        run()
        spent.append(1000 * (time.process_time() - began))
    return statistics.median(spent)


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one of the cores that this process may use."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def written(objects: Sequence[ResultObject]) -> Callable[[], object]:
    """Return what writes the same objects with pydicom alone; that it gives the same bytes is asked here."""
    datasets = [_looked_at(dcmread(BytesIO(one.encoded))) for one in objects]

    def write() -> list[bytes]:
        return [_bytes(ds) for ds in datasets]

    if write() != [one.encoded for one in objects]:
        raise SystemExit("pydicom alone writes other bytes")
    return write


def _looked_at(ds: Dataset) -> Dataset:
    for _ in ds.iterall():  # what nobody looked at would be copied, not encoded
        pass
    return ds


def _bytes(ds: Dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def blended(given: Scene) -> Callable[[], object]:
    """Return what resizes and blends the same pictures with Pillow alone, without a word on them."""
    images = {image.instance.sop_instance_uid: image.image_hw for image in given[1]}
    pairs = [(images[i.sop_instance_uid], i.saliency_hw) for i in given[0].influences]

    def blend() -> None:
        for image_hw, saliency_hw in pairs:
            _pair(Image.fromarray(image_hw), Image.fromarray((saliency_hw * 255).astype(np.uint8)))

    return blend


def _pair(field: Image.Image, levels: Image.Image) -> bytes:
    scale = min(PANEL[0] / field.width, PANEL[1] / field.height)
    size = round(field.width * scale), round(field.height * scale)
    grey = field.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0).convert("RGB")
    small = levels.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    opacity = small.point(OPACITY)
    small.putpalette(PALETTE)
    pair = Image.new("RGB", (2 * size[0], size[1]))
    pair.paste(Image.composite(small.convert("RGB"), grey, opacity), (0, 0))
    pair.paste(grey, (size[0], 0))
    return pair.tobytes()


def bench(runs: int, full: tuple[int, int] = FULL, counts: Sequence[int] = COUNTS) -> dict[str, Any]:
    """Measure composing, the bare script, and growth."""
    given, composer = scene(sources(4, full)), Composer(DEVICE)
    read_ahead()  # as the supervisor does
    first_ms = cpu_ms(lambda: composer(*given), 1)
    objects = composer(*given)
    made_ms = cpu_ms(lambda: composer(*given), runs)
    written_ms, blended_ms = cpu_ms(written(objects), runs), cpu_ms(blended(given), runs)
    growth = {n: scene(sources(n, full)) for n in counts}
    return {
        "sr_text_4captures_ms": rounded(made_ms),
        "first_ms": rounded(first_ms),
        "runs": runs,
        "objects": dict(Counter(_named(one) for one in objects)),
        "megabytes": rounded(sum(len(one.encoded) for one in objects) / 1e6),
        "every_kind_ms": rounded(cpu_ms(lambda: Composer(DEVICE, kinds=frozenset(Kind))(*given), max(1, runs // 4))),
        "bare_pydicom_ms": rounded(written_ms),
        "bare_pillow_ms": rounded(blended_ms),
        "bare_ratio": rounded(made_ms / (written_ms + blended_ms)),
        "ms_by_images": {n: rounded(cpu_ms(lambda s=s: composer(*s), max(1, runs // 4))) for n, s in growth.items()},
        "captures_by_images": {n: _captures(composer(*s)) for n, s in growth.items()},
    }


def _named(one: ResultObject) -> str:
    return f"{one.kind} in reserve" if one.instead_of else str(one.kind)


def _captures(objects: Sequence[ResultObject]) -> int:
    return sum(one.kind is Kind.SECONDARY_CAPTURE for one in objects)


def is_enough(found: dict[str, Any]) -> bool:
    """Whether the cost is within its bound."""
    return bool(found["sr_text_4captures_ms"] <= MOST_MS)


def main() -> None:
    """Run the benchmark; the last line is its result as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.report", description=__doc__)
    parser.add_argument("--runs", type=int, default=25)
    parser.add_argument("--patients", type=int, default=3, help="through a real agent, after one; 0: no agent")
    given = parser.parse_args()
    with one_core():
        found = bench(given.runs)
    print(f"made by the agent   {found['sr_text_4captures_ms']:8.0f} ms   {found['objects']}")
    print(f"bare pydicom        {found['bare_pydicom_ms']:8.0f} ms")
    print(f"bare Pillow         {found['bare_pillow_ms']:8.0f} ms   {found['bare_ratio']:.1f} x both")
    print("by number of images " + ", ".join(f"{n}: {ms:.0f} ms" for n, ms in found["ms_by_images"].items()))
    if given.patients:
        door_s = door_to_pacs(given.patients, FULL)
        found["door_to_pacs_s"] = rounded(door_s)
        found["share_of_door_to_pacs"] = rounded(found["sr_text_4captures_ms"] / 1000 / door_s)
        print(f"complete to PACS    {1000 * door_s:8.0f} ms   {100 * found['share_of_door_to_pacs']:.0f} % of it")
    print(json.dumps(found))
    sys.exit(not is_enough(found))


if __name__ == "__main__":
    main()
