"""Programs and data that tests can use when they are on the machine; without them the test skips, visibly."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SENTINODE_SHARED", ROOT.parent / "shared"))
SYSTEM_PATH = "/usr/bin:/usr/sbin:/bin:/usr/local/bin"


def program(name: str) -> str:
    """Return the path of a system program, skipping the test if there is none.

    The virtual environment's own scripts are not looked at: pynetdicom installs a storescu of its own.
    """
    found = shutil.which(name, path=SYSTEM_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def shared(*parts: str) -> Path:
    """Return a path below the shared real data, skipping the test if it is not there."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"shared/{'/'.join(parts)} is not here")
    return path


def pixelmed() -> list[str]:
    """Return the command that judges any number of SRs by PixelMed's validator; skips where that, or a JDK, is missing.

    Its stylesheets pass the limits that Java sets. Before what it says of a file stands "judged: " with its path.
    """
    jar = Path("/usr/share/java/pixelmed.jar")
    if not jar.exists():
        pytest.skip("pixelmed-apps is not installed")
    program("javac")  # a Java without a compiler starts no source file
    limits = [f"-Djdk.xml.xpath{name}=0" for name in ("ExprGrpLimit", "ExprOpLimit", "TotalOpLimit")]
    quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xms1g", "-Xmn700m"]  # room: it collects seldom
    return [program("java"), *quick, *limits, "-cp", str(jar), str(ROOT / "tests" / "fakes" / "PixelMed.java")]
