"""Labels from files of their own reach the frames they are of; what cannot be used is counted or one sentence."""

import json

import numpy as np
import pytest
from PIL import Image

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract import imported, mask_files, sources
from usfm.extract.annotations.contract import Marks, Shape
from usfm.extract.boxes import marks_of
from usfm.extract.config import Config
from usfm.extract.drawn import Painter, placed
from usfm.extract.labels import gather
from usfm.extract.manifest import read_manifest
from usfm.extract.readers.contract import Probe
from usfm.extract.run import run
from usfm.extract.scan import Scan
from usfm.imaging import mask_codes, polygon
from usfm.store.reader import Store

SHAPE = (48, 64)


def speckle(seed, shape=SHAPE):
    return np.clip(70 * np.random.default_rng(seed).rayleigh(1, shape), 0, 255).astype(np.uint8)


def disk(row=20, column=30, radius=9, shape=SHAPE):
    rows, columns = np.indices(shape)
    return np.hypot(rows - row, columns - column) < radius


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


@pytest.fixture
def extract(tmp_path):
    def go(*inputs, out="s.h5", **settings):
        inputs = tuple(str(one) for one in inputs or (tmp_path / "in",))
        return run(Config(**settings), Request(inputs=inputs, out=str(tmp_path / out), workers=1))

    return go


def labels_of(summary):
    """Path of each source -> its label mask and its boxes."""
    store = Store.open(summary["out"])
    paths = store.source_column("path")
    return {paths[store.column("source")[i]]: (store.label_mask(i), store.boxes(i)) for i in range(len(store))}


def pictures(folder, count=3, suffix=".png"):
    for n in range(count):
        write(folder / f"p{n}{suffix}", speckle(n))


# ---------------------------------------------------------------- masks


def palette(indices):
    image = Image.fromarray(indices)
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
    return image


TWO = disk().astype(np.uint8) + np.uint8(2) * disk(40, 10, 5)
COLOURED = np.zeros((*SHAPE, 3), np.uint8)
COLOURED[disk()], COLOURED[disk(40, 10, 5)] = (0, 255, 0), (255, 0, 0)
FORMS = {
    "indexed": (TWO, ".png", {}, TWO, ["1", "2"]),
    "levels": (TWO * 100, ".png", {}, TWO, ["100", "200"]),
    "palette": (palette(TWO), ".png", {}, TWO, ["1", "2"]),
    "coloured": (COLOURED, ".png", {}, TWO, ["#00ff00", "#ff0000"]),
    "coloured, smeared": (COLOURED, ".jpg", {"quality": 90, "subsampling": 0}, TWO, None),
    "one bit": (Image.fromarray(disk()), ".png", {}, disk(), ["foreground"]),
    "black and white": (disk().astype(np.uint8) * 255, ".tif", {}, disk(), ["foreground"]),
    "smeared": (disk().astype(np.uint8) * 255, ".jpg", {"quality": 80}, disk(), ["foreground"]),
    "sixteen bits": (TWO.astype(np.uint16) * 300, ".png", {}, TWO, ["300", "600"]),
    "alpha": (np.dstack([np.zeros((*SHAPE, 3), np.uint8), disk().astype(np.uint8) * 255]), ".png", {}, disk(),
              ["foreground"]),
    "ignored": (np.where(disk(5, 5, 4), 255, TWO).astype(np.uint8), ".png", {}, np.where(disk(5, 5, 4), 255, TWO),
                ["1", "2"]),
}  # fmt: skip


def drawn(masks, folder, shape=SHAPE, *, annotations=None, **settings):
    """Relative path -> the label mask of frame 0, without a store; and the names of the classes."""
    kind = settings.pop("mask_kind", "index")
    fill = settings.pop("fill_outlines", False)
    how = mask_files.how_of(str(masks), settings.pop("mask_suffix", None), settings.pop("mask_pattern", None))
    found = sources.find([str(folder)], claims=how.claims if how.mode == "given" else None)
    extra = imported.collect(found, how, annotations, fill=fill, bits=kind == "bits")
    looks = imported.looks_of([imported.look_at(batch) for batch in imported.batches(extra)])
    scans = [Scan("ab", Probe(*shape, 1)) for _ in found.sources]
    onto = imported.onto(extra, looks, found.sources, scans)
    assert not onto.left
    return {name: Painter(one).labels(0, shape)["mask"] for name, one in onto.of.items()}, onto.mask_names


@pytest.mark.parametrize("form", FORMS)
def test_masks_of_every_form(form, tmp_path):
    pixels, suffix, options, expected, names = FORMS[form]
    pictures(tmp_path / "in", suffix=".bmp")
    for n in range(3):
        write(tmp_path / "masks" / f"p{n}{suffix}", pixels, **options)
    found, classes = drawn(tmp_path / "masks", tmp_path / "in")
    assert len(found) == 3
    for mask in found.values():
        assert (mask != expected).mean() <= (0.02 if "smeared" in form else 0)
    assert list(classes) == names or (names is None and len(classes) == 2)


@pytest.mark.parametrize("layout, settings", [
    ("in/p{n}_mask.png", {}), ("in/p{n}_mask.png", {"mask_suffix": "_mask"}), ("in/masks/p{n}.png", {}),
    ("in/p{n}_roi7.png", {"mask_pattern": r"(?P<stem>p\d)_roi7"}), ("in/p{n}-x_3.png", {"mask_suffix": "-x"}),
    ("elsewhere/P{n}.PNG", {"masks": "elsewhere"}), ("elsewhere/p{n}_segmentation.png", {"masks": "elsewhere"}),
    ("elsewhere/deep/in/p{n}.png", {"masks": "elsewhere"}), ("in/m/p{n}.png", {"masks": "in/m"}),
    ("elsewhere/p{n}_q.png", {"masks": "elsewhere", "mask_suffix": "_q"}),
    ("elsewhere/p{n}_q.png", {"masks": "elsewhere", "mask_pattern": "(?P<stem>p.)_q"}),
])  # fmt: skip
def test_masks_wherever_they_lie(layout, settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pictures(tmp_path / "in", suffix=".jpg")
    for n in range(3):
        write(tmp_path / layout.format(n=n), disk(10 + 9 * n).astype(np.uint8) * 255)
    found, names = drawn(settings.pop("masks", "auto"), "in", **settings)
    assert names == ("foreground",)
    for n in range(3):
        assert np.array_equal(found[f"p{n}.jpg"], disk(10 + 9 * n))


def test_several_masks_of_one_structure_are_joined(extract, tmp_path):
    pictures(tmp_path / "in", 1)
    write(tmp_path / "in" / "p0_mask.png", disk().astype(np.uint8) * 255)
    write(tmp_path / "in" / "p0_mask_1.png", disk(40, 10, 5).astype(np.uint8) * 255)
    mask, _ = labels_of(extract())["p0.png"]
    assert np.array_equal(mask, disk() | disk(40, 10, 5))


@pytest.mark.parametrize("kind", ["index", "bits"])
def test_structures_that_overlap(kind, extract, tmp_path):
    pictures(tmp_path / "in", 2)
    first, second = disk(), disk(24, 36)
    for n in range(2):
        write(tmp_path / "m" / "cyst" / f"p{n}.png", first.astype(np.uint8) * 255)
        write(tmp_path / "m" / "wall" / f"p{n}.png", second.astype(np.uint8))
    summary = extract(masks=str(tmp_path / "m"), mask_kind=kind)
    assert summary["labels_left_out"] == {"mask with pixels of several classes": 2} or kind == "bits"
    expected = first | 2 * second if kind == "bits" else np.where(second, 2, first)
    store = Store.open(summary["out"])
    assert (store.mask_names, store.mask_kind) == (["cyst", "wall"], kind)
    for mask, _ in labels_of(summary).values():
        assert np.array_equal(mask, expected)


@pytest.mark.parametrize("fill", [True, False])
def test_outlines_are_filled_on_request(fill, extract, tmp_path, capsys):
    pictures(tmp_path / "in", 2)
    whole, cut = disk(), disk(2, 30)
    for n, area in enumerate((whole, cut)):
        write(tmp_path / "m" / f"p{n}.png", (area & ~disk_inside(area)).astype(np.uint8) * 255)
    found = [mask for mask, _ in labels_of(extract(masks=str(tmp_path / "m"), fill_outlines=fill)).values()]
    for mask, area in zip(found, (whole, cut), strict=True):
        assert np.array_equal(mask > 0, area if fill else area & ~disk_inside(area))
    assert ("--fill-outlines" in capsys.readouterr().err) != fill


def disk_inside(area):
    """What is left when the outermost ring is taken off; the picture's border is no edge."""
    from scipy.ndimage import binary_erosion

    return binary_erosion(area, np.ones((3, 3), bool), border_value=1)


def test_masks_that_do_not_fit_are_counted(extract, tmp_path):
    pictures(tmp_path / "in", 4)
    masks = tmp_path / "m"
    write(masks / "p0.png", disk().astype(np.uint8))
    write(masks / "p1.png", disk(shape=(30, 30)).astype(np.uint8))
    write(masks / "nobody.png", disk().astype(np.uint8))
    (masks / "p2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    (masks / "p3.png").write_bytes(b"")
    summary = extract(masks=str(masks))
    assert summary["labels_left_out"] == {
        "mask file without bytes": 1, "mask of another size than its picture": 1, "mask of no picture": 1,
        "mask that cannot be read": 1,
    }  # fmt: skip
    assert [mask is not None for mask, _ in labels_of(summary).values()] == [True, False, False, False]


@pytest.mark.parametrize("settings, words", [
    ({"masks": "nowhere"}, "no such folder"), ({"masks": "empty"}, "no mask is found"),
    ({"masks": "keep", "mask_suffix": "_m"}, "drop"), ({"mask_suffix": "_m"}, "no mask"),
    ({"mask_suffix": "_m", "mask_pattern": "(?P<stem>.)"}, "both say"),
    ({"mask_pattern": "("}, "regular expression"), ({"mask_pattern": "(?P<name>.)"}, "names"),
    ({"annotations": "nowhere"}, "no such file"), ({"annotations": "empty"}, "no annotations"),
])  # fmt: skip
def test_requests_that_cannot_be_met_are_one_sentence(settings, words, extract, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    pictures(tmp_path / "in", 1)
    with pytest.raises(RequestError, match=words):
        extract(**settings)


def test_the_same_stem_in_two_folders_is_told_by_path_or_refused(extract, tmp_path):
    for folder in ("a", "b"):
        write(tmp_path / "in" / folder / "p.png", speckle(ord(folder)))
        write(tmp_path / "m" / folder / "p.png", disk(radius=ord(folder) - 90).astype(np.uint8) * 255)
    found = labels_of(extract(masks=str(tmp_path / "m")))
    assert [int(found[f"{folder}/p.png"][0].sum()) for folder in "ab"] == [disk(radius=r).sum() for r in (7, 8)]
    write(tmp_path / "n" / "p.png", disk().astype(np.uint8))
    with pytest.raises(RequestError, match="fit no picture"):
        extract(masks=str(tmp_path / "n"), out="t.h5")


def test_masks_of_a_clip_frame_by_frame(extract, tmp_path, make_video):
    make_video("in/clip.mp4", frames=6)
    for n in (1, 4):
        write(tmp_path / "m" / f"clip_frame{n:04d}.png", disk(10 + 9 * n, shape=(64, 64)).astype(np.uint8) * 255)
    summary = extract(masks=str(tmp_path / "m"), fps="all")
    store = Store.open(summary["out"])
    found = {int(store.column("index")[i]): store.label_mask(i) for i in range(len(store))}
    assert [number for number, mask in found.items() if mask is not None] == [1, 4]
    assert np.array_equal(found[4], disk(46, shape=(64, 64)))


def test_a_clip_of_masks(extract, tmp_path, make_video):
    make_video("in/clip.mp4", frames=6)
    pages = [Image.fromarray(disk(10 + 5 * n, shape=(64, 64)).astype(np.uint8)) for n in range(6)]
    (tmp_path / "m").mkdir()
    pages[0].save(tmp_path / "m" / "clip.tif", save_all=True, append_images=pages[1:])
    store = Store.open(extract(masks=str(tmp_path / "m"), every=2)["out"])
    for i in range(len(store)):
        assert np.array_equal(store.label_mask(i), disk(10 + 5 * store.column("index")[i], shape=(64, 64)))


# ---------------------------------------------------------------- annotations


def coco(path, boxes, **more):
    annotations = [
        {"id": at, "image_id": image, "category_id": 1, "bbox": box} for at, (image, box) in enumerate(boxes)
    ]
    images = [{"id": n, "file_name": f"p{n}.png"} | more for n in range(3)]
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "cyst"}]}
    path.write_text(json.dumps(data))
    return str(path)


def test_boxes_are_cut_at_the_border_or_left_out(extract, tmp_path):
    pictures(tmp_path / "in", 4)
    boxes = [(0, [1, 2, 3, 4]), (0, [60, 40, 9, 9]), (1, [70, 50, 5, 5]), (1, [5, 5, 0, 4]), (2, [-0.4, 0, 9, 9])]
    summary = extract(annotations=coco(tmp_path / "c.json", boxes))
    found = labels_of(summary)
    np.testing.assert_array_equal(found["p0.png"][1][0], [[1, 2, 4, 6], [60, 40, 64, 48]])
    assert summary["labels_left_out"] == {
        "box cut at the border of the picture": 1, "box without area or outside of the picture": 2,
        "picture without label": 1,
    }  # fmt: skip
    assert Store.open(summary["out"]).has_boxes().tolist() == [True, True, True, False]
    np.testing.assert_array_equal(found["p2.png"][1][0], [[0, 0, np.float32(8.6), 9]])  # rounding is no fault


def test_a_record_for_a_picture_of_another_size_is_left_out(extract, tmp_path):
    pictures(tmp_path / "in", 3)
    summary = extract(annotations=coco(tmp_path / "c.json", [(0, [1, 2, 3, 4])], height=9, width=9))
    assert summary["labels_left_out"] == {"label made for a picture of another size": 3}


@pytest.mark.parametrize("name", [
    "images/p0.png", "C:\\data\\IN\\P0.PNG", "/somewhere/in/p0.jpg", "p0", "./p0.png", "../x/p0.png", "p0.PNG",
])  # fmt: skip
def test_a_path_however_it_is_written(name, tmp_path):
    pictures(tmp_path / "in", 2)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "c.json").write_text(json.dumps({"images": [{"id": 5, "file_name": name}], "annotations": []}))
    found = sources.find([str(tmp_path / "in")])
    extra = imported.collect(found, mask_files.How(), str(tmp_path / "c"), fill=False, bits=False)
    assert list(extra.matched.of) == ["p0.png"]


def test_outlines_become_masks_and_stay_boxes(extract, tmp_path):
    pictures(tmp_path / "in", 2)
    points = [[5, 5], [30, 8], [20, 40]]
    shape = {"label": "cyst", "points": points, "shape_type": "polygon"}
    (tmp_path / "in" / "p0.json").write_text(json.dumps({"shapes": [shape], "imagePath": "p0.png"}))
    summary = extract(annotations=str(tmp_path / "in"))
    mask, boxes = labels_of(summary)["p0.png"]
    assert np.array_equal(mask, polygon.fill(np.array(points), SHAPE))
    np.testing.assert_array_equal(boxes[0], [[5, 5, 30, 40]])


def test_splits_of_annotations_count_where_nothing_else_says_one(extract, tmp_path):
    pictures(tmp_path / "in", 3)
    coco(tmp_path / "c" / "val.json", [])
    store = Store.open(extract(annotations=str(tmp_path / "c"))["out"])
    assert store.split().tolist() == ["val"] * 3
    (tmp_path / "m.csv").write_text("path,split\np0.png,test\n")
    store = Store.open(extract(annotations=str(tmp_path / "c"), manifest=str(tmp_path / "m.csv"), out="t.h5")["out"])
    assert store.split().tolist() == ["test", "val", "val"]


def test_two_pictures_of_one_stem_are_refused_for_labels_without_suffix(extract, tmp_path):
    write(tmp_path / "in" / "p.png", speckle(0))
    write(tmp_path / "in" / "p.bmp", speckle(1))
    write(tmp_path / "in" / "q.bmp", speckle(2))
    for name in "pq":
        (tmp_path / "in" / f"{name}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    summary = extract(annotations=str(tmp_path / "in"))
    assert summary["labels_left_out"] == {"label that fits several pictures": 1, "picture without label": 2}


def test_labels_decide_whether_a_store_is_up_to_date(extract, tmp_path):
    pictures(tmp_path / "in", 3)
    path = coco(tmp_path / "c.json", [(0, [1, 2, 3, 4])])
    extract(annotations=path)
    assert extract(annotations=path)["up_to_date"]
    coco(tmp_path / "c.json", [(0, [1, 2, 3, 5])])
    with pytest.raises(RequestError, match="overwrite"):
        extract(annotations=path)


# ---------------------------------------------------------------- pixels of masks


def test_codes_without_a_class_are_background():
    codes = np.array([[0, 3, 9]])
    assert mask_codes.classes_of(codes, "values", True, {3: 1}).tolist() == [[0, 1, 0]]
    with pytest.raises(ValueError, match="whole"):
        mask_codes.codes_of(np.array([[0.5]]))


@pytest.mark.parametrize("counts, size", [("0", [48, 64]), ("P`R3", [48, 64]), ("PP6", [40, 60]), ("~", [48, 64])])
def test_run_lengths_that_do_not_fill_the_picture_are_counted(counts, size):
    runs = Shape("cyst", (), counts.encode(), tuple(size))
    marks = Marks("a.png", None, np.array([[1.0, 2, 3, 4]]), ("cyst",), (runs,))
    found, left = placed(marks, SHAPE, {"cyst": 0}, {"cyst": 1})
    assert left == {"run lengths that do not fill the picture": 1}
    assert (len(found.classes), found.shapes) == (1, ())


def test_polygons_far_away_are_counted():
    rings = (np.array([[1e300, 0], [5, 5], [0, 9.0]]),)
    for relative in (True, False):
        found, left = placed(Marks("a.png", shapes=(Shape("x", rings),), relative=relative), SHAPE, {}, {"x": 1})
        assert (found.shapes, left.total()) == ((), 1)


@pytest.mark.parametrize("kind", ["nii.gz", "mat", "npy"])
def test_label_maps_of_volumes_keep_their_numbers(kind, tmp_path):
    import nibabel
    from scipy.io import savemat

    pictures(tmp_path / "in", 2)
    (tmp_path / "m").mkdir()
    for n in range(2):
        path, values = tmp_path / "m" / f"p{n}.{kind}", TWO.astype(np.int16) * 7
        if kind == "mat":
            savemat(path, {"mask": values})
        elif kind == "npy":
            np.save(path, values)
        else:
            nibabel.save(nibabel.Nifti1Image(values.T[..., None], np.eye(4)), path)
    found, names = drawn(tmp_path / "m", tmp_path / "in")
    assert names == ("7", "14")
    assert all(np.array_equal(mask, TWO) for mask in found.values())


def write_volume(path, values):
    """An array (plane, row, column) as NRRD or MetaImage, by hand."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sizes = " ".join(str(size) for size in values.shape[::-1])
    if path.suffix == ".nrrd":
        kind = {1: "uint8", 2: "int16"}[values.itemsize]
        head = f"NRRD0004\ntype: {kind}\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
    else:
        kind = {1: "MET_UCHAR", 2: "MET_SHORT"}[values.itemsize]
        head = (f"ObjectType = Image\nNDims = 3\nDimSize = {sizes}\nElementSpacing = 1 1 1\nElementType = {kind}\n"
                "BinaryDataByteOrderMSB = False\nElementDataFile = LOCAL\n")  # fmt: skip
    path.write_bytes(head.encode() + values.tobytes())


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_a_label_map_beside_a_volume_is_of_its_planes(extract, tmp_path, suffix):
    planes, label = 5, np.zeros((5, *SHAPE), np.int16)
    for n in range(planes):
        label[n][disk(12 + 4 * n, 30)] = (7, 14)[n % 2]
    label[4] = 0
    write_volume(tmp_path / f"in/sweep{suffix}", np.stack([speckle(n) for n in range(planes)]))
    write_volume(tmp_path / f"masks/sweep{suffix}", label)
    store = Store.open(extract(masks=str(tmp_path / "masks"), fps="all")["out"])
    assert store.mask_names == ["7", "14"]
    assert (store.column("index") == np.arange(planes)).all()
    for n in range(planes):
        mask = store.label_mask(n)
        assert mask is not None
        assert np.array_equal(np.array([0, 7, 14])[mask], label[n])


def test_a_manifest_of_windows_in_another_case(tmp_path):
    pictures(tmp_path / "in" / "Scans", 2)
    (tmp_path / "m.csv").write_bytes("path;label\r\nC:\\Data\\IN\\SCANS\\P0.PNG;0042\r\n".encode("utf-8-sig"))
    found = sources.find([str(tmp_path / "in")])
    facts = gather(found.sources, manifest=read_manifest(str(tmp_path / "m.csv")))
    assert [one.label for one in facts.values()] == ["0042", ""]


def test_masks_that_a_manifest_names(extract, tmp_path):
    pictures(tmp_path / "in", 3)
    write(tmp_path / "in" / "first.png", disk().astype(np.uint8) * 255)
    write(tmp_path / "other" / "second.png", disk(30).astype(np.uint8) * 255)
    text = "path,mask\np0.png,first.png\np1.png,other\\second.png\np2.png,lost.png\n"
    (tmp_path / "m.csv").write_text(text)
    summary = extract(manifest=str(tmp_path / "m.csv"))
    assert summary["labels_left_out"] == {"mask of the manifest that is not there": 1}
    found = labels_of(summary)
    assert list(found) == ["p0.png", "p1.png", "p2.png"]
    assert np.array_equal(found["p0.png"][0], disk())
    assert np.array_equal(found["p1.png"][0], disk(30))
    assert found["p2.png"][0] is None


# ---------------------------------------------------------------- boxes of a manifest


CELLS = {
    "1 2 30 40 cyst; 5 6 20 30": ([[1, 2, 30, 40], [5, 6, 20, 30]], ["cyst", "ill"], 0),
    "1,2,30,40": ([[1, 2, 30, 40]], ["ill"], 0),
    '[[1, 2, 30, 40, "big node"], [5, 6, 20, 30]]': ([[1, 2, 30, 40], [5, 6, 20, 30]], ["big node", "ill"], 0),
    "[1, 2, 30, 40]": ([[1, 2, 30, 40]], ["ill"], 0),
    '[{"xyxy": [1, 2, 30, 40], "class": "cyst"}]': ([[1, 2, 30, 40]], ["cyst"], 0),
    '{"bbox": [1, 2, 30, 40]}': ([[1, 2, 30, 40]], ["ill"], 0),
    "[]": ([], [], 0),
    "": (None, [], 0),
    "here": (None, [], 1),
    "30 40 1 2 cyst": (None, [], 1),
    "1 2 30 40 cyst; 1 2 nan 4": ([[1, 2, 30, 40]], ["cyst"], 1),
    "[[1, 2, 30]]": (None, [], 1),
    "[1e999, 0, 1, 1]": (None, [], 1),
    "[" * 5000: (None, [], 1),
}


@pytest.mark.parametrize("cell", [one for one in CELLS if one])
def test_a_cell_of_boxes_is_read_in_each_shape_or_counted(cell):
    wanted, names, wrong = CELLS[cell]
    marks, lost = marks_of(cell, "ill")
    assert lost == wrong
    assert (marks is None) == (wanted is None)
    if marks is not None:
        assert (marks.boxes.tolist(), list(marks.box_names)) == (wanted, names)


def test_boxes_of_a_manifest_are_those_of_its_picture(extract, tmp_path):
    import csv

    pictures(tmp_path / "in", len(CELLS))
    with open(tmp_path / "m.csv", "w", newline="") as file:
        rows = [(f"p{n}.png", "ill", cell) for n, cell in enumerate(CELLS)]
        csv.writer(file).writerows([["path", "label", "boxes"], *rows])
    summary = extract(manifest=str(tmp_path / "m.csv"))
    store = Store.open(summary["out"])
    for row, path in enumerate(store.of_frames("path")):
        wanted, names, _ = list(CELLS.values())[int(path[1:-4])]
        assert store.has_boxes()[row] == (wanted is not None)
        assert store.boxes(row)[0].tolist() == (wanted or [])
        assert [store.box_names[c] for c in store.boxes(row)[1]] == names
    assert sum(summary["labels_left_out"].values()) == sum(wrong for _, _, wrong in CELLS.values())


def test_annotations_count_where_a_manifest_has_boxes_too(extract, tmp_path):
    pictures(tmp_path / "in", 2)
    (tmp_path / "m.csv").write_text("path;boxes\np0.png;1 1 9 9 a\np1.png;2 2 9 9 b\n")
    coco = {"images": [{"id": 1, "file_name": "p0.png", "width": 64, "height": 48}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [3, 3, 5, 5]}],
            "categories": [{"id": 1, "name": "z"}]}  # fmt: skip
    (tmp_path / "coco.json").write_text(json.dumps(coco))
    summary = extract(manifest=str(tmp_path / "m.csv"), annotations=str(tmp_path / "coco.json"))
    store = Store.open(summary["out"])
    assert [store.boxes(k)[0].tolist() for k in (0, 1)] == [[[3, 3, 8, 8]], [[2, 2, 9, 9]]]
    assert [store.box_names[store.boxes(k)[1][0]] for k in (0, 1)] == ["z", "b"]
    assert any("which count" in reason for reason in summary["labels_left_out"])
