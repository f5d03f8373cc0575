"""Frames of a volume or sequence: which are due, at which time, in gray levels and with square pixels."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import NO_OPTIONS, Frame, Notes, Options, Probe, Range
from usfm.extract.readers.volume import clock, square
from usfm.extract.readers.volume.elements import planes
from usfm.extract.readers.volume.grid import Grid, GridLayout, layout
from usfm.extract.readers.volume.packed import check
from usfm.extract.readers.volume.window import Window, find, levels, lost, plain
from usfm.extract.sampling import Sampling

UNREADABLE = Probe(1, 1, 1)
INVALID = "marked as not valid"


def _one(media: Media) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class VolumeReader:
    """Reader of one format of volumes and tracked sequences; each plane is a frame.

    Attributes:
        kind: Its row of ``READERS``.
        suffixes: As every reader has them.
        known_by: Says by the first bytes of a file whether it is of this format.
        header: Reads the header of a file.
        items: Lists what a file holds where that may be several arrays.
    """

    kind: str
    suffixes: frozenset[str]
    known_by: Callable[[bytes], bool]
    header: Callable[[Media], Grid]
    items: Callable[[Media], tuple[str, ...]] = _one
    identifies: ClassVar[bool] = False

    def recognises(self, head: bytes, suffix: str = "") -> bool:
        """See `Reader`."""
        return self.known_by(head)

    def companions(self, media: Media) -> Sequence[Media]:
        """Return the files with the pixels where the header has some of its own."""
        try:
            grid = self.header(media)
        except (MediaError, OSError):
            return ()
        return tuple(data for data in grid.files or (grid.data,) if data.place != media.place)

    def probe(self, media: Media, *, stamps_above: int, options: Options = NO_OPTIONS) -> Probe:
        """See `Reader`: read the header; where the volume is long, find its window too."""
        names = () if media.item else self.items(media)
        if len(names) > 1:
            each = [self._item(replace(media, item=name), stamps_above, options) for name in names]
            return Probe(0, 0, 0, items=tuple(each))
        return self._probed(media, stamps_above, options)

    def _item(self, media: Media, stamps_above: int, options: Options) -> Probe:
        try:
            return replace(self._probed(media, stamps_above, options), item=media.item)
        except MediaError:  # told again when it is read
            return replace(UNREADABLE, item=media.item)

    def _probed(self, media: Media, stamps_above: int, options: Options) -> Probe:
        grid, cut = self._opened(media, options)
        height, width = square.size(grid, cut)
        times = clock.times(grid, cut)
        long = 3 * height * width * cut.frames > stamps_above and cut.frames > 1
        look = find(grid) if long else Window(0.0, 0.0)
        return Probe(
            height,
            width,
            cut.frames,
            seconds=times.seconds,
            fps=times.fps,
            stamps=times.ticks(cut) if long else (),
            tick_s=times.tick_s,
            lasts=times.lasts,
            full=look.high,
            low=look.low,
            planes=cut.planes if times.fps == times.fps else 1,
        )

    def read(
        self, media: Media, sampling: Sampling, notes: Notes, within: Range | None = None, options: Options = NO_OPTIONS
    ) -> Iterator[Frame]:
        """See `Reader`: give the planes that are due, moment by moment."""
        grid, cut = self._opened(media, options)
        times = clock.times(grid, cut)
        due = clock.due(times, cut, sampling) if within is None else list(within.indices)
        notes.frames = cut.frames
        known = within is not None and (within.low, within.full) != (0.0, 0.0)
        look = Window(within.low, within.full) if within is not None and known else find(grid)
        notes.metadata.update(_facts(grid, cut, look, media))
        size, spacing = square.size(grid, cut), square.spacing(grid, cut)
        invalid = grid.sequence.invalid
        taken = planes(grid, cut, [number for number in due if number // cut.planes not in invalid])
        for number in due:
            moment = number // cut.planes
            time_s = times.seconds_of(moment)
            if moment in invalid:
                yield Frame(number, time_s, None, INVALID)
                continue
            _, values = next(taken)
            facts = dict(grid.sequence.poses[moment]) if moment < len(grid.sequence.poses) else {}
            facts |= {"not_finite": count} if (count := lost(grid, values)) else {}
            pixels = square.made(levels(grid, values, look), *size)
            yield Frame(number, time_s, pixels, spacing_mm=spacing, facts=facts)

    def _opened(self, media: Media, options: Options) -> tuple[Grid, GridLayout]:
        grid = self.header(media)
        if str(grid.sequence.facts.get("image_type", "")).startswith("RF"):
            raise MediaError("not a picture", "it holds radio-frequency lines; save their brightness as a picture.")
        cut = layout(grid, int(options.axis) if options.axis else None)
        check(grid)
        return grid, cut


def _facts(grid: Grid, cut: GridLayout, look: Window, media: Media) -> dict:
    """Return what is kept of a header; nothing of it is free text."""
    facts: dict = {"format": grid.format, "sizes": list(grid.sizes), "element": np.dtype(grid.dtype).name}
    steps = [None if math.isnan(step) else step for step in grid.steps]
    facts |= {"steps": steps} if any(step is not None for step in steps) else {}
    facts |= grid.facts | grid.sequence.facts
    if cut.plane >= 0:
        facts["axis"] = cut.plane - (0 <= cut.colour < cut.plane)
    if not plain(grid):
        facts["window"] = [look.low, look.high]
    if square.ratio(grid, cut) != 1:
        facts["pixels_before"] = [grid.sizes[cut.row], grid.sizes[cut.column]]
    name = media.name.lower()
    if "brightnessdata" in name and "scanconverted" not in name:
        facts["scan_converted"] = False
    return facts
