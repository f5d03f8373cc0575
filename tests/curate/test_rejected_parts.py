"""Whichever parts of whichever phase are rejected: later phases live with it, and every frame is accounted for."""

from concurrent.futures import Executor, Future

import numpy as np
import pytest

from usfm.config import Request
from usfm.curate import regions
from usfm.curate.clean import config as clean_config
from usfm.curate.clean import run as clean
from usfm.curate.dedup import config as dedup_config
from usfm.curate.dedup import run as dedup
from usfm.curate.sector import config as sector_config
from usfm.curate.sector import run as sector
from usfm.errors import WorkError
from usfm.imaging.region import Region
from usfm.model.embedders import FEATURES_FORMAT
from usfm.store import tables
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.verify import verify
from usfm.store.writer import PartWriter

SHAPE, CLIPS, FRAMES = (96, 120), 4, 3


def _source(part: PartWriter, number: int, region: Region | None) -> None:
    digest = f"{number:02d}".ljust(64, "f")
    source = part.source(
        path=f"{number}.mp4", sha256=digest, kind="video", fps=3.0, frames=FRAMES, patient=f"p{number}"
    )
    for index in range(FRAMES):
        pixels = np.random.default_rng((number, index)).integers(0, 256, (12, 15), np.uint8).repeat(8, 0).repeat(8, 1)
        row = -1 if region is None else part.region(region, f"{digest[:16]}#0")
        part.frame(pixels, frame_id=f"{digest[:16]}:{index}", source=source, index=index, time_s=index / 3.0,
                   region_row=row, label=("healthy", "ill")[number % 2])  # fmt: skip


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    part = PartWriter(class_names=("healthy", "ill"))
    for number in range(CLIPS):
        _source(part, number, Region(np.ones(SHAPE, bool), confidence=1.0) if number % 2 else None)
    return write_store(tmp_path_factory.mktemp("raw") / "raw.h5", part)


class Failing(Executor):
    """Runs parts in this process; those of the phase that are to fail raise what is no Exception."""

    def __init__(self, phase: str, numbers: set[int]):
        self.stems = tuple(f"{phase}-{number:06d}-" for number in numbers)

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        try:
            if args[3].startswith(self.stems):
                raise SystemExit(3)
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


@pytest.fixture
def one_clip_a_part(monkeypatch):
    monkeypatch.setattr(regions.partition, "__defaults__", (1,))


@pytest.fixture
def failing(monkeypatch):
    def fail(phase: str, numbers: set[int]) -> None:
        monkeypatch.setattr("usfm.jobs.run._Executors.start", lambda *_: Failing(phase, numbers))
        monkeypatch.setattr("usfm.jobs.run._Executors.stop", lambda *_, **__: None)

    return fail


def _clean(raw, out):
    return clean.run(clean_config.Config(text="none"), Request(inputs=(str(raw),), out=str(out), workers=1))


def _dedup(raw, out, **settings):
    config = dedup_config.Config(**{"visual_threshold": 0.9999} | settings)
    return dedup.run(config, Request(inputs=(str(raw),), out=str(out), workers=1))


def _sharpest(raw, out):
    return _dedup(raw, out, keep="sharpest", phash_distance=4)


def _published(raw, out):
    return _dedup(raw, out, preset="polarmae", visual_threshold=0.95)


def _semantic(raw, out):
    names = Store.open(str(raw)).column("frame_id")
    vectors = np.eye(len(names), dtype=np.float32)
    spec = out.with_name("vectors.h5")
    tables.write(spec, FEATURES_FORMAT, {"frame_id": np.array(names, object), "vectors": vectors}, {})
    return _dedup(raw, out, embedder=f"vectors:{spec}", semantic_threshold=0.999)


def _sector(raw, out):
    return sector.run(
        sector_config.Config(size=64, min_patches=0), Request(inputs=(str(raw),), out=str(out), workers=1)
    )


CASES = [
    (_clean, "clean"),
    (_sharpest, "features"),
    (_dedup, "dedup"),
    (_semantic, "embed"),
    (_published, "features"),
    (_sector, "sector"),
]
NUMBERS = {0, 2, 3}  # the first, the last, and all but one


@pytest.mark.parametrize("command, phase", CASES, ids=lambda one: one if isinstance(one, str) else one.__name__[1:])
def test_the_frames_of_a_rejected_part_are_rejected_and_no_others(
    raw, tmp_path, failing, one_clip_a_part, command, phase
):
    failing(phase, NUMBERS)
    summary = command(raw, tmp_path / "out.h5")
    gone = {f"{number}.mp4" for number in NUMBERS}
    store = Store.open(str(tmp_path / "out.h5"))
    rejected = store.rejected()
    lost = [
        source for source, reason in zip(rejected["source"], rejected["reason"], strict=True) if reason == "part failed"
    ]
    assert sorted(lost) == sorted(name for name in gone for _ in range(FRAMES))
    assert not set(store.of_frames("path").tolist()) & gone
    assert summary["frames_in"] == CLIPS * FRAMES == len(store) + summary["dropped"] + summary["rejected"]
    if command is not _published:  # which loses frames of its own
        assert len(store) == (CLIPS - len(NUMBERS)) * FRAMES
        assert (
            store.class_names[store.labels_class()[-1]] == ("healthy", "ill")[int(store.of_frames("path")[-1][0]) % 2]
        )
    assert not verify(str(tmp_path / "out.h5")).problems


@pytest.mark.parametrize("command, phase", CASES, ids=lambda one: one if isinstance(one, str) else one.__name__[1:])
def test_a_store_all_of_whose_parts_are_rejected_is_one_sentence(raw, tmp_path, failing, command, phase):
    failing(phase, {0})
    with pytest.raises(WorkError, match="rejected"):
        command(raw, tmp_path / "out.h5")
    assert not (tmp_path / "out.h5").exists()


@pytest.mark.parametrize("command", [_clean, _dedup, _sector], ids=lambda one: one.__name__[1:])
def test_a_failed_search_for_regions_costs_no_frame(raw, tmp_path, failing, one_clip_a_part, command):
    failing("regions", NUMBERS)
    summary = command(raw, tmp_path / "out.h5")
    assert (summary["frames_out"], summary["rejected"]) == (CLIPS * FRAMES, 0)
