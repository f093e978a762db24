"""The demo's PACS: Orthanc where its binary is on the machine, else our own small archive."""

from pathlib import Path

from demo.orthanc import Orthanc, orthanc_binary
from demo.own_archive import OwnArchive
from demo.pacs_process import LOOPBACK, Pacs, PacsError, Peers, end_left_behind, free_port

__all__ = [
    "Orthanc",
    "OwnArchive",
    "Pacs",
    "PacsError",
    "end_left_behind",
    "free_port",
    "orthanc_binary",
    "start_pacs",
]


def start_pacs(
    folder: Path, ae_title: str, port: int, agent: tuple[str, int], *, kind: str = "auto", peers: Peers | None = None
) -> Pacs:
    """Start the PACS and return it.

    Parameters
    ----------
    folder : Path
        State folder.
    ae_title, port
        Its AE title and DICOM port.
    agent : (AE title, port)
        The agent, on loopback: may store, find and ask for commitment; studies are routed to it.
    kind : {"auto", "orthanc", "archive"}
        With "auto" Orthanc where it is installed.
    peers : mapping of AE title to (host, port), optional
        Further peers.

    Raises
    ------
    PacsError
        If it cannot be started.
    """
    known = {agent[0]: (LOOPBACK, agent[1]), **(peers or {})}
    orthanc = kind == "orthanc" or (kind == "auto" and orthanc_binary() is not None)
    pacs = (Orthanc if orthanc else OwnArchive)(folder, ae_title, port, known)
    pacs.start()
    return pacs
