"""The phases of one extraction: look at each source, look at label masks, take the frames that are due."""

from collections import Counter
from dataclasses import dataclass, replace

from usfm.config import Request
from usfm.extract import imported, plan, told
from usfm.extract.config import Config
from usfm.extract.drawn import LEFT_OUT
from usfm.extract.identity import Paths, Pseudonyms
from usfm.extract.isolate import PIECES, SOURCES, poison_scan, poison_take
from usfm.extract.labels import Facts, class_names
from usfm.extract.layouts import prepare
from usfm.extract.layouts.apply import Placed
from usfm.extract.readers.contract import Options
from usfm.extract.restored import Export
from usfm.extract.sampling import Sampling
from usfm.extract.scan import Scan, batches, loads, scan
from usfm.extract.sources import Found
from usfm.extract.take import take
from usfm.jobs.parts import Done, Part, Phase
from usfm.store import path_map


@dataclass(frozen=True)
class Extraction:
    """What a run knows before it looks into a source.

    Attributes:
        config: Options of the command.
        request: Common options.
        sampling: Which frames are due.
        found: The sources.
        facts: What is known about each, by relative path.
        paths: How messages and the store tell a source.
        names: Pseudonyms, None where nobody is named.
        extra: Labels that come from files of their own.
        here: The layout, where one is asked for.
        export: The export that the inputs are, where they are one.
    """

    config: Config
    request: Request
    sampling: Sampling
    found: Found
    facts: dict[str, Facts]
    paths: Paths
    names: Pseudonyms | None
    extra: imported.Imported
    here: Placed | None
    export: Export | None

    @property
    def options(self) -> Options:
        """What the user asks of readers."""
        return Options(self.config.axis or "", self.config.keep_tag, self.config.color)

    def raw_inputs(self) -> list[dict]:
        """Path as the store tells it, size and time of change of every file that is read."""
        own = [
            {"path": self.paths.stored(source.relative), "size": source.size, "mtime": source.mtime_ns}
            for source in self.found.sources
        ]
        return own + self.extra.inputs(self.paths)

    def phases(self) -> list[Phase]:
        """The phases, in order."""
        masks = Phase("masks", self._mask_parts, imported.look_at, poison=imported.poison_look, unit="masks",
                      items=imported.LOOKED)  # fmt: skip
        return [
            Phase("scan", self._scan_parts, scan, poison=poison_scan, unit="sources", items=SOURCES),
            *([masks] if self.extra.masks else []),
            Phase("take", self._take_parts, take, poison=poison_take, items=PIECES, unit="frames, about"),
        ]

    def figures(self, done: Done) -> dict:
        """What the summary says beside the common figures."""
        found, scans = self.found, self._scans(done)
        kinds = Counter(source.kind or "rejected" for source in found.sources)
        return {
            "skipped": found.skipped,
            "masks": found.masks,
            "excluded": found.excluded,
            LEFT_OUT: imported.said(self.extra, self._labels(done)),
            "kinds": dict(kinds),
            **({"layout": self.here.layout.name, "missing": list(self.extra.gaps)} if self.here else {}),
            **told.identical(found, scans, self.facts, self.paths),
            **told.conflicts(found.sources, scans, self.facts, self.names),
        }

    def _scans(self, done: Done) -> list[Scan]:
        return [one for path in done["scan"] for one in loads(path.read_bytes())]

    def _labels(self, done: Done) -> imported.Onto:
        looks = imported.looks_of([path.read_bytes() for path in done.get("masks", ())])
        return imported.onto(self.extra, looks, self.found.sources, self._scans(done))

    def _scan_parts(self, done: Done) -> list[Part]:
        """Batches of sources; the map of paths is written now that the output is ours and nothing is rejected yet."""
        if self.config.path_map and not self.request.dry_run:
            path_map.write(self.config.path_map, told.mapped(self.found, self.paths))
        cut = batches(self.found.sources, plan.PART_BYTES, self.options, self.names)
        return [
            Part(f"scan-{at:06d}", batch, source=told.several(batch.sources, self.paths), weight=len(batch.sources))
            for at, batch in enumerate(cut)
        ]

    def _mask_parts(self, done: Done) -> list[Part]:
        cut = imported.batches(self.extra)
        return [Part(f"masks-{at:06d}", batch, source="label masks", weight=len(batch)) for at, batch in enumerate(cut)]

    def _take_parts(self, done: Done) -> list[Part]:
        labels = self._labels(done)
        cut = self._pieces(done, labels)
        words = self._words(cut, labels)
        hashed = self.names if self.config.keep_name_hashes else None
        return [
            Part(
                f"take-{at:06d}",
                plan.TakeTask(group, self.sampling, self.config.color, words, self.options, hashed),
                source=told.several([piece.source for piece in group], self.paths),
                weight=sum(piece.due for piece in group),
            )
            for at, group in enumerate(plan.parts(cut))
        ]

    def _pieces(self, done: Done, labels: imported.Onto) -> list[plan.Piece]:
        """Ranges of sources, each with its labels and with what an export says of it."""
        cut = plan.pieces(self.found.sources, self._scans(done), self.facts, self.sampling, self.names,
                          hide_paths=self.paths.hidden)  # fmt: skip
        cut = [replace(piece, drawn=labels.of.get(piece.source.relative)) for piece in cut]
        cut = prepare.labelled(cut, labels.labels) if self.here else cut
        if self.export:
            cut = [replace(piece, restored=self.export.of(piece.source.path)) for piece in cut]
        return cut

    def _words(self, cut: list[plan.Piece], labels: imported.Onto) -> plan.Names:
        """The names that labels count by, the same for every part."""
        classes = tuple(class_names([piece.facts for piece in cut if not piece.scan.fault]))
        multi = tuple(sorted({name for piece in cut for name in piece.facts.multi or ()}))
        words = plan.Names(classes, labels.box_names, labels.mask_names, multi, self.extra.bits)
        return words.behind(self.export.names) if self.export else words
