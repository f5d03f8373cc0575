"""Split screens become a frame a view: nothing is lost, labels follow their view, names lead back."""

import numpy as np
import pytest

from usfm.config import Request
from usfm.curate.sector.config import Config
from usfm.curate.sector.run import figures, run
from usfm.imaging import fan
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id, whole_id
from usfm.store.verify import verify
from usfm.store.writer import PartWriter

SHAPE = (120, 200)
PLACES = {
    1: [(100, 0, 110)],
    2: [(50, 4, 90), (150, 0, 100)],
    4: [(50, 0, 50), (150, 2, 48), (50, 62, 50), (150, 60, 52)],
}
"""Number of views -> middle column, top row and depth of each, in reading order."""


def sectors(views: int) -> list[SectorGeometry]:
    return [SectorGeometry("convex", x, y - 20, 20, 20 + depth, -0.33, 0.33) for x, y, depth in PLACES[views]]


def region(views: int, confidence: float = 0.95) -> Region:
    """Of a screen; its views are listed in an order that is not the reading order."""
    found = sectors(views)
    mask = np.logical_or.reduce([fan.mask(one, SHAPE) for one in found])
    if views == 1:
        return Region(mask, "convex", found[0], confidence, "still")
    return Region(mask, "dual", None, confidence, "still", {"views": [vars(one) for one in found[::-1]]})


def frame(rng: np.random.Generator, found: Region) -> np.ndarray:
    return np.where(found.mask, rng.integers(20, 250, SHAPE), 0).astype(np.uint8)


def centre(geometry: SectorGeometry) -> tuple[int, int]:
    return int(geometry.apex_y_px + 0.6 * (20 + geometry.radius_1_px)), int(geometry.apex_x_px)


def make(path, counts, *, confidence=0.95, seed=0, known=True):
    """A store of clips of two frames, with as many views each as `counts` says, and a lesion in every view."""
    rng = np.random.default_rng(seed)
    part = PartWriter(class_names=("a", "b"), box_names=("spot",), mask_names=("lesion", "all"), mask_kind="bits")
    for number, views in enumerate(counts):
        sha, found = f"{number:04x}" * 16, region(max(views, 1), confidence)
        source = part.source(path=f"{number}.mp4", sha256=sha, kind="video", patient=f"p{number}")
        row = part.region(found, f"{sha[:16]}#0") if known else -1
        lesion, boxes = np.zeros(SHAPE, bool), []
        for one in sectors(max(views, 1)):
            y, x = centre(one)
            lesion[y - 4 : y + 5, x - 3 : x + 4] = True
            boxes.append((x - 3, y - 4, x + 4, y + 5))
        for index in range(2):
            pixels = frame(rng, found) if views else np.zeros(SHAPE, np.uint8)
            part.frame(pixels, frame_id=frame_id(sha, index), source=source, index=index, time_s=index / 2, label=1,
                       values={"weeks": 20.0 + number}, region_row=row, mask={"lesion": lesion, "all": found.mask},
                       boxes=(np.array(boxes, np.float32), ["spot"] * len(boxes)), row_spacing_mm=0.5,
                       col_spacing_mm=0.5)  # fmt: skip
    return write_store(path, part)


def split(path, out, **more):
    workers = more.pop("workers", 1)
    return run(Config(**{"size": 64, "split_views": True, **more}), Request((str(path),), str(out), workers=workers))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("views")
    raw = make(folder / "raw.h5", [2, 1, 4, 2])
    summary = split(raw, folder / "split.h5")
    return Store.open(raw), Store.open(summary["out"]), summary


@pytest.mark.parametrize("seed", range(4))
def test_no_frame_is_lost_whatever_the_screens(tmp_path, seed):
    """In + added = out + dropped + rejected, with empty frames (0 views) and frames that are too small among them."""
    rng = np.random.default_rng(seed)
    counts = [2, *rng.choice([0, 1, 2, 4], 4).tolist()]
    raw = make(tmp_path / "raw.h5", counts, seed=seed)
    summary = split(raw, tmp_path / "split.h5", min_side=int(rng.choice([0, 60])))
    assert summary["frames_in"] == 2 * len(counts)
    assert summary["added"] == sum(2 * (views - 1) for views in counts if views)
    kept = summary["frames_out"] + summary["dropped"] + summary["rejected"]
    assert summary["frames_in"] + summary["added"] == kept
    out = Store.open(summary["out"])
    assert out.history[-1]["counts"]["added"] == summary["added"]
    names = [*out.column("frame_id"), *out.rejected()["frame_id"]]
    assert len(names) == len(set(names)) == kept
    assert {whole_id(name) for name in names} == set(Store.open(raw).column("frame_id"))
    assert verify(summary["out"]).whole


def test_a_frame_that_goes_missing_is_not_made_up_for(tmp_path):
    """`added` counts names: without the rows of one frame it is smaller, and the rule does not hold."""
    part = PartWriter()
    source = part.source(path="a", sha256="a" * 64, kind="image")
    known = {f"{'a' * 16}:{k}" for k in range(3)}
    for name in (f"{'a' * 16}:0/0", f"{'a' * 16}:0/1", f"{'a' * 16}:2"):  # frame 1 is gone
        part.frame(np.ones((4, 4), np.uint8), frame_id=name, source=source, index=0, time_s=0.0)
    path = tmp_path / "part"
    path.write_bytes(part.to_bytes())
    from usfm.curate.sector.run import _added
    from usfm.store.part import open_part

    assert _added(open_part(path), known) == 1
    assert len(known) + 1 != len(open_part(path).column("frames", "frame_id"))
    assert figures([], Config(split_views=True))["added"] == 0


def test_parts_stand_in_reading_order_and_have_a_geometry_of_their_own(mixed):
    raw, out, _ = mixed
    before = {name: row for row, name in enumerate(raw.column("frame_id"))}
    views = {f"{k:04x}" * 4: n for k, n in enumerate([2, 1, 4, 2])}
    assert [name for name in out.column("frame_id") if whole_id(name) != name][:4] == [
        f"{'0' * 16}:0/0", f"{'0' * 16}:0/1", f"{'0' * 16}:1/0", f"{'0' * 16}:1/1"
    ]  # fmt: skip
    for row, name in enumerate(out.column("frame_id")):
        count, number = views[name[:16]], int(out.column("part")[row])
        assert name == whole_id(name) + ("" if count == 1 else f"/{number}")
        assert whole_id(name) in before
        wanted, shown = sectors(count)[max(number, 0)], out.region(int(out.column("region_row")[row]))
        scale, top, left = (float(out.column(n)[row]) for n in ("scale", "crop_row_px", "crop_col_px"))
        assert shown.geometry is not None
        assert np.isclose((shown.geometry.apex_x_px + 0.5) / scale - 0.5 + left, wanted.apex_x_px, atol=1e-3)
        assert np.isclose((shown.geometry.apex_y_px + 0.5) / scale - 0.5 + top, wanted.apex_y_px, atol=1e-3)
        assert np.isclose(out.column("row_spacing_mm")[row], 0.5 / scale)
        drawn = fan.mask(shown.geometry, (64, 64))
        assert (drawn & shown.mask).sum() > 0.95 * (drawn | shown.mask).sum()
        assert out.column("views")[row] == 1
        assert not out.frame(row)[~shown.mask].any()


def test_a_label_goes_to_the_part_that_holds_its_centre(mixed):
    _, out, _ = mixed
    for row in range(len(out)):
        boxes, _ = out.boxes(row)
        assert len(boxes) == 1
        mask = out.label_mask(row)
        lesion = np.argwhere(mask & 1)
        middle = (boxes[0][:2] + boxes[0][2:]) / 2 - 0.5
        assert np.abs(lesion.mean(0)[::-1] - middle).max() < 1
        # One piece over several views is cut at their edges: each part has all of its own.
        shown = out.region(int(out.column("region_row")[row])).mask
        both = ((mask & 2) > 0) & shown
        assert both.sum() > 0.95 * shown.sum()
        assert ((mask & 2) > 0).sum() < 1.05 * shown.sum()
    assert set(out.labels_class()) == {1}
    assert set(out.values("weeks")) == {20.0, 21.0, 22.0, 23.0}


def test_any_number_of_workers_makes_the_same_store(mixed, tmp_path):
    raw, out, _ = mixed
    again = split(raw.paths[0], tmp_path / "three.h5", workers=3)
    assert Store.open(again["out"]).content_id == out.content_id


def test_a_second_sector_keeps_the_parts(mixed, tmp_path):
    _, out, _ = mixed
    for method in ("auto", "temporal"):
        again = split(out.paths[0], tmp_path / f"{method}.h5", method=method)
        store = Store.open(again["out"])
        assert again["added"] == 0
        assert list(store.column("frame_id")) == list(out.column("frame_id"))
        assert list(store.column("part")) == list(out.column("part"))
        assert verify(store.paths[0]).whole


def test_without_views_nothing_is_split(tmp_path):
    """Neither a guess nor a store without parts; and one that did not ask keeps its whole frames."""
    guess = split(make(tmp_path / "guess.h5", [2], confidence=0.4), tmp_path / "a.h5")
    plain = split(make(tmp_path / "plain.h5", [2]), tmp_path / "b.h5", split_views=False)
    for summary in (guess, plain):
        out = Store.open(summary["out"])
        assert summary["added"] == 0
        assert (out.column("part") == -1).all()
        assert [whole_id(name) for name in out.column("frame_id")] == list(out.column("frame_id"))


def test_each_view_has_a_clip_of_its_own(mixed):
    _, out, _ = mixed
    clips = out.clips()
    assert len(clips) == 2 + 1 + 4 + 2
    assert all(len(clip) == 2 and len(set(out.column("part")[clip])) == 1 for clip in clips)


def test_names_lead_back_to_earlier_stores(mixed, tmp_path):
    """Tables of parts written for the whole frames hold for their views, and a frame is not read whole and in views."""
    from usfm.errors import RequestError
    from usfm.store.joins import rows_in
    from usfm.tasks.split_names import Entry, Names

    raw, out, _ = mixed
    rows = rows_in(out.column("frame_id"), raw.column("frame_id"))
    assert (rows >= 0).all()
    assert (raw.column("time_s")[rows] == out.column("time_s")).all()
    entries = [Entry({"frame_id": name}) for name in raw.column("frame_id")]
    for row, found in enumerate(Names(out).best(entries)):
        assert found.tolist() == np.flatnonzero(rows == row).tolist()
    entries = [Entry({"frame_id": name}) for name in out.column("frame_id")]
    assert [found.tolist() for found in Names(raw).best(entries)] == [[row] for row in rows.tolist()]
    with pytest.raises(RequestError, match="cut into its views"):
        Store.open([raw.paths[0], out.paths[0]])
    with pytest.raises(RequestError, match="cut into its views"):
        Store.open([out.paths[0], raw.paths[0]])


@pytest.mark.parametrize(
    "name", ["study/3", "0123456789abcdef/1", "0123456789abcdef:3", "x:3/1", "0123456789abcdef:/1"]
)
def test_names_that_are_no_views_stay(name):
    assert whole_id(name) == name
