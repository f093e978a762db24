"""Small Part 10 images made on the spot."""

from io import BytesIO
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import DigitalMammographyXRayImageStorageForPresentation, ExplicitVRLittleEndian

CANARY = "Canary^Ann"


def image_dataset(image_hw: np.ndarray, **attributes: Any) -> Dataset:
    """An image, of colour where (H, W, 3), with the attributes that its array implies; `attributes` replace them.

    None removes one.
    """
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = DigitalMammographyXRayImageStorageForPresentation, "2.25.1"
    ds.PatientName, ds.PatientID = CANARY, "CANARY-1"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    if image_hw.ndim == 3:
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.Rows, ds.Columns = image_hw.shape[:2]
    ds.BitsAllocated = ds.BitsStored = 8 * image_hw.dtype.itemsize
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(image_hw.dtype.kind == "i")
    pixels = image_hw.tobytes()
    ds.PixelData = pixels + b"\0" * (len(pixels) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated == 16 else "OB"
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def write(ds: Dataset, transfer_syntax_uid: str = ExplicitVRLittleEndian) -> bytes:
    """The Part 10 file of a dataset."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = transfer_syntax_uid
    ds.file_meta.MediaStorageSOPClassUID, ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPClassUID, ds.SOPInstanceUID
    stream = BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def native(image_hw: np.ndarray, **attributes: Any) -> bytes:
    """An uncompressed image."""
    return write(image_dataset(image_hw, **attributes))


def compressed(codestream: bytes, image_hw: np.ndarray, transfer_syntax_uid: str, **attributes: Any) -> bytes:
    """An image whose header describes `image_hw` and whose only frame is `codestream`."""
    return frames([codestream], image_hw, transfer_syntax_uid, **attributes)


def frames(images: list[bytes], image_hw: np.ndarray, transfer_syntax_uid: str, **attributes: Any) -> bytes:
    """An image whose header describes `image_hw` and whose frames are these codestreams."""
    ds = image_dataset(image_hw, **({"NumberOfFrames": len(images)} if len(images) > 1 else {}) | attributes)
    ds.PixelData = encapsulate(images)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    return write(ds, transfer_syntax_uid)


def ramp(rows: int = 6, columns: int = 4, dtype: Any = np.uint16, start: int = 0) -> np.ndarray:
    """Values that all differ."""
    return (np.arange(rows * columns).reshape(rows, columns) + start).astype(dtype)
