"""Labels of every kind go through clean, dedup and sector with the pixels that they belong to."""

import numpy as np
import pytest

from usfm.config import Request
from usfm.curate.clean import config as clean_config
from usfm.curate.clean import run as clean
from usfm.curate.dedup import config as dedup_config
from usfm.curate.dedup import run as dedup
from usfm.curate.sector import config as sector_config
from usfm.curate.sector import run as sector
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.verify import verify
from usfm.store.writer import PartWriter

HEIGHT, WIDTH, FRAMES = 120, 160, 6


def scan(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A frame whose speckle fills a box, and where that is."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[8:112, 20:140] = True
    return np.where(inside, rng.integers(40, 220, (HEIGHT, WIDTH)), 0).astype(np.uint8), inside


@pytest.fixture(scope="module")
def steps(tmp_path_factory):
    """The stores of all steps, of clips with a lesion whose box is the box around its mask."""
    folder, rng = tmp_path_factory.mktemp("steps"), np.random.default_rng(3)
    part = PartWriter(class_names=("a", "b"), multi_names=("x", "y"), box_names=("lesion",),
                      mask_names=("lesion", "wall"), mask_kind="bits", score_runs={"b": "run-9"})  # fmt: skip
    for number in range(3):
        sha = f"{number:04x}" * 16
        source = part.source(path=f"{number}.mp4", sha256=sha, kind="video", fps=20.0, patient=f"p{number}")
        for index in range(FRAMES):
            pixels, inside = scan(rng)
            top, left = 30 + 3 * index + number, 50 + 5 * number
            lesion = np.zeros_like(inside)
            lesion[top : top + 17, left : left + 23] = True
            part.frame(
                pixels, frame_id=frame_id(sha, index), source=source, index=index, time_s=index / 20,
                label=number % 2, split="val" if number == 2 else "train", multi={"x": number % 2},
                mask={"lesion": lesion, "wall": inside},
                boxes=([[left, top, left + 23, top + 17]], ["lesion"], [number]),
                values={"ef_percent": 40.0 + number, "weeks": index}, scores={"b": index / 9}, row_spacing_mm=0.2,
                col_spacing_mm=0.2, views=2,
            )  # fmt: skip
    stores = {"raw": write_store(folder / "raw.h5", part)}
    for command, config, before in (
        (clean, clean_config.Config(text="none"), "raw"),
        (dedup, dedup_config.Config(), "clean"),
        (sector, sector_config.Config(size=96, patch=16), "dedup"),
    ):
        name = command.__name__.split(".")[-2]
        stores[name] = folder / f"{name}.h5"
        command.run(config, Request(inputs=(str(stores[before]),), out=str(stores[name]), workers=1))
    return {name: Store.open(path) for name, path in stores.items()}


@pytest.mark.parametrize("step", ["clean", "dedup", "sector"])
def test_labels_arrive_with_their_frames(steps, step):
    raw, store = steps["raw"], steps[step]
    assert len(store) == 3 * FRAMES
    before = {name: row for row, name in enumerate(raw.column("frame_id"))}
    rows = [before[name] for name in store.column("frame_id")]
    for name in ("class_names", "multi_names", "box_names", "mask_names", "mask_kind", "value_names", "score_runs"):
        assert getattr(store, name) == getattr(raw, name)
    assert (store.labels_class() == raw.labels_class()[rows]).all()
    assert (store.labels_multi() == raw.labels_multi()[rows]).all()
    assert (store.split() == raw.split()[rows]).all()
    for name in raw.value_names:
        assert (store.values(name) == raw.values(name)[rows]).all()
    assert (store.scores("b") == raw.scores("b")[rows]).all()
    assert set(store.column("views")) == {2}
    assert verify(store.paths[0]).whole


@pytest.mark.parametrize("step", ["clean", "dedup", "sector"])
def test_masks_and_boxes_stay_on_their_lesion(steps, step):
    """The box is exact, and the mask's edges lie within half a pixel of it; its size in mm is what it was."""
    store = steps[step]
    masks = store.masks(range(len(store)))
    for row, mask in enumerate(masks):
        lesion = (mask & 1) > 0
        box, _ = store.boxes(row)
        found = [np.flatnonzero(lesion.any(axis))[[0, -1]] + (0, 1) for axis in (0, 1)]
        edges = np.array([found[0][0], found[1][0], found[0][1], found[1][1]])
        assert np.abs(box[0] - edges).max() <= 0.5 + 1e-3
        spacing = store.column("row_spacing_mm")[row]
        assert (box[0][3] - box[0][1]) * spacing == pytest.approx(17 * 0.2, rel=1e-4)
        assert store.instances(row).tolist() == [int(store.of_frames("path")[row][0])]


def test_masks_of_a_store_of_one_size_are_mapped(steps):
    store = steps["sector"]
    group = "x".join(map(str, store.fixed_shape))
    assert store.files()[0].label_map(group) is not None
    rows = [5, 0, 5]
    assert (store.masks(rows) == np.stack([store.label_mask(row) for row in rows])).all()
