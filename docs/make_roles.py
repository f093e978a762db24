"""Render docs/roles.md from the table of roles, and docs/roles_of_public_files.md from what it says of real files.

python docs/make_roles.py [FOLDER]: with the folder of the public files the second page, too.
"""

import sys
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydicom.uid import UID

from agent.core.errors import Rejected
from agent.core.instance import Instance, SpoolRef
from agent.core.ports import Record, RecordKind
from agent.core.role_rules import BUILT_IN, FIRST, RULES
from agent.core.roles import MATCHED, ROLES, Rule
from agent.dicom.header import read_header

PAGE = Path(__file__).with_name("roles.md")
PUBLIC = Path(__file__).with_name("roles_of_public_files.md")
EXPLICIT, IMPLICIT, BIG_ENDIAN = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
DEFLATED = ("1.2.840.10008.1.2.1.99",)
NO_DATA = (".md", ".txt", ".csv")

HEAD = """# Roles: what every received object is

Each object gets a role, or is refused, by the first rule of this table that holds. Indexing and inference ask the same
table. `sentinode cases show CASE` says of every image of a case, and of everything else that arrived of its patient,
which rule took or refused it. "Left out" is an image whose role is known and which the case holds, but which no model
is given.

A rule looks at the header alone. Image Type is looked at from its third value on: an image labelled DERIVED is not
refused for that, since compressing or resampling an original makes it DERIVED, too. Words are compared without case,
accents and punctuation, in English, German, French, Spanish and some neighbouring languages
(`agent/core/role_words.py`). What the table says of real public files:
[roles_of_public_files.md](roles_of_public_files.md).

## Roles
"""
EXTEND = """
## A site's own rules

They stand under `roles:` in `config.yaml` and are tried in order, before the built-in ones but behind ANY-1 and ANY-2.
Their ids are `site-1`, `site-2` and so on.

```yaml
roles:
  - modality: US
    series_description: "*LAD*"       # * any letters, ? one; case does not count; all patterns given must fit
    role: us.node
    reason: our sonographers write LAD for axillary nodes
  - modality: MG
    station_name: TRAINING?
    role: refused
    reason: the training room's unit takes no patients
```

A rule is about one modality, and its role is one of that modality or `refused`. Patterns may be given for {names}.
A site's rule is trusted: it is also used where a built-in rule would have refused the image. Images FOR PROCESSING,
outside of the episode or of the other side stay left out all the same.

## What happens with a role

- **Mammograms**: of each side and projection the newest image, one with the implant displaced before any other.
- **Ultrasound**: up to eight images of a side, nodes and tumour in turn, each of the newest examination that has one;
  what does not say which it shows counts where no newer examination is used. Doppler images are left out.
- **MR**: the newest examination with a dynamic series. Phases are told apart by temporal position or time and matched
  by slice position, in classic images and in the frames of enhanced ones. Where the first of several phases state no
  contrast agent and all later ones do, the last without is the one before contrast; otherwise the first in time is.
- **Slides**: no model reads them yet.
"""
PUBLIC_HEAD = """# Roles of public files

What the [table of roles](roles.md) says of every file under shared/data/dicom, rendered by `docs/make_roles.py` and
read line by line. An object that names no patient is quarantined whatever it shows; what it shows stands behind it.

| file | SOP class | role | rule | reason |
|-|-|-|-|-|
"""


def render() -> str:
    """Return docs/roles.md."""
    roles = [f"| `{role}` | {what} |" for role, what in ROLES.items()]
    return "\n".join(
        [
            HEAD,
            "| role | what it is |",
            "|-|-|",
            *roles,
            *_rules("What no site can change", FIRST),
            *_rules("Built-in rules", RULES),
            EXTEND.format(names=", ".join(f"`{name}`" for name in MATCHED)),
        ]
    )


def _rules(title: str, rules: Sequence[Rule]) -> Iterator[str]:
    yield f"\n## {title}\n"
    yield "| rule | modality | when | role | reason |"
    yield "|-|-|-|-|-|"
    for rule in rules:
        when = "; ".join(one.words for one in rule.when) or "otherwise"
        role = f"`{rule.role}`{', left out' if rule.left_out else ''}" if rule.role else "refused"
        yield f"| {rule.id} | {rule.modality or 'any'} | {when} | {role} | {rule.reason} |"


def render_public(folder: Path) -> str:
    """Return docs/roles_of_public_files.md."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix not in NO_DATA)
    return PUBLIC_HEAD + "".join(f"| {path.relative_to(folder)} | {_line(path.read_bytes())} |\n" for path in files)


def _line(raw: bytes) -> str:
    meta, payload = _split(raw)
    if "transfer_syntax_uid" not in meta:
        return "- | quarantined | - | no File Meta Information: nothing says how it is encoded"
    kind = UID(meta.get("sop_class_uid", "")).name
    try:
        return f"{kind} | {_verdict(_read(meta, payload))}"
    except Rejected as exc:
        why = str(exc)
    if why.startswith("no Patient ID"):
        named = _with_patient(payload, meta["transfer_syntax_uid"])
        return f"{kind} | {_verdict(_read(meta, named), quarantined=f'{why}; its kind: ')}"
    return f"{kind} | quarantined | - | {why}"


def _verdict(instance: Instance, quarantined: str = "") -> str:
    verdict = BUILT_IN.verdict(instance)
    role = f"`{verdict.role}`{', left out' if verdict.left_out else ''}" if verdict.role else "refused"
    return f"{f'quarantined ({role})' if quarantined else role} | {verdict.rule} | {quarantined}{verdict.reason}"


def _read(meta: dict[str, str], payload: bytes) -> Instance:
    given = {"calling_ae_title": "PUBLIC", **meta}
    record = Record(SpoolRef(1, 1, 0), RecordKind.INSTANCE, 1, datetime(2026, 1, 1, tzinfo=UTC), given, payload)
    return read_header(record, "PUBLIC")


def _with_patient(payload: bytes, transfer_syntax_uid: str) -> bytes:
    """Give an encoded dataset a Patient ID, in place of an empty one or before everything else."""
    if transfer_syntax_uid in DEFLATED:
        return deflated(_with_patient(zlib.decompress(payload, -zlib.MAX_WBITS), EXPLICIT))
    tag = b"\0\x10\0\x20" if transfer_syntax_uid == BIG_ENDIAN else b"\x10\0\x20\0"
    empty = tag + (b"\0\0\0\0" if transfer_syntax_uid == IMPLICIT else b"LO\0\0")
    length = b"\2\0\0\0" if transfer_syntax_uid == IMPLICIT else b"LO\0\2" if tag[0] == 0 else b"LO\2\0"
    given = tag + length + b"NO"
    return payload.replace(empty, given, 1) if empty in payload else given + payload


def deflated(payload: bytes) -> bytes:
    """Deflate an encoded dataset (PS3.5 A.5)."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(payload) + deflater.flush()


def _split(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Split a Part 10 file into what its File Meta Information says and the encoded dataset (PS3.10 7.1)."""
    names = {2: "sop_class_uid", 3: "sop_instance_uid", 16: "transfer_syntax_uid"}
    position, meta = 132, {}
    while raw[position : position + 2] == b"\2\0":
        is_long = raw[position + 4 : position + 6] in (b"OB", b"UN")
        start = position + (12 if is_long else 8)
        length = int.from_bytes(raw[start - (4 if is_long else 2) : start], "little")
        number = int.from_bytes(raw[position + 2 : position + 4], "little")
        if number in names:
            meta[names[number]] = raw[start : start + length].rstrip(b"\0 ").decode("ascii", "replace")
        position = start + length
    return meta, raw[position:]


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    if sys.argv[1:]:
        PUBLIC.write_text(render_public(Path(sys.argv[1])), encoding="utf-8")
