"""Dedup drops copies and nothing else, says who stands for them, and does not depend on how or where it runs."""

import cv2
import numpy as np
import pytest

from usfm.config import Request
from usfm.curate.dedup import published
from usfm.curate.dedup.config import Config
from usfm.curate.dedup.groups import canonical_order, group_numbers
from usfm.curate.dedup.run import run
from usfm.curate.dedup.select import Compared, nearest, retention, thin, threshold_for
from usfm.errors import RequestError, WorkError
from usfm.imaging.region import Region
from usfm.model.embedders import FEATURES_FORMAT
from usfm.store import tables
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

SHAPE = (96, 120)


def scene(seed):
    """A picture of its own: smooth random structure."""
    noise = np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return 120 + 50 * smooth / smooth.std()


def shot(seed, variant=0, noise=4.0):
    """The same picture again, with other noise."""
    random = np.random.default_rng((seed, variant))
    return np.clip(scene(seed) + noise * random.normal(size=SHAPE), 0, 255).astype(np.uint8)


class Builder:
    """A store of sources that tests describe by the scenes of their frames."""

    def __init__(self, regions=True):
        self.part = PartWriter(class_names=("healthy", "ill"))
        self.region = Region(np.ones(SHAPE, bool), confidence=1.0, evidence="manual") if regions else None
        self.names = {}

    def add(self, path, scenes, kind="video", label=None, patient="", exam="", blur=()):
        digest = f"{len(self.names):02d}".ljust(64, "f")
        source = self.part.source(
            path=path, sha256=digest, kind=kind, fps=3.0, frames=len(scenes), patient=patient, exam=exam
        )
        for i, number in enumerate(scenes):
            frame = shot(number, len(self.names) * 100 + i)
            if i in blur:
                frame = cv2.GaussianBlur(frame, (0, 0), 1.2)
            row = -1 if self.region is None else self.part.region(self.region, f"{digest[:16]}#0")
            self.part.frame(frame, frame_id=f"{digest[:16]}:{i}", source=source, index=i, time_s=i / 3.0,
                            region_row=row, label=label)  # fmt: skip
            self.names[f"{digest[:16]}:{i}"] = (path, i)
        return self

    def save(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_store(path, self.part)
        return path


@pytest.fixture
def raw(tmp_path):
    """Two clips and three stills: within the first clip frames 0, 1, 3 are one picture; two stills are one picture."""
    builder = Builder()
    builder.add("a/one.mp4", [1, 1, 2, 1], patient="p1", label=0)
    builder.add("a/two.mp4", [1, 3], patient="p2", label=1)
    for k, number in enumerate([4, 5, 4]):
        builder.add(f"stills/{k}.png", [number], kind="image", patient=f"p{3 + k}", label=0)
    return builder.save(tmp_path / "raw.h5")


def dedup(path, workers=1, out=None, **settings):
    summary = run(Config(**settings), Request(inputs=(str(path),), workers=workers, out=out, overwrite=True))
    return summary, Store.open(summary["out"])


def kept(store):
    return {(path, int(i)) for path, i in zip(store.of_frames("path"), store.column("index"), strict=True)}


def test_copies_go_and_each_names_its_keeper(raw):
    summary, store = dedup(raw)
    assert kept(store) == {("a/one.mp4", 0), ("a/one.mp4", 2), ("a/two.mp4", 0), ("a/two.mp4", 1),
                           ("stills/0.png", 0), ("stills/1.png", 0)}  # fmt: skip
    assert (summary["frames_in"], summary["frames_out"], summary["dropped"], summary["rejected"]) == (9, 6, 3, 0)
    table = store.dropped()
    ids = set(store.column("frame_id"))
    assert set(table["kept_by"]) <= ids
    assert not set(table["frame_id"]) & ids
    assert (table["similarity"] >= 0.95 - 1e-6).all()
    assert set(table["stage"]) == {"visual"}


def test_scope_decides_who_is_compared(raw):
    assert len(dedup(raw, scope="all")[1]) == 5
    assert len(dedup(raw, scope="group")[1]) == 7  # each patient apart: the two like stills belong to two patients


def test_a_second_run_drops_nothing(raw):
    _, first = dedup(raw, scope="all")
    summary, second = dedup(first.paths[0], scope="all")
    assert summary["dropped"] == 0
    assert list(second.column("frame_id")) == list(first.column("frame_id"))
    assert len(second.dropped()["frame_id"]) == len(first.dropped()["frame_id"])


def test_the_result_does_not_depend_on_workers_or_place(raw, tmp_path):
    moved = tmp_path / "elsewhere" / "store.h5"
    moved.parent.mkdir()
    moved.write_bytes(raw.read_bytes())
    _, one = dedup(raw)
    _, other = dedup(moved, workers=2)
    assert one.content_id == other.content_id


def test_pixels_and_labels_pass_unchanged(raw):
    before = Store.open(str(raw))
    _, after = dedup(raw)
    row_of = {frame_id: row for row, frame_id in enumerate(before.column("frame_id"))}
    rows = [row_of[frame_id] for frame_id in after.column("frame_id")]
    for k, row in enumerate(rows):
        np.testing.assert_array_equal(after.frame(k), before.frame(row))
    np.testing.assert_array_equal(after.labels_class(), before.labels_class()[rows])


def test_regions_are_found_once_and_kept(tmp_path):
    path = Builder(regions=False).add("a.mp4", [1, 1, 2]).save(tmp_path / "raw.h5")
    _, store = dedup(path)
    assert store.has_regions


def test_the_sharpest_stays(tmp_path):
    path = Builder().add("a.mp4", [1, 1, 1], blur=(0, 2)).save(tmp_path / "raw.h5")
    assert kept(dedup(path, keep="sharpest")[1]) == {("a.mp4", 1)}


def test_the_labelled_one_stays(tmp_path):
    builder = Builder().add("s/a.png", [1], kind="image").add("s/b.png", [1], kind="image", label=1)
    assert kept(dedup(builder.save(tmp_path / "raw.h5"), keep="labelled")[1]) == {("s/b.png", 0)}


def test_labelled_without_labels_is_refused(tmp_path):
    path = Builder().add("a.mp4", [1]).save(tmp_path / "raw.h5")
    with pytest.raises(RequestError, match="labels"):
        dedup(path, keep="labelled")


def test_the_window_limits_the_time_apart(tmp_path):
    path = Builder().add("a.mp4", [1, 2, 3, 1]).save(tmp_path / "raw.h5")
    assert len(dedup(path)[1]) == 3
    assert len(dedup(path, window=0.5)[1]) == 4
    assert len(dedup(path, window=1.0)[1]) == 3


def test_target_keep_is_met(tmp_path):
    path = Builder().add("a.mp4", [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]).save(tmp_path / "raw.h5")
    summary, _ = dedup(path, target_keep=0.5)
    assert summary["frames_out"] == 5


def test_against_another_store_drops_its_frames(raw, tmp_path):
    other = Builder().add("test/x.mp4", [3, 9]).save(tmp_path / "test.h5")
    summary, store = dedup(raw, against=str(other))
    assert summary["leaks"] == 1
    assert ("a/two.mp4", 1) not in kept(store)
    table = store.dropped()
    assert table["kept_by"][list(table["stage"]).index("against")] in set(Store.open(str(other)).column("frame_id"))


def test_labels_and_patients_at_odds_are_counted(raw):
    summary, _ = dedup(raw)
    assert summary["label_conflicts"] == 3  # frames 0, 1, 3 of the first clip against frame 0 of the second
    assert summary["patient_twins"] == 4  # those, and the two stills


def test_the_report_is_one_page_without_links(raw, tmp_path):
    dedup(raw, report=str(tmp_path / "report"))
    page = (tmp_path / "report" / "index.html").read_text()
    assert "different label" in page
    assert "http" not in page.replace("http://www.w3.org", "")


def vectors(path, store, angles):
    """A file of vectors: one direction a frame."""
    columns = {"frame_id": np.array(store.column("frame_id"), object), "vectors": line(angles)}
    tables.write(path, FEATURES_FORMAT, columns, {})
    return f"vectors:{path}"


def test_the_semantic_stage_runs_over_the_survivors_of_the_whole_store(raw, tmp_path):
    spec = vectors(tmp_path / "v.h5", Store.open(str(raw)), [0, 0, 50, 0, 1, 90, 120, 51, 120])
    summary, store = dedup(raw, embedder=spec, semantic_threshold=0.999)
    assert summary["dropped_by_stage"] == {"visual": 3, "semantic": 2}
    assert kept(store) == {("a/one.mp4", 0), ("a/one.mp4", 2), ("a/two.mp4", 1), ("stills/0.png", 0)}
    fewer, _ = dedup(raw, embedder=spec, target_keep=3 / 9)
    assert fewer["frames_out"] == 3


@pytest.mark.slow
def test_an_encoder_embeds_the_survivors(raw):
    summary, _ = dedup(raw, embedder="random", semantic_threshold=0.9999999)
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"]


def test_the_preset_sets_the_published_constants():
    config = published.with_preset(Config(preset="polarmae"))
    assert (config.visual_threshold, config.phash_distance, config.scope, config.keep) == (0.9, 12, "clip", "first")
    with pytest.raises(RequestError, match="--visual-threshold"):
        published.with_preset(Config(preset="polarmae", visual_threshold=0.8))


def test_the_preset_rejects_what_the_published_code_loses(tmp_path):
    path = Builder().add("a.mp4", [1, 1, 2]).save(tmp_path / "raw.h5")
    summary, _ = dedup(path, preset="polarmae")
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"] + summary["rejected"]
    assert published.crop(np.zeros((300, 300), np.uint8)) is None
    bright = np.zeros((300, 300), np.uint8)
    bright[100:250, 50:200] = 200
    assert 145 <= min(published.crop(bright).shape) <= 155


def test_groups_of_stills_and_clips(raw):
    store = Store.open(str(raw))
    assert group_numbers(store, "clip").tolist() == [0, 0, 0, 0, 1, 1, 2, 2, 2]
    assert group_numbers(store, "group").tolist() == [0, 0, 0, 0, 1, 1, 2, 3, 4]
    assert set(group_numbers(store, "all")) == {0}
    assert sorted(canonical_order(store)) == list(range(9))


def line(degrees):
    angle = np.deg2rad(np.asarray(degrees, float))
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def on_a_line(degrees, **more):
    n = len(degrees)
    return Compared(features=line(degrees), group=np.zeros(n, np.int64), order=np.arange(n), **more)


def test_central_takes_the_frame_that_stands_for_most():
    kept_by, _ = thin(on_a_line([0, 20, 40, 60, 80], keep="central"), np.cos(np.deg2rad(21)))
    assert kept_by.tolist() == [1, 1, 1, 3, 3] or kept_by.tolist() == [1, 1, 1, 3, 4] or 2 in kept_by
    chain, _ = thin(on_a_line([0, 20, 40], keep="central"), np.cos(np.deg2rad(21)))
    assert chain.tolist() == [1, 1, 1]


def test_a_chain_keeps_both_ends():
    assert thin(on_a_line([0, 20, 40]), np.cos(np.deg2rad(21)))[0].tolist() == [0, 0, 2]


def test_hashes_must_agree_as_well():
    frames = on_a_line([0, 0, 0], hashes=np.array([0, 1, 255], np.uint64), phash_distance=2)
    assert thin(frames, 0.9)[0].tolist() == [0, 0, 2]


def test_retention_falls_with_the_threshold_and_samples_what_is_large(monkeypatch):
    frames = on_a_line(np.random.default_rng(0).uniform(0, 90, 200))
    curve = list(retention(frames, np.random.default_rng(1)).values())
    assert curve == sorted(curve)
    monkeypatch.setattr("usfm.curate.dedup.select.CURVE_WORK", 1000.0)
    sampled = list(retention(frames, np.random.default_rng(1)).values())
    assert all(0 < share <= 1 for share in sampled)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_the_threshold_for_a_share(share):
    frames = on_a_line(np.random.default_rng(0).uniform(0, 90, 300))
    kept_by, _ = thin(frames, threshold_for(frames, share))
    assert abs((kept_by == np.arange(300)).mean() - share) < 0.02


def test_nearest_takes_what_comes_nearest():
    assert nearest(lambda threshold: 0.3 if threshold < 0.5 else 0.9, 0.8) >= 0.5


def copies(path, numbers, region_of=None, frames=1):
    """A store in which clip k shows scene `numbers[k]`, pixel for pixel the same whenever the number is the same."""
    part = PartWriter(class_names=("healthy", "ill"))
    for k, number in enumerate(numbers):
        digest = f"{k:04d}".ljust(64, "e")
        source = part.source(path=f"{k}.mp4", sha256=digest, kind="video", fps=3.0, frames=frames, patient=f"p{k}")
        mask = np.ones(SHAPE, bool)
        if region_of is not None:
            mask[:, : region_of(k)] = False
        row = part.region(Region(mask, confidence=1.0, evidence="manual"), f"{digest[:16]}#0")
        for i in range(frames):
            part.frame(shot(number, i), frame_id=f"{digest[:16]}:{i}", source=source, index=i, time_s=i / 3.0,
                       region_row=row, label=k % 2)  # fmt: skip
    write_store(path, part)
    return path


@pytest.mark.parametrize("region_of", [None, lambda k: 30 * (k % 2)])
def test_byte_identical_frames_go_at_any_threshold_with_a_similarity_of_one(tmp_path, region_of):
    path = copies(tmp_path / "raw.h5", [k % 4 for k in range(60)], region_of)
    summary, store = dedup(path, scope="all", visual_threshold=1.0)
    assert summary["frames_out"] == 4
    assert (store.dropped()["similarity"] == 1).all()
    assert summary["patient_twins"] == 4 * 15 * 14 // 2


def test_every_frame_that_is_in_the_other_store_leaves_whatever_the_number_of_pairs(tmp_path):
    other = copies(tmp_path / "test.h5", [1, 1, 1, 2], frames=3)
    path = copies(tmp_path / "raw.h5", [1, 3, 1, 2, 1, 4], lambda k: 40 * (k % 2), frames=3)
    summary, store = dedup(path, against=str(other), visual_threshold=1.0)
    assert summary["leaks"] == 12
    assert set(store.of_frames("path")) == {"1.mp4", "5.mp4"}


def test_against_another_store_the_hashes_must_agree_as_well(tmp_path):
    """Every pair is near enough by its cosine; only the true copy also by its hash."""
    other = copies(tmp_path / "test.h5", [1])
    path = copies(tmp_path / "raw.h5", [1, 7, 8, 9])
    with pytest.raises(WorkError, match="no frame is left"):
        dedup(path, against=str(other), visual_threshold=-1.0)
    gated, store = dedup(path, against=str(other), visual_threshold=-1.0, phash_distance=4)
    assert gated["leaks"] == 1
    assert set(store.of_frames("path")) == {"1.mp4", "2.mp4", "3.mp4"}
