"""The files of a model bundle, read once and checked before anything of them is used."""

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.core.errors import Permanent
from agent.core.manifest import BundleManifest, parse_manifest
from agent.infer.external_data import names_external_data

MANIFEST: Final = "manifest.json"
MODEL: Final = "model.onnx"
GOLDEN: Final = "golden.npz"

_SUFFIXES: Final = frozenset({".json", ".md", ".npz", ".onnx"})


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: what the manifest says, and the very bytes that were verified."""

    manifest: BundleManifest
    digest: str  # sha256 of manifest.json, which holds the digest of every other file
    model: bytes
    golden: bytes


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle and compare every file with the manifest.

    Raises
    ------
    Permanent
        If the folder holds other files than the manifest lists, a file has another SHA-256, is a link or of a kind
        that can carry code, or the model names data outside itself. The message says what to do.
    """
    files = {path.name: _read(path) for path in _listed(folder)}
    if MANIFEST not in files:
        raise Permanent(f"{folder}: no {MANIFEST}; the export writes it last, so run it to its end")
    manifest = _parse(folder, files[MANIFEST])
    _compare(folder, manifest.files, files)
    model = files[MODEL]
    try:
        external = names_external_data(model)
    except ValueError as exc:
        raise Permanent(f"{folder / MODEL}: not an ONNX model ({exc}); export it again") from None
    if external:
        raise Permanent(f"{folder / MODEL}: names data outside itself; export it with its weights inside")
    return Bundle(manifest, hashlib.sha256(files[MANIFEST]).hexdigest(), model, files[GOLDEN])


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as exc:
        raise Permanent(f"{folder}: no bundle there ({exc.strerror}); give the folder that holds {MANIFEST}") from None


def _read(path: Path) -> bytes:
    if path.suffix not in _SUFFIXES:
        raise Permanent(f"{path}: a bundle holds {', '.join(sorted(_SUFFIXES))} files only; remove it")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
                raise Permanent(f"{path}: a link or no regular file; copy the bundle (cp -rL) and give the copy")
            return file.read()
    except OSError as exc:
        raise Permanent(f"{path}: cannot be read ({exc.strerror}); a bundle holds regular files only") from None


def _parse(folder: Path, raw: bytes) -> BundleManifest:
    try:
        return parse_manifest(json.loads(raw))
    except (ValueError, AttributeError):
        raise Permanent(f"{folder / MANIFEST}: not a JSON object; export the bundle again") from None


def _compare(folder: Path, listed: Mapping[str, str], files: Mapping[str, bytes]) -> None:
    missing = sorted({*listed, MODEL, GOLDEN} - set(files))
    if missing:
        raise Permanent(f"{folder / missing[0]}: missing; export the bundle again")
    for name in sorted(set(files) - {MANIFEST}):
        if name not in listed:
            raise Permanent(f"{folder / name}: the manifest does not list it; remove it or export the bundle again")
        if hashlib.sha256(files[name]).hexdigest() != listed[name]:
            raise Permanent(f"{folder / name}: its SHA-256 is not the manifest's; export or copy the bundle again")
