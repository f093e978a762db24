"""Who we are to a peer and in the files we write: one pair for associations and file meta information alike."""

from typing import Final

IMPLEMENTATION_CLASS_UID: Final = "2.25.156856937494140814701826055747124620810"
"""Implementation Class UID (0002,0012) and sub-item 52H of an association (PS3.7 D.3.3.2)."""

IMPLEMENTATION_VERSION_NAME: Final = "SENTINODE_0.1"
"""Implementation Version Name (0002,0013), at most 16 characters; changes with the release."""
