import importlib
import itertools
import json

import numpy as np
import pytest

from usfm.config import Request
from usfm.curate import regions
from usfm.imaging.region import Region
from usfm.jobs.parts import Part
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter


def noise(left, right, count, seed=0):
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        frame = np.zeros((90, 120), np.uint8)
        frame[10:80, left:right] = random.integers(20, 200, (70, right - left))
        frames.append(frame)
    return frames


@pytest.fixture
def store(tmp_path):
    """A clip that switches its view and back, a flat frame in it, and a still."""
    part = PartWriter()
    clip = part.source(path="a.mp4", sha256="a" * 64, kind="video", fps=3.0, frames=13)
    frames = noise(30, 90, 4) + noise(5, 115, 4, 1) + noise(30, 90, 4, 2) + [np.zeros((90, 120), np.uint8)]
    for i, frame in enumerate(frames):
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=clip, index=i, time_s=i / 3)
    still = part.source(path="b.png", sha256="b" * 64, kind="image")
    part.frame(noise(20, 100, 1, 3)[0], frame_id=f"{'b' * 16}:0", source=still, index=0, time_s=0.0)
    path = tmp_path / "raw.h5"
    write_store(path, part)
    return Store.open(str(path))


def run(store, folder, method="auto"):
    phase = regions.phase(store, method=method)
    for part in phase.plan({}):
        (folder / part.name).write_bytes(phase.work(part.payload))
    return [regions.Found.read(folder / part.name) for part in phase.plan({})]


def test_partition_keeps_sources_whole_and_covers_every_frame(store):
    for size in (1, 5, 100):
        parts = regions.partition(store, size)
        assert np.concatenate(parts).tolist() == list(range(len(store)))
        sources = store.column("source")
        for first, second in itertools.pairwise(parts):
            assert not set(sources[first]) & set(sources[second])


def test_each_layout_has_its_region(store, tmp_path):
    (found,) = run(store, tmp_path)
    assert found.key(0) == found.key(9) != found.key(5)
    assert found.key(0).startswith("a" * 16 + "#")
    narrow, wide = np.zeros((90, 120), bool), np.zeros((90, 120), bool)
    narrow[10:80, 30:90], wide[10:80, 5:115] = True, True
    for row, wanted in ((0, narrow), (5, wide), (11, narrow)):
        mask = found.region(row).mask
        assert (mask & wanted).sum() / (mask | wanted).sum() > 0.9
    assert found.is_empty(12, np.zeros((90, 120), np.uint8))
    assert not found.is_empty(3, noise(30, 90, 1)[0])
    assert not found.is_reused(0)
    with pytest.raises(KeyError):
        found.region(99)


def test_what_is_found_survives_the_file(store, tmp_path):
    (found,) = run(store, tmp_path)
    (tmp_path / "again").write_bytes(found.to_bytes())
    again = regions.Found.read(tmp_path / "again")
    assert again.keys == found.keys
    for one, two in zip(found.regions, again.regions, strict=True):
        assert (one.mask == two.mask).all()
        assert (one.geometry, one.confidence, one.extra) == (two.geometry, two.confidence, two.extra)


def test_regions_of_the_store_are_reused_unless_a_method_is_asked_for(store, tmp_path):
    part = PartWriter()
    mine = Region(np.tri(90, 120, dtype=bool), confidence=0.7, evidence="manual")
    for i in range(len(store)):
        part.copy(store, i, region=mine, region_key="mine")
    path = tmp_path / "known.h5"
    write_store(path, part)
    known = Store.open(str(path))
    (found,) = run(known, tmp_path)
    assert all(found.is_reused(row) for row in range(len(known)))
    assert (found.region(3).mask == mine.mask).all()
    (anew,) = run(known, tmp_path, "single")
    assert not any(anew.is_reused(row) for row in range(len(known)))


def test_a_part_that_fails_becomes_whole_frames(store, tmp_path):
    part = Part("regions-00000", ([str(p) for p in store.paths], np.arange(len(store)), "auto"))
    (tmp_path / "p").write_bytes(regions.whole_frames(part, "reader crashed"))
    found = regions.Found.read(tmp_path / "p")
    assert all(found.region(row).mask.all() for row in range(len(store)))
    assert found.region(0).confidence == 0
    assert found.key(0) != found.key(13)


FLAT = {"aaaaaaaaaaaaaaaa:12", "bbbbbbbbbbbbbbbb:1", "cccccccccccccccc:0"}


def with_flat_frames(path):
    """A clip that loses its signal, one that begins blue, and a still that is black but for noise."""
    random = np.random.default_rng(0)
    part = PartWriter()
    clip = part.source(path="a.mp4", sha256="a" * 64, kind="video", fps=3.0, frames=13)
    for i, frame in enumerate([*noise(30, 90, 12), np.full((90, 120), 7, np.uint8)]):
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=clip, index=i, time_s=i / 3)
    blue = part.source(path="b.mp4", sha256="b" * 64, kind="video", fps=3.0, frames=2)
    for i, frame in enumerate(noise(20, 100, 1, 3) + [np.zeros((90, 120), np.uint8)]):
        colour = np.repeat(frame[..., None], 3, 2) + (np.array([0, 0, 200], np.uint8) if not frame.any() else 0)
        part.frame(colour.astype(np.uint8), frame_id=f"{'b' * 16}:{i}", source=blue, index=i, time_s=i / 3)
    still = part.source(path="c.png", sha256="c" * 64, kind="image")
    part.frame(random.integers(0, 4, (64, 80)).astype(np.uint8), frame_id=f"{'c' * 16}:0", source=still, index=0,
               time_s=0.0)  # fmt: skip
    write_store(path, part)
    return path


@pytest.mark.parametrize("order", [("clean",), ("dedup",), ("sector",), ("dedup", "clean"), ("clean", "sector")])
def test_flat_frames_end_the_same_way_whichever_step_comes_first(order, tmp_path):
    path = with_flat_frames(tmp_path / "raw.h5")
    for name in order:
        config = importlib.import_module(f"usfm.curate.{name}.config").Config
        settings = {"clean": {"text": "none"}, "dedup": {}, "sector": {"size": 64}}[name]
        step = importlib.import_module(f"usfm.curate.{name}.run")
        path = step.run(config(**settings), Request(inputs=(str(path),), workers=1))["out"]
    rejected = Store.open(str(path)).rejected()
    flat = rejected["reason"] == "empty frame"
    assert set(rejected["frame_id"][flat]) == FLAT
    assert set(rejected["stage"][flat]) == {order[0]}
    assert not FLAT & set(Store.open(str(path)).column("frame_id"))


def test_a_flat_frame_is_found_in_a_store_that_has_its_regions(tmp_path):
    """Regions that another program wrote say nothing about flat frames."""
    part = PartWriter()
    clip = part.source(path="a.mp4", sha256="a" * 64, kind="video", fps=3.0, frames=3)
    row = part.region(Region(np.ones((90, 120), bool), confidence=0.9), "a#0")
    for i, frame in enumerate([*noise(30, 90, 2), np.zeros((90, 120), np.uint8)]):
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=clip, index=i, time_s=i / 3, region_row=row)
    write_store(tmp_path / "raw.h5", part)
    for name in ("clean", "dedup", "sector"):
        config = importlib.import_module(f"usfm.curate.{name}.config").Config
        settings = {"clean": {"text": "none"}, "dedup": {}, "sector": {"size": 64}}[name]
        summary = importlib.import_module(f"usfm.curate.{name}.run").run(
            config(**settings),
            Request(inputs=(str(tmp_path / "raw.h5"),), out=str(tmp_path / f"{name}.h5"), workers=1),
        )
        assert summary["rejected"] == 1


@pytest.mark.parametrize("shape", [(40, 50), (40, 50, 3)])
def test_flat_means_within_four_levels_but_for_one_percent(shape):
    random = np.random.default_rng(1)
    noisy = random.integers(90, 95, shape).astype(np.uint8)
    assert regions.is_flat(noisy)
    noisy.reshape(-1)[:: noisy.size // 9] = 255  # under 0.5 % of the pixels
    assert regions.is_flat(noisy)
    noisy[:2] = 0  # 5 %
    assert not regions.is_flat(noisy)


TISSUE = {"x0": 5, "y0": 5, "x1": 95, "y1": 69, "spatial_format": 1, "data_type": 1}
STRIP = {"x0": 5, "y0": 74, "x1": 115, "y1": 88, "spatial_format": 3, "data_type": 3}
FLOW = {"x0": 40, "y0": 20, "x1": 60, "y1": 40, "spatial_format": 1, "data_type": 2}


def declared(tmp_path, text):
    """A clip of tissue above a strip that moves too, whose file declares its regions."""
    random, part = np.random.default_rng(0), PartWriter()
    known = {"dicom_regions": text} if text else {}
    source = part.source(path="a.dcm", sha256="a" * 64, kind="dicom", fps=3.0, frames=6, **known)
    for i in range(6):
        frame = np.zeros((90, 120), np.uint8)
        frame[10:65, 20:80] = random.integers(20, 200, (55, 60))
        frame[75:88, 6:115] = random.integers(20, 200, (13, 109))
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=source, index=i, time_s=i / 3)
    path = tmp_path / "raw.h5"
    write_store(path, part)
    (found,) = run(Store.open(str(path)), tmp_path)
    return found.region(0)


@pytest.mark.parametrize("boxes", [[TISSUE, STRIP], [STRIP, FLOW, TISSUE], [TISSUE, TISSUE]])
def test_what_dicom_declares_bounds_the_region_and_the_pixels_refine_it(tmp_path, boxes):
    region = declared(tmp_path, json.dumps([box | {"delta_x": 0.1} for box in boxes]))
    assert region.evidence == "dicom"
    assert not region.mask[72:].any()
    assert not region.mask[:, 85:].any()  # the box is larger than the picture in it
    assert region.mask[12:63, 22:78].mean() > 0.95
    assert region.shape != "dual"


@pytest.mark.parametrize(
    "text",
    ["", "[]", '[{"x0": "a", "y0": 0, "x1": 9, "y1": 9}]',
     json.dumps([STRIP]), json.dumps([TISSUE | {"x0": 500, "x1": 900}]), json.dumps([TISSUE | {"x1": 1 << 40}])],
)  # fmt: skip
def test_what_makes_no_sense_leaves_the_region_to_the_pixels(tmp_path, text):
    assert declared(tmp_path, text).evidence in ("motion", "still")
