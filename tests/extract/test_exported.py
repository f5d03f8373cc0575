"""What `export` writes, `extract` reads back: pixels, labels and the store's own columns are equal for every format."""

import json
import shutil

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.run import run
from usfm.imaging.fan import SectorGeometry
from usfm.imaging.region import Region
from usfm.inspect import export_any
from usfm.inspect.export_config import OF_STORES
from usfm.inspect.export_config import Config as ExportConfig
from usfm.store.assemble import assemble
from usfm.store.reader import Store
from usfm.store.schema import FRAMES
from usfm.store.writer import PartWriter

GRAY, OTHER, COLOUR = (24, 40), (31, 17), (24, 40, 3)
NOT_EQUAL = ("pixels_row", "region_row", "overlay_row", "source")


def a_mask(random, shape, kind):
    return random.choice([0, 1, 2, 255] if kind == "index" else [0, 1, 2, 3], shape[:2]).astype(np.uint8)


def store_of(path, kind="index", colour=True):
    """A store with every kind of label: two clips, one of them with frames of two sizes, and stills."""
    random = np.random.default_rng(3)
    part = PartWriter(class_names=("sick", "well"), box_names=("node", "cyst"), mask_names=("wall", "lumen"),
                      mask_kind=kind, multi_names=("shadow", "line"), score_runs={"risk": "run-1"})  # fmt: skip
    clip = part.source(path="3f9a/77ab.mp4", sha256="ab" * 32, kind="video", fps=12.5, frames=40, patient="p" * 16,
                       exam="e" * 16, dataset="lung", metadata={"aspect": 1.2}, probe="convex")  # fmt: skip
    still = part.source(path="3f9a/c.png", sha256="cd" * 32, kind="image", frames=1, patient="q" * 16)
    mask = np.zeros(GRAY, bool)
    mask[3:20, 4:30] = True
    fan = SectorGeometry("convex", 20.0, -5.0, 6.0, 27.0, -0.6, 0.6)
    region = part.region(Region(mask, "convex", fan, 0.75, "motion", {"note": [1, 2]}), key="clip")
    for n in range(7):
        shape = OTHER if n == 3 else COLOUR if colour and n > 4 else GRAY
        pixels = random.integers(0, 256, shape).astype(np.uint8)
        labels = {"mask": a_mask(random, shape, kind) if n != 1 else np.zeros(shape[:2], np.uint8)} if n < 4 else {}
        labels["boxes"] = None if n == 4 else (random.uniform(0, 8, (n % 3, 4)) + [0, 0, 8, 8], [0, 1, 0][: n % 3])
        if n == 2:
            labels["boxes"] = (*labels["boxes"], [5, 6])
        part.frame(
            pixels, frame_id=f"{'ab' * 8}:{5 * n}" if n < 6 else f"{'cd' * 8}:0", source=clip if n < 6 else still,
            index=5 * n if n < 6 else 0, time_s=0.4 * n if n < 6 else np.nan, kind="b-mode" if n else "color-doppler",
            region_row=region if shape == GRAY else -1, row_spacing_mm=0.1 if n < 6 else np.nan, col_spacing_mm=0.2,
            crop_row_px=2.5, scale=0.5, label=["sick", "well", None][n % 3], split=["train", "val", "test", ""][n % 4],
            multi={"shadow": 1, "line": 0} if n % 2 else None, values={"ef": 61.5 + n / 3} if n < 5 else None,
            scores={"risk": 0.25} if n == 2 else None, **labels)  # fmt: skip
    (path.parent / "part").write_bytes(part.to_bytes())
    assemble(path, [("part", path.parent / "part")], step={"command": "test"})
    return Store.open(path)


def exported(store, to, out):
    request = Request(inputs=tuple(store.paths), out=str(out))
    return export_any.run(ExportConfig(to=to), request)


def read_back(folder, out, **settings):
    return run(Config(**settings), Request(inputs=(str(folder),), out=str(out), workers=1))


def assert_equal(found, store, atol_px=0.0):
    ids = found.column("frame_id").tolist()
    kept = [i for i, name in enumerate(store.column("frame_id")) if name in set(ids)]
    for i in kept:
        j = ids.index(store.column("frame_id")[i])
        for name in FRAMES:
            if name not in NOT_EQUAL:
                np.testing.assert_equal(found.column(name)[j], store.column(name)[i], err_msg=name)
        assert np.array_equal(found.frame(j), store.frame(i))
        mine, theirs = found.label_mask(j), store.label_mask(i)
        assert (mine is None) == (theirs is None)
        assert mine is None or np.array_equal(mine, theirs)
        assert found.has_boxes()[j] == store.has_boxes()[i]
        np.testing.assert_allclose(found.boxes(j)[0], store.boxes(i)[0], rtol=0, atol=atol_px)
        names = [[one.box_names[c] for c in one.boxes(at)[1]] for one, at in ((found, j), (store, i))]
        assert names[0] == names[1]
        np.testing.assert_equal(found.instances(j), store.instances(i))
        assert found.split()[j] == store.split()[i]
        labels = [one.labels_class()[at] for one, at in ((found, j), (store, i))]
        assert labels[0] == labels[1]
        several = [one.labels_multi() for one in (found, store)]
        assert (several[0] is None) == (several[1] is None)
        if several[0] is not None and several[1] is not None:
            np.testing.assert_equal(several[0][j], several[1][i])
        assert found.value_names == store.value_names
        for name in store.value_names:
            np.testing.assert_equal(found.values(name)[j], store.values(name)[i])
        np.testing.assert_equal(
            found.source_row(found.column("source")[j]), store.source_row(store.column("source")[i])
        )
        rows = found.column("region_row")[j], store.column("region_row")[i]
        assert (rows[0] < 0) == (rows[1] < 0)
        if rows[0] >= 0:
            one, other = found.region(rows[0]), store.region(rows[1])
            assert np.array_equal(one.mask, other.mask)
            assert (one.shape, one.geometry, one.confidence, one.extra) == (
                other.shape, other.geometry, other.confidence, other.extra)  # fmt: skip
    return len(kept)


@pytest.mark.parametrize("kind", ["index", pytest.param("bits", marks=pytest.mark.slow)])
@pytest.mark.parametrize("to", OF_STORES)
def test_there_and_back(to, kind, tmp_path):
    store = store_of(tmp_path / "s.h5", kind)
    summary = exported(store, to, tmp_path / "out")
    assert summary["frames_out"] == (5 if to == "nifti" else 7)
    assert any("colour" in one for one in summary["lost"]) == (to == "nifti")
    back = read_back(tmp_path / "out", tmp_path / "back.h5")
    assert (back["frames_out"], back["files_rejected"], back["labels_left_out"]) == (summary["frames_out"], 0, {})
    found = Store.open(tmp_path / "back.h5")
    assert assert_equal(found, store, 0.01 if to == "yolo" else 0) == summary["frames_out"]
    for names in ("class_names", "box_names", "mask_names", "multi_names", "mask_kind", "score_runs"):
        assert getattr(found, names) == getattr(store, names), names


@pytest.mark.slow
def test_heads_of_several_sizes_come_back_from_nifti_frame_by_frame(tmp_path, make_still):
    """As HC18 is: stills of nearly one size, an outline a head, the size of a pixel in a table."""
    rng = np.random.default_rng(1)
    rows = ["filename,pixel size(mm)"]
    shapes = [(54, 80), (54, 79), (53, 80), (54, 80), (58, 76)]
    for n, shape in enumerate(shapes):
        y, x = np.indices(shape)
        inside = ((y - 26) / 18) ** 2 + ((x - 40 - n) / 25) ** 2 <= 1
        outline = inside & ~(np.roll(inside, 1, 0) & np.roll(inside, -1, 0) & np.roll(inside, 1, 1)
                             & np.roll(inside, -1, 1))  # fmt: skip
        make_still(f"in/{n:03d}_HC.png", rng.integers(0, 255, shape).astype(np.uint8))
        make_still(f"in/{n:03d}_HC_Annotation.png", outline.astype(np.uint8) * 255)
        rows.append(f"{n:03d}_HC.png,{0.06 + n / 100}")
    (tmp_path / "sizes.csv").write_text("\n".join(rows))
    settings = Config(manifest=str(tmp_path / "sizes.csv"), mask_suffix="_Annotation", fill_outlines=True)
    run(settings, Request(inputs=(str(tmp_path / "in"),), out=str(tmp_path / "s.h5"), workers=1))
    store = Store.open(tmp_path / "s.h5")
    assert store.has_masks().all()
    assert np.allclose(store.column("row_spacing_mm"), [0.06, 0.07, 0.08, 0.09, 0.1])
    assert exported(store, "nifti", tmp_path / "out")["frames_out"] == len(shapes)
    back = read_back(tmp_path / "out", tmp_path / "back.h5")
    assert (back["frames_out"], back["labels_left_out"]) == (len(shapes), {})
    assert assert_equal(Store.open(tmp_path / "back.h5"), store, 0) == len(shapes)


def test_names_stay_hashed_and_no_key_is_needed(tmp_path, make_still, monkeypatch):
    make_still("in/Jane Doe/p1.png", np.random.default_rng(0).integers(0, 255, GRAY).astype(np.uint8))
    (tmp_path / "key").write_text("a key of some length")
    request = Request(inputs=(str(tmp_path / "in"),), out=str(tmp_path / "s.h5"), workers=1)
    run(Config(group="(?P<patient>Jane Doe)", salt=str(tmp_path / "key")), request)
    store = Store.open(tmp_path / "s.h5")
    exported(store, "png", tmp_path / "out")
    everything = b"".join(p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file())
    names = " ".join(str(p) for p in (tmp_path / "out").rglob("*"))
    assert b"Jane" not in everything
    assert "Jane" not in names
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    read_back(tmp_path / "out", tmp_path / "back.h5")
    assert not (tmp_path / "no-config").exists()
    found = Store.open(tmp_path / "back.h5")
    for name in ("patient", "path", "sha256"):
        assert found.source_column(name).tolist() == store.source_column(name).tolist()


def test_edited_labels_come_back_edited(tmp_path):
    store = store_of(tmp_path / "s.h5")
    exported(store, "coco", tmp_path / "out")
    data = json.loads((tmp_path / "out" / "annotations.json").read_text())
    data["categories"].append({"id": 99, "name": "new"})
    data["annotations"].append({"id": 999, "image_id": 5, "category_id": 99, "bbox": [1, 2, 3, 4]})
    (tmp_path / "out" / "annotations.json").write_text(json.dumps(data))
    read_back(tmp_path / "out", tmp_path / "back.h5")
    found = Store.open(tmp_path / "back.h5")
    assert found.box_names == ["node", "cyst", "new"]
    np.testing.assert_array_equal(found.boxes(4)[0], [[1, 2, 4, 6]])


@pytest.mark.parametrize("spoil, reason", [
    ("picture", "file of the export that is missing"), ("mask", "mask of the export that is missing"),
    ("annotations", "file of annotations that is missing"), ("stranger", "picture that the export does not know"),
])  # fmt: skip
def test_what_is_missing_or_strange_is_counted(spoil, reason, tmp_path):
    store = store_of(tmp_path / "s.h5")
    exported(store, "coco" if spoil == "annotations" else "png", tmp_path / "out")
    if spoil == "annotations":
        (tmp_path / "out" / "annotations.json").unlink()
    elif spoil == "stranger":
        shutil.copy(next((tmp_path / "out" / "masks").iterdir()), tmp_path / "out" / "images" / "x.png")
    else:
        next((tmp_path / "out" / ("images" if spoil == "picture" else "masks")).glob("0000002*")).unlink()
    back = read_back(tmp_path / "out", tmp_path / "back.h5")
    assert back["labels_left_out"][reason] == 1
    assert back["frames_out"] == {"picture": 6, "stranger": 8}.get(spoil, 7)


def test_the_sidecar_of_another_export_makes_new_pictures(tmp_path):
    store = store_of(tmp_path / "s.h5")
    exported(store, "png", tmp_path / "out")
    from PIL import Image

    path = next((tmp_path / "out" / "images").glob("0000002*"))
    Image.fromarray(np.zeros(GRAY, np.uint8)).save(path)
    back = read_back(tmp_path / "out", tmp_path / "back.h5")
    found = Store.open(tmp_path / "back.h5")
    assert back["frames_out"] == 7
    assert len(set(found.column("frame_id")) - set(store.column("frame_id"))) == 1
    assert any("not the one that was exported" in detail for detail in found.rejected()["detail"])


@pytest.mark.parametrize("change", [
    lambda data: data.update(version=2), lambda data: data.pop("names"), lambda data: data.update(frames=3),
    lambda data: data["frames"][0].update(frame_id="x"), lambda data: data["frames"][0].update(source=99),
    lambda data: data["frames"][0].update(file="../x.png"), lambda data: data["frames"].append(data["frames"][0]),
    lambda data: data["frames"][0].update(values={"a/b": 1.0}), lambda data: data["frames"][0].update(scale=1e300),
    lambda data: data["frames"][0].update(scores={"other": 1.0}), lambda data: data["frames"][0].update(part=1 << 40),
    lambda data: data["frames"][0].update(label="unknown"), lambda data: data["frames"][0].update(time_s=float("inf")),
    lambda data: data["sources"][0].update(path=3), lambda data: data["frames"][0].update(boxes=[[1]]),
])  # fmt: skip
def test_a_sidecar_that_cannot_be_understood_is_one_sentence(change, tmp_path):
    exported(store_of(tmp_path / "s.h5"), "png", tmp_path / "out")
    file = tmp_path / "out" / "usfm-export.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    with pytest.raises(RequestError, match=r"cannot be understood"):
        read_back(tmp_path / "out", tmp_path / "back.h5")


def test_requests_that_have_no_meaning(tmp_path):
    store = store_of(tmp_path / "s.h5")
    exported(store, "png", tmp_path / "out")
    with pytest.raises(RequestError, match="--group"):
        read_back(tmp_path / "out", tmp_path / "back.h5", group="(?P<patient>.)")
    with pytest.raises(RequestError, match="takes a run"):
        exported(store, "timm", tmp_path / "x.safetensors")
    assert exported(store, "png", tmp_path / "out")["frames_out"] == 7  # up to date
    with pytest.raises(RequestError, match="overwrite"):
        exported(store, "coco", tmp_path / "out")
