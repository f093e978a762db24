"""Two lineages side by side: what an answer rests on that another one does not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_CODE: Final = (("version", "version"), ("digest", "source files"), ("python", "Python"))
_OF_IMAGE: Final = (("sha256", "bytes"), ("role", "role"), ("rule", "rule"))
_SHORT: Final = 12


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is not as it was; `part` is what kind of thing."""

    part: str  # images, facts, model, configuration, code, ...
    what: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Say what an answer rests on now that it did not before, and the other way round; nothing: on the same."""
    return (
        *_images(before, after),
        *_facts(before["facts"], after["facts"]),
        *_left_out_facts(before, after),
        *_values("model", before["bundle"], after["bundle"]),
        *_values("site", before["site"], after["site"]),
        *_digest("configuration", "clinical query", before["ehr_query"], after["ehr_query"]),
        *_keys(before["configuration"], after["configuration"]),
        *_code(before["code"], after["code"]),
        *_digest("patient", "Patient ID or its issuer", before["patient"], after["patient"]),
    )


def _images(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = used_images(before), used_images(after)
    why = {one["sop_instance_uid"]: one["left_out"] for one in every_image(after)}
    said = [("added", new[uid], "") for uid in new if uid not in old]
    said += [("no longer used", old[uid], why.get(uid, "no longer in the case")) for uid in old if uid not in new]
    for uid in (uid for uid in new if uid in old):
        said += [
            (f"other {words}", new[uid], _from_to(name, old[uid], new[uid]))
            for name, words in _OF_IMAGE
            if old[uid][name] != new[uid][name]
        ]
    alike: dict[tuple[str, str, str], list[str]] = {}
    for what, image, how in said:
        alike.setdefault((what, _kind(image), how), []).append(image["sop_instance_uid"])
    for (what, kind, how), uids in alike.items():
        yield Change("images", f"{what}: {_counted(kind, uids)}{how and f': {how}'}")


def _from_to(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    return "" if name == "sha256" else f"{old[name] or 'none'} → {new[name] or 'none'}"


def _kind(image: Mapping[str, Any]) -> str:
    place = " ".join(image[name] for name in ("modality", "laterality", "view_position") if image[name])
    return f"{place} of {image['acquired_on'] or 'an unknown day'}"


def _counted(kind: str, uids: Sequence[str]) -> str:
    """Name one image; of several of a kind, as of a dynamic series, their number."""
    return f"{kind} ({uids[0]})" if len(uids) == 1 else f"{len(uids)} images, {kind} ({uids[0]}, ...)"


def every_image(lineage: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every instance that the version held, with what is said of its group."""
    for group in lineage["images"]:
        for one in group["instances"]:
            yield {**group, **one}


def used_images(lineage: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The instances that the answer rests on, by SOP Instance UID."""
    return {one["sop_instance_uid"]: one for one in every_image(lineage) if not one["left_out"]}


def _facts(before: list[Mapping[str, Any]], after: list[Mapping[str, Any]]) -> Iterator[Change]:
    old, new = ({fact["name"]: fact for fact in facts} for facts in (before, after))
    yield from (Change("facts", f"added: {name}, known on {new[name]['known_on']}") for name in new if name not in old)
    yield from (Change("facts", f"no longer used: {name}") for name in old if name not in new)
    for name in (name for name in new if name in old):
        if old[name]["value_digest"] != new[name]["value_digest"]:
            yield Change("facts", f"{name} has another value, known on {new[name]['known_on']}")
        elif old[name] != new[name]:
            yield Change("facts", f"{name} is dated or sourced otherwise: {provenance(new[name])}")


def provenance(fact: Mapping[str, Any]) -> str:
    """Since when a fact is known, and where it is from."""
    return ", ".join(part for part in (f"known on {fact['known_on']}", fact["source"]) if part)


def _left_out_facts(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = ({one["name"]: one["reason"] for one in side["facts_left_out"]} for side in (before, after))
    yield from (Change("left out", f"{name}: {new[name]}") for name in new if new[name] != old.get(name))
    yield from (Change("left out", f"{name}: no longer ({old[name]})") for name in old if name not in new)


def _values(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield Change(part, f"{name.replace('_', ' ')}: {shown(old)} → {shown(new)}")


def shown(value: Any) -> str:
    """Write a value as a person reads it: a digest by its first digits."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and len(value) in (32, 64) and not value.strip("0123456789abcdef"):
        return value[:_SHORT]
    return "none" if value in (None, "") else str(value)


def _digest(part: str, name: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        yield Change(part, f"{name} is another: {shown(before)} → {shown(after)}")


def _keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    old, new = before["keys"], after["keys"]
    different = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    if different:
        yield Change("configuration", f"other values of {', '.join(different)}")


def _code(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name, words in _CODE:
        if before[name] != after[name]:
            yield Change("code", f"{words}: {shown(before[name])} → {shown(after[name])}")
    yield from _values("code", before["libraries"], after["libraries"])
