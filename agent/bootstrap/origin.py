"""What of this installation an answer depends on: its code, its libraries and its configuration."""

import platform
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import agent
from agent.config import Config
from agent.config.digest import answer_digest, answer_keys
from agent.core.errors import Permanent
from agent.infer.lineage import Origin

LIBRARIES: Final = ("numpy", "onnxruntime", "onnxruntime-gpu", "pillow", "pydicom", "highdicom")
"""Whose numbers, pixels and objects ours are."""


def build_origin(config: Config) -> Origin:
    """Look at the installation as it is now.

    Raises
    ------
    Permanent
        If the clinical query cannot be read.
    """
    return Origin(
        version=agent.__version__,
        code=code_digest(Path(agent.__file__).parent),
        python=platform.python_version(),
        libraries={name: found for name in LIBRARIES if (found := _version(name))},
        configuration=answer_digest(config),
        configuration_keys=answer_keys(config),
        ehr_query=_file_digest(config.ehr.query),
        time_zone=config.site.time_zone,
    )


def code_digest(package: Path) -> str:
    """SHA-256 over a package's source files, their names and contents: an edited installation shows."""
    digest = sha256()
    for path in sorted(package.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def _file_digest(path: Path) -> str:
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        raise Permanent(f"the clinical query {path} cannot be read") from None
