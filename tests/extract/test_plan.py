"""Parts: small sources together, long ones in ranges, copies numbered, the same way every time."""

import json

import pytest

from usfm.extract import plan
from usfm.extract.identity import Pseudonyms
from usfm.extract.labels import Facts
from usfm.extract.readers.contract import Probe
from usfm.extract.sampling import Sampling
from usfm.extract.scan import BATCH_FILES, Scan, batches, dumps, loads
from usfm.extract.sources import Source


def stills(count, side=60):
    sources = [Source(f"/x/{n:05d}.jpg", f"{n:05d}.jpg", f"{n:05d}.jpg", "x", 1000, 0, "image") for n in range(count)]
    scans = [Scan(f"{n:064d}", Probe(side, side, 1)) for n in range(count)]
    return sources, scans, {source.relative: Facts() for source in sources}


def test_thousands_of_small_files_are_few_parts():
    cut = plan.pieces(*stills(2438), Sampling(), None, hide_paths=False)
    groups = plan.parts(cut)
    assert len(groups) == 5
    assert [piece for group in groups for piece in group] == cut


def test_a_part_is_bounded_by_bytes():
    groups = plan.parts(plan.pieces(*stills(40, side=2000), Sampling(), None, hide_paths=False))
    assert all(sum(piece.due * piece.frame_bytes for piece in group) <= plan.PART_BYTES for group in groups)
    assert sum(len(group) for group in groups) == 40


def test_order_is_canonical_and_copies_are_numbered():
    sources, scans, facts = stills(6)
    scans[1] = scans[4] = scans[0]
    cut = plan.pieces(sources[::-1], scans[::-1], facts, Sampling(), None, hide_paths=False)
    assert [piece.source.relative for piece in cut] == [source.relative for source in sources]
    assert [piece.copy for piece in cut] == [0, 1, 0, 0, 2, 0]


def test_hidden_paths_change_names_and_not_order():
    sources, scans, facts = stills(9)
    plain = plan.pieces(sources, scans, facts, Sampling(), None, hide_paths=False)
    hidden = plan.pieces(sources, scans, facts, Sampling(), Pseudonyms(b"k"), hide_paths=True)
    assert [piece.source for piece in plain] == [piece.source for piece in hidden]
    assert not {piece.stored for piece in plain} & {piece.stored for piece in hidden}


def test_a_long_source_is_cut_into_ranges_that_hold_each_due_frame_once():
    stamps = tuple(range(0, 3600 * 250, 10))  # an hour at 25 frames/s, in 1/250 s
    probe = Probe(600, 800, len(stamps), 3600.0, 25.0, stamps, (1, 250), 10)
    source = Source("/x/a.mp4", "a.mp4", "a.mp4", "x", 10**9, 0, "video")
    cut = plan.pieces([source], [Scan("a" * 64, probe)], {"a.mp4": Facts()}, Sampling(), None, hide_paths=False)
    indices = [index for piece in cut for index in piece.within.indices]
    assert len(indices) == 10800 == len(set(indices))
    assert indices == sorted(indices)
    assert all(len(piece.within.indices) * piece.frame_bytes <= plan.PART_BYTES for piece in cut)
    assert [piece.within.last for piece in cut] == [False] * (len(cut) - 1) + [True]
    assert all(piece.scan.probe.stamps == () for piece in cut)  # a worker gets its own range and no more


def test_scans_survive_the_file_between_phases():
    probe = Probe(6, 8, 3, 0.1, float("nan"), (0, 1, 5), (1, 30), 1, True)
    scans = [Scan("ab", probe), Scan("", None, "truncated", "it ends.")]
    back = loads(dumps(scans))
    assert back[1] == scans[1]
    assert (back[0].probe.stamps, back[0].probe.tick_s) == ((0, 1, 5), (1, 30))
    assert json.dumps(back[0].probe.fps) == "NaN"


@pytest.mark.parametrize(
    "count, size, expected", [(0, 0, 0), (4, 10, 1), (64 * BATCH_FILES[1] + 1, 10, 65), (10, 10, 3), (5, 200 << 20, 5)]
)
def test_batches_are_bounded(count, size, expected):
    sources = [Source(f"/x/{n}", str(n), str(n), "x", size) for n in range(count)]
    cut = batches(sources, 1)
    assert len(cut) == expected
    assert [source for batch in cut for source in batch.sources] == sources
