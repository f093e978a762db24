"""The objects that are sent: made here, of the size of what modalities send, with pixels that do not compress."""

import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import ExplicitVRLittleEndian

EXPLICIT: Final = str(ExplicitVRLittleEndian)


@dataclass(frozen=True, slots=True)
class Sort:
    """A sort of object: its SOP class, the size of its picture, and how many are sent."""

    name: str
    sop_class_uid: str
    modality: str
    rows: int
    columns: int
    count: int

    @property
    def pixel_bytes(self) -> int:
        """Bytes of the picture, 16 bits a pixel."""
        return 2 * self.rows * self.columns


MR: Final = Sort("mr", "1.2.840.10008.5.1.4.1.1.4", "MR", 512, 512, 400)
MG: Final = Sort("mg", "1.2.840.10008.5.1.4.1.1.1.2", "MG", 4096, 3328, 16)
SMALL: Final = Sort("small", "1.2.840.10008.5.1.4.1.1.2", "CT", 100, 100, 2000)
SORTS: Final = (MR, MG, SMALL)


@dataclass(frozen=True, slots=True)
class Sent:
    """One object: its identity, and the file that holds its encoded dataset and nothing else."""

    sop_class_uid: str
    sop_instance_uid: str
    path: Path


def make(sort: Sort, folder: Path, behind: int = 0) -> list[Sent]:
    """Write the objects of a sort, one series of one study, numbered from the one behind `behind`."""
    folder.mkdir(parents=True)
    pixels = random.Random(sort.name).randbytes(sort.pixel_bytes)  # noqa: S311 - a picture
    made = []
    for number in range(behind + 1, behind + sort.count + 1):
        uid = f"2.25.{sum(map(ord, sort.name))}.{number}"
        one = Sent(sort.sop_class_uid, uid, folder / f"{number}")
        one.path.write_bytes(_encoded(sort, number, uid, number.to_bytes(4, "little") + pixels[4:]))
        made.append(one)
    return made


def _encoded(sort: Sort, number: int, uid: str, pixels: bytes) -> bytes:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sort.sop_class_uid, uid
    ds.StudyDate, ds.Modality = "20261120", sort.modality
    ds.PatientName, ds.PatientID = "Bench", "BENCH"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.1", uid.rpartition(".")[0]
    ds.InstanceNumber = number
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns = sort.rows, sort.columns
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    ds.PixelData = pixels
    ds["PixelData"].VR = "OW"
    out = DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, ds)
    return bytes(out.getvalue())
