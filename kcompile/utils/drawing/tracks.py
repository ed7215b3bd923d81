"""Horizontal lines between two ranks: each on a track of its own height, so that no two connections run on one another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Point = tuple[float, float]
_NEAR = 5.0  # points; lines closer than that would seem one


@dataclass(frozen=True)
class Segment:
    """A connection that leaves the upper rank at one place and enters the lower at another."""

    start: float
    end: float

    @property
    def is_straight(self) -> bool:
        return abs(self.start - self.end) < 0.5

    def meets(self, other: Segment) -> bool:
        """Whether the horizontal parts would lie on one another."""
        return (min(self.start, self.end) < max(other.start, other.end) + _NEAR
                and min(other.start, other.end) < max(self.start, self.end) + _NEAR)


def route_gap(segments: Sequence[Segment]) -> tuple[list[int | None], int]:
    """(the track of each segment, 0 the uppermost, None for straight ones; the number of tracks).

    Where one segment comes down at the place from which another starts, the other must turn first.
    """
    bent = [number for number, segment in enumerate(segments) if not segment.is_straight]
    above: dict[int, list[int]] = {number: [other for other in bent if other != number
                                            and abs(segments[other].start - segments[number].end) < _NEAR] for number in bent}
    tracks: list[int | None] = [None] * len(segments)
    waiting = sorted(bent, key=lambda number: (len(above[number]), abs(segments[number].start - segments[number].end)))
    while waiting:
        free = [number for number in waiting if not any(other in waiting for other in above[number])]
        number = (free or waiting)[0]  # a ring of segments has no right order
        waiting.remove(number)
        least = max((track + 1 for other in above[number] if (track := tracks[other]) is not None), default=0)
        taken = {tracks[other] for other in bent if tracks[other] is not None and segments[number].meets(segments[other])}
        while least in taken:
            least += 1
        tracks[number] = least
    return tracks, max((track + 1 for track in tracks if track is not None), default=0)
