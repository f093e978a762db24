"""UIDs of the DICOM services that more than one room, adapter or program names (PS3.6 annex A)."""

from typing import Final

VERIFICATION: Final = "1.2.840.10008.1.1"
STORAGE_COMMITMENT: Final = "1.2.840.10008.1.20.1"
"""Storage Commitment Push Model SOP Class."""

STORAGE_COMMITMENT_INSTANCE: Final = "1.2.840.10008.1.20.1.1"
"""Its one well-known SOP instance (PS3.4 J.3.5)."""

MESSAGE_TRANSFER_SYNTAXES: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1")
"""Implicit and Explicit VR Little Endian: those of a service that carries no stored object."""

LATER_TRANSFER_SYNTAXES: Final = (
    "1.2.840.10008.1.2.8.1",  # Deflated Image Frame Compression
    "1.2.840.10008.1.2.4.110",  # JPEG XL Lossless
    "1.2.840.10008.1.2.4.111",  # JPEG XL JPEG Recompression
    "1.2.840.10008.1.2.4.112",  # JPEG XL
)
"""Transfer syntaxes that pydicom's dictionary does not name."""
