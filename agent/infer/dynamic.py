"""Which images of an MR examination are its dynamic series: phases in time, matched by slice position.

A phase is what was taken of all slice positions at one time. Scanners store a series for each phase, or all of them
in one series, told apart by Temporal Position Identifier or by the moment of acquisition.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from agent.core.ports import StoredInstance
from agent.infer.reader import Slice

DERIVED: Final = "computed from other images, as a subtraction or a projection is"
NO_TIME: Final = "the images of this series do not say when they were taken"
SAME_MOMENT: Final = "several images of one slice position at the same moment: phases cannot be told apart"
ONE_PHASE: Final = "no other phase of this series: only dynamic series, before and after contrast, are used"
EARLIER: Final = "a later image without contrast is used as the one before it"
SHORT_PHASE: Final = "a phase with less than half of the slices of the others"
NOT_IN_ALL: Final = "this slice position is not in every phase"
SMALLER: Final = "another dynamic series of this examination is used"

SAME_PLACE_MM: Final = 0.25

T = TypeVar("T")
LeftOut: TypeAlias = list[tuple[StoredInstance, str]]


@dataclass(frozen=True)
class Located:
    """An image or a frame of one, and where and when it was taken."""

    stored: StoredInstance
    slice: Slice
    frame: int = 0  # of several, from 1

    @property
    def key(self) -> tuple[int, int]:
        """What tells images apart, frames of one object too."""
        return self.stored.id, self.frame


@dataclass(frozen=True)
class Dynamic:
    """Slice positions from the feet upwards, each with its image in every phase, in time order."""

    positions: tuple[tuple[Located, ...], ...]

    @property
    def phases(self) -> int:
        """How many there are."""
        return len(self.positions[0])

    @property
    def size(self) -> int:
        """Pixels in all."""
        first = self.positions[0][0].slice
        return len(self.positions) * self.phases * first.rows * first.columns


Phase: TypeAlias = dict[int, Located]
"""Images by the number of their slice position."""


def find_dynamic(images: Sequence[Located]) -> tuple[Dynamic | None, LeftOut]:
    """Find the largest dynamic series of an examination; say of every other image why it is not of it."""
    left_out: LeftOut = [(one.stored, DERIVED) for one in images if one.slice.derived]
    found = []
    for group in grouped((one for one in images if not one.slice.derived), _geometry).values():
        dynamic = _dynamic(group, left_out)
        if dynamic:
            found.append(dynamic)
    found.sort(key=lambda dynamic: -dynamic.size)
    for other in found[1:]:
        left_out += [(one.stored, SMALLER) for position in other.positions for one in position]
    return (found[0] if found else None), left_out


def grouped(items: Iterable[T], key: Callable[[T], Hashable]) -> dict[Hashable, list[T]]:
    """Group items by a key, in the order in which they come."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _geometry(one: Located) -> Hashable:
    """What is the same in every phase of a dynamic series; images without fat suppression differ in weighting."""
    lies, spacing = one.slice, one.slice.pixel_mm
    turned = (lies.columns_to_left, lies.rows_to_back)
    return lies.weighting, lies.rows, lies.columns, round(spacing[0], 3), round(spacing[1], 3), *turned


def _dynamic(group: Sequence[Located], left_out: LeftOut) -> Dynamic | None:
    """Join the phases of all series of one geometry."""
    places = _places(group)
    phases: list[Phase] = []
    for series in grouped(group, lambda one: one.stored.instance.series_instance_uid).values():
        phases += _phases(series, places, left_out)
    phases = _long(phases, left_out)
    if len(phases) < 2:
        left_out += [(one.stored, ONE_PHASE) for phase in phases for one in phase.values()]
        return None
    phases.sort(key=_time)
    if len({_time(phase) for phase in phases}) < len(phases):
        left_out += [(one.stored, SAME_MOMENT) for phase in phases for one in phase.values()]
        return None
    phases = _from_last_before_contrast(phases, left_out)
    shared = sorted(set(phases[0]).intersection(*phases[1:]))
    left_out += [(one.stored, NOT_IN_ALL) for p in phases for place, one in p.items() if place not in shared]
    return Dynamic(tuple(tuple(phase[place] for phase in phases) for place in shared)) if shared else None


def _places(group: Sequence[Located]) -> dict[tuple[int, int], int]:
    """Number the slice positions from the feet upwards: key of the image -> number."""
    numbers: dict[tuple[int, int], int] = {}
    number, last_mm = -1, float("-inf")
    for one in sorted(group, key=lambda one: one.slice.position_mm):
        if one.slice.position_mm - last_mm > SAME_PLACE_MM:
            number += 1
        last_mm = one.slice.position_mm
        numbers[one.key] = number
    return numbers


def _phases(series: Sequence[Located], places: dict[tuple[int, int], int], left_out: LeftOut) -> list[Phase]:
    """Split a series into its phases."""
    if not all(one.slice.acquired for one in series):
        left_out += [(one.stored, NO_TIME) for one in series]
        return []
    by_place = grouped(series, lambda one: places[one.key])
    most = max(len(of_place) for of_place in by_place.values())
    phase_of = _teller(series, places, most)
    if phase_of is None:
        left_out += [(one.stored, SAME_MOMENT) for one in series]
        return []
    phases: dict[Hashable, Phase] = {}
    for one in series:
        name = phase_of(one)
        if name is None:
            left_out.append((one.stored, NOT_IN_ALL))
        else:
            phases.setdefault(name, {})[places[one.key]] = one
    return list(phases.values())


def _teller(
    series: Sequence[Located], places: dict[tuple[int, int], int], most: int
) -> Callable[[Located], Hashable] | None:
    """What tells the phases of a series apart: nothing needs to, the temporal position, or the moment.

    None: nothing does. Where images of a phase have moments of their own, they are counted at each slice position; one
    that lacks an image cannot be, and its images have no phase (None).
    """
    if most == 1:
        return lambda _: 0

    def tells(key: Callable[[Located], Hashable]) -> bool:
        return max(Counter((places[one.key], key(one)) for one in series).values()) == 1

    if all(one.slice.temporal_position is not None for one in series) and tells(_temporal_position):
        return _temporal_position
    if not tells(_acquired):
        return None
    if len({one.slice.acquired for one in series}) == most:
        return _acquired
    by_place = grouped(series, lambda one: places[one.key])
    rank = {
        one.key: number
        for of_place in by_place.values()
        if len(of_place) == most
        for number, one in enumerate(sorted(of_place, key=lambda one: one.slice.acquired))
    }
    return lambda one: rank.get(one.key)


def _temporal_position(one: Located) -> Hashable:
    return one.slice.temporal_position


def _acquired(one: Located) -> Hashable:
    return one.slice.acquired


def _time(phase: Phase) -> tuple[str, int]:
    first = min(phase.values(), key=lambda one: one.slice.acquired)
    return first.slice.acquired, first.slice.temporal_position or 0


def _from_last_before_contrast(phases: list[Phase], left_out: LeftOut) -> list[Phase]:
    """Begin with the last of the phases that state no contrast agent, where all later ones state one.

    Where all state one, or none does, or one without comes after one with it, the first in time counts as the one
    before contrast: many scanners write the agent into every image of the examination.
    """
    stated = [all(one.stored.instance.traits.with_contrast for one in phase.values()) for phase in phases]
    before = stated.index(True) if True in stated else 0
    if before < 2 or not all(stated[before:]):
        return phases
    left_out += [(one.stored, EARLIER) for phase in phases[: before - 1] for one in phase.values()]
    return phases[before - 1 :]


def _long(phases: Sequence[Phase], left_out: LeftOut) -> list[Phase]:
    """Leave out phases that were broken off, which would cost the others their slices."""
    most = max((len(phase) for phase in phases), default=0)
    left_out += [(one.stored, SHORT_PHASE) for p in phases if 2 * len(p) < most for one in p.values()]
    return [phase for phase in phases if 2 * len(phase) >= most]
