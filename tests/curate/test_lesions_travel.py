"""Lesions of the phantom, as masks and boxes, through extract, clean, dedup and sector against the phantom's truth."""

import hashlib
import json

import cv2
import numpy as np
import pytest

from usfm.cli.main import main
from usfm.store.reader import Store

pytestmark = pytest.mark.slow
SIZE = 256


@pytest.fixture(scope="module")
def travelled(tmp_path_factory):
    """The store after sector, and for each of its frames the truth's mask and box."""
    folder = tmp_path_factory.mktemp("lesions")
    media, truth = folder / "s", folder / "s.truth"

    def command(*words: object) -> None:
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        assert ended.value.code == 0

    command("simulate", "-q", "--out", media, "--clips", 0, "--stills", 40, "--patients", 10, "--seed", 12)
    command("extract", "-q", media, "--out", folder / "a.h5", "--manifest", truth / "truth.csv", "--masks",
            truth / "lesion", "--annotations", truth / "boxes.coco.json")  # fmt: skip
    for name, before, after, *more in (("clean", "a", "b", "--text", "none"), ("dedup", "b", "c"),
                                       ("sector", "c", "d", "--size", SIZE)):  # fmt: skip
        command(name, "-q", folder / f"{before}.h5", "-o", folder / f"{after}.h5", *more)
    store, coco = Store.open(folder / "d.h5"), json.loads((truth / "boxes.coco.json").read_text())
    names = {hashlib.sha256(path.read_bytes()).hexdigest(): path.relative_to(media) for path in media.rglob("*.png")}
    ids = {one["file_name"]: one["id"] for one in coco["images"]}
    box = {one["image_id"]: np.array(one["bbox"]) for one in coco["annotations"]}
    frames = []
    for sha in store.of_frames("sha256"):
        name = names[sha]
        x, y, width, height = box[ids[name.as_posix()]]
        mask = cv2.imread(str(truth / "lesion" / name), cv2.IMREAD_GRAYSCALE) > 0
        frames.append((mask, np.array([x, y, x + width, y + height])))
    return store, frames


def inside(store, row, box):
    """Whether a box of the source lies in the part of it that the frame shows, without the letterbox."""
    corner = np.array([store.column("crop_col_px")[row], store.column("crop_row_px")[row]] * 2)
    placed = (box - corner) * store.column("scale")[row]
    return bool((placed >= 0).all() and (placed <= SIZE).all())


def test_masks_are_the_truth_at_the_nearest_pixel(travelled):
    store, frames = travelled
    seen = 0
    for row, (truth, box) in enumerate(frames):
        scale = store.column("scale")[row]
        at = [np.floor((np.arange(SIZE) + 0.5) / scale + store.column(name)[row]).astype(int)
              for name in ("crop_row_px", "crop_col_px")]  # fmt: skip
        kept = [(line >= 0) & (line < side) for line, side in zip(at, truth.shape, strict=True)]
        want = np.zeros((SIZE, SIZE), bool)
        want[np.ix_(*kept)] = truth[np.ix_(at[0][kept[0]], at[1][kept[1]])]
        got = store.masks([row])[0] == 1
        assert not (got & ~want).any()  # no pixel is called lesion that is none
        if inside(store, row, box) and got.any():
            assert np.array_equal(got, want)
            seen += 1
    assert seen >= 30


def test_boxes_are_the_truth_to_a_thousandth(travelled):
    store, frames = travelled
    seen = 0
    for row, (_, box) in enumerate(frames):
        if not inside(store, row, box):
            continue
        corner = np.array([store.column("crop_col_px")[row], store.column("crop_row_px")[row]] * 2)
        found = store.boxes(row)[0] / store.column("scale")[row] + corner
        if len(found):
            assert np.abs(found[0] - box).max() < 1e-3
            seen += 1
    assert seen >= 30
