"""Annotations of every kind come in as the same records; what is wrong in them is counted or one sentence."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from usfm.errors import RequestError
from usfm.extract.annotations import json_stream
from usfm.extract.annotations.json_stream import JsonStream
from usfm.extract.annotations.read import read
from usfm.imaging import polygon, rle

BOX = (10.0, 20.0, 40.0, 60.0)
RING = [10, 20, 40, 20, 40, 60, 10, 60]
SIZE = (100, 80)


def coco(path, **changes):
    data = {
        "info": {"a": [1, {"b": None}]},
        "images": [{"id": 7, "file_name": "a.png", "height": 100, "width": 80}, {"id": 8, "file_name": "b.png"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40], "segmentation": [RING]}],
        "categories": [{"id": 3, "name": "cyst"}, {"id": 9, "name": "node"}],
    }
    path.write_text(json.dumps({key: value for key, value in (data | changes).items() if value is not None}))
    return path


def yolo(root, line="0 0.3125 0.4 0.375 0.4", names="names: [cyst, node]\ntrain: ../train/images"):
    for name, text in (("a", line), ("b", "")):
        (root / "train" / "labels").mkdir(parents=True, exist_ok=True)
        (root / "train" / "labels" / f"{name}.txt").write_text(text)
    (root / "data.yaml").write_text(names)
    return root


def voc(root, corners=(11, 21, 40, 60), head=""):
    root.mkdir(exist_ok=True)
    tags = ("xmin", "ymin", "xmax", "ymax")
    box = "".join(f"<{tag}>{value}</{tag}>" for tag, value in zip(tags, corners, strict=True))
    thing = f"<object><name>cyst</name><bndbox>{box}</bndbox></object>"
    size = "<size><width>80</width><height>100</height></size>"
    (root / "a.xml").write_text(f"{head}<annotation><filename>a.png</filename>{size}{thing}</annotation>")
    (root / "b.xml").write_text("<annotation><filename>b.png</filename></annotation>")
    return root


def labelme(root, **shape):
    root.mkdir(exist_ok=True)
    one = {"label": "cyst", "shape_type": "polygon", "points": np.reshape(RING, (4, 2)).tolist()} | shape
    for name, shapes in (("a", [one]), ("b", [])):
        data = {
            "shapes": shapes,
            "imagePath": f"{name}.png",
            "imageHeight": 100,
            "imageWidth": 80,
            "imageData": "x" * 9,
        }
        (root / f"{name}.json").write_text(json.dumps(data))
    return root


MAKERS = {
    "COCO": lambda root: coco(root / "c.json"), "YOLO": lambda root: yolo(root / "y"),
    "VOC": lambda root: voc(root / "v"), "LabelMe": lambda root: labelme(root / "l"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_gives_the_same_records(kind, tmp_path):
    found = read(str(MAKERS[kind](tmp_path)))
    assert found.kind == kind
    assert found.names[0] == "cyst"
    assert not found.faults.counts
    one, other = found.pictures
    assert [record.path.split("/")[-1].split(".")[0] for record in (one, other)] == ["a", "b"]
    box = one.boxes * ((80, 100, 80, 100) if one.relative else 1)
    np.testing.assert_allclose(box, [BOX], atol=1e-9)
    assert one.box_names == ("cyst",)
    assert other.boxes.shape == (0, 4)
    if kind in ("COCO", "LabelMe"):
        assert one.size == SIZE
        assert polygon.fill_all(one.shapes[0].rings, SIZE).sum() == 30 * 40
    if kind == "YOLO":
        assert (one.split, one.path, one.bare) == ("train", "train/images/a", True)


def mask():
    found = np.zeros(SIZE, bool)
    found[20:60, 10:40] = True
    return found


@pytest.mark.parametrize("packed", [True, False])
def test_run_lengths_of_coco(packed, tmp_path):
    counts = rle.encode_text(mask()) if packed else rle.encode(mask()).tolist()
    one = {"image_id": 7, "category_id": 3, "segmentation": {"size": SIZE, "counts": counts}, "iscrowd": 1}
    found = read(str(coco(tmp_path / "c.json", annotations=[one])))
    shape = found.pictures[0].shapes[0]
    assert np.array_equal(rle.decode(shape.runs, shape.runs_size), mask())
    assert not len(found.pictures[0].boxes)  # a crowd is no box


def mark(**changes):
    return {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 20, 30, 40]} | changes


@pytest.mark.parametrize("rows, fault, boxes, shapes", [
    ([mark(), mark()], "annotation listed twice", 1, 0),
    ([mark(), mark(bbox=[1, 2, 3, 4])], "annotation id twice, both kept", 2, 0),
    ([mark(segmentation=[[1, 2, 3, 4]])], "polygon of fewer than three points or of no numbers", 1, 0),
    ([mark(segmentation=[[1, 2, "x", 4, 5, 6]])], "polygon of fewer than three points or of no numbers", 1, 0),
    ([mark(segmentation={"size": [3], "counts": "1"})], "run lengths that cannot be read", 1, 0),
    ([mark(bbox=None)], "annotation without box or outline", 0, 0),
    ([mark(bbox=[1, 2, 3])], "annotation without box or outline", 0, 0),
    ([mark(category_id=4)], "class that the file does not name", 0, 0),
    ([mark(category_id=[4])], "class that the file does not name", 0, 0),
    ([mark(image_id=99)], "annotation of an image that is not listed", 0, 0),
    ([mark(image_id={})], "annotation without image id", 0, 0),
    ([3], "annotation without image id", 0, 0),
])  # fmt: skip
def test_what_is_wrong_in_coco_is_counted(rows, fault, boxes, shapes, tmp_path):
    found = read(str(coco(tmp_path / "c.json", annotations=rows)))
    assert dict(found.faults.counts) == {fault: 1}
    assert sum(len(one.boxes) for one in found.pictures) == boxes
    assert sum(len(one.shapes) for one in found.pictures) == shapes


def test_images_that_are_none_are_counted(tmp_path):
    images = [{"id": 7, "file_name": "a.png"}, {"id": 7, "file_name": "a.png"}, {"id": 8}, {"file_name": "x"}, None]
    found = read(str(coco(tmp_path / "c.json", images=images)))
    assert dict(found.faults.counts) == {"image listed twice": 1, "image without id or file name": 3}
    assert len(found.pictures) == 1


@pytest.mark.parametrize("changes, words", [
    ({"images": [{"id": 7, "file_name": "a.png"}, {"id": 7, "file_name": "b.png"}]}, "stands for two pictures"),
    ({"categories": [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]}, "stands for two classes"),
    ({"images": None}, "no annotations are in it"),
])  # fmt: skip
def test_what_nobody_can_resolve_is_one_sentence(changes, words, tmp_path):
    with pytest.raises(RequestError, match=words):
        read(str(coco(tmp_path / "c.json", **changes)))


@pytest.mark.parametrize("text", [
    "{", '{"images": [', '{"images": [{"id": 1,}], "annotations": []}', '{"images": [], "annotations": [NaN]}', "{}",
    "[" * 100_000, '{"images": ' + "[" * 100_000, '{"images": [], "annotations": [' + "9" * 9000 + "]}", "[1, 2]",
    '{"images" []}', '{3: 4}', "\x00\x01", "",
])  # fmt: skip
def test_files_that_are_damaged_are_one_sentence(text, tmp_path):
    (tmp_path / "c.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RequestError):
        read(str(tmp_path / "c.json"))


def test_every_cut_of_a_file_is_one_sentence(tmp_path):
    whole = coco(tmp_path / "c.json").read_bytes()
    for cut in range(1, len(whole) - 1, 7):
        (tmp_path / "d.json").write_bytes(whole[:cut])
        with pytest.raises(RequestError):
            read(str(tmp_path / "d.json"))


DATA = {
    "": None, "a": [1, 1.5e-7, -2, {"b": [True, []]}, "ü😀\\n\"", [[0.1], 10**20]], "c": {"d": [1]}, "e": [],
    "f": -1.25, "g": [{}, [False, None]], "ß": "text", "h": 0,
}  # fmt: skip


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("indent", [None, 1])
def test_a_stream_reads_what_json_reads_wherever_it_is_cut(plain, indent, monkeypatch):
    text = json.dumps(DATA, indent=indent, ensure_ascii=plain).encode()
    for chunk in range(1, 60):
        monkeypatch.setattr(json_stream, "CHUNK", chunk)
        members = JsonStream(io.BytesIO(text)).members()
        assert {key: list(value) if hasattr(value, "__next__") else value for key, value in members} == DATA


@pytest.mark.parametrize("line, fault", [
    ("5 0.5 0.5 0.1 0.1", "class above the names"), ("0 0.5 0.5 0.1 nan", "line that is no object"),
    ("0 0.5 0.5", "line that is no object"), ("x 1 2 3 4", "line that is no object"),
    ("0 1 2 3 4 5 6 7", "line that is no object"), ("9" * 5000 + " 1 2 3 4", "line that is no object"),
])  # fmt: skip
def test_what_is_wrong_in_yolo_is_counted(line, fault, tmp_path):
    found = read(str(yolo(tmp_path, f"0 0.3 0.4 0.3 0.4\n{line}\r\n\n")))
    assert dict(found.faults.counts) == {fault: 1}
    assert len(found.pictures[0].boxes) == 1


def test_polygons_of_yolo_are_boxes_too(tmp_path):
    found = read(str(yolo(tmp_path, "1 0.1 0.2 0.5 0.2 0.5 0.6")))
    one = found.pictures[0]
    assert one.shapes[0].rings[0].shape == (3, 2)
    np.testing.assert_allclose(one.boxes, [[0.1, 0.2, 0.5, 0.6]])


@pytest.mark.parametrize("names, expected", [
    ("names: {0: cyst, 1: node}", ("cyst", "node")), ("names:\n- cyst\n- node", ("cyst", "node")),
    ("names:\n  1: node\n  0: cyst", ("cyst", "node")), ("nc: 2", ("0",)), ("[", ("0",)),
])  # fmt: skip
def test_names_of_yolo(names, expected, tmp_path):
    assert read(str(yolo(tmp_path, names=names))).names == expected


def test_names_of_yolo_that_grow_without_bound_are_one_sentence(tmp_path):
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    with pytest.raises(RequestError, match="names"):
        read(str(yolo(tmp_path, names="\n".join([*rows, "names: *a11"]))))


def test_yolo_without_yaml_takes_the_names_beside(tmp_path):
    yolo(tmp_path).joinpath("data.yaml").unlink()
    (tmp_path / "train" / "labels" / "classes.txt").write_text("cyst\nnode\n")
    assert read(str(tmp_path)).names == ("cyst", "node")
    assert read(str(tmp_path / "train" / "labels" / "a.txt")).pictures[0].box_names == ("cyst",)


def test_voc_that_counts_from_zero(tmp_path):
    np.testing.assert_array_equal(read(str(voc(tmp_path / "v", (0, 21, 40, 60)))).pictures[0].boxes, [[0, 21, 40, 60]])


@pytest.mark.parametrize("head", ['<!DOCTYPE a [<!ENTITY b "c">]>', "<x>", "<?xml version='1.0' encoding='nonsense'?>"])
def test_xml_of_other_kinds_is_counted(head, tmp_path):
    found = read(str(voc(tmp_path / "v", head=head)))
    assert len(found.pictures) == 1
    assert found.faults.counts.total() == 1


def test_lists_of_voc_are_splits(tmp_path):
    voc(tmp_path / "v")
    (tmp_path / "v" / "ImageSets").mkdir()
    (tmp_path / "v" / "ImageSets" / "val.txt").write_text("a\n")
    assert [one.split for one in read(str(tmp_path / "v")).pictures] == ["val", ""]


def png(part):
    file = io.BytesIO()
    Image.fromarray(part.astype(np.uint8) * 255).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("shape, boxes, area", [
    ({"shape_type": "rectangle", "points": [[40, 60], [10, 20]]}, 1, None),
    ({"shape_type": "circle", "points": [[30, 30], [40, 30]]}, 1, 314),
    ({"shape_type": "mask", "points": [[10, 20], [39, 59]], "mask": png(np.ones((40, 30)))}, 1, 1200),
    ({"shape_type": "mask", "points": [[70, 20]], "mask": png(np.ones((40, 30)))}, 0, None),
    ({"shape_type": "mask", "points": [[10, 20]], "mask": "AAAA"}, 0, None),
    ({"shape_type": "linestrip"}, 0, None), ({"points": [[1, 2], [3, 4]]}, 0, None), ({"points": None}, 0, None),
    ({"label": None}, 0, None), ({"points": [[1, 2], [3, 4], ["x", 5]]}, 0, None),
])  # fmt: skip
def test_shapes_of_labelme(shape, boxes, area, tmp_path):
    found = read(str(labelme(tmp_path / "l", **shape)))
    one = found.pictures[0]
    assert len(one.boxes) == boxes
    assert found.faults.counts.total() == 1 - boxes
    assert bool(one.shapes) == (area is not None)
    if area and one.shapes[0].rings:
        assert abs(polygon.fill_all(one.shapes[0].rings, SIZE).sum() - area) < 5
    elif area:
        assert np.array_equal(rle.decode(one.shapes[0].runs, SIZE), mask())


def test_splits_of_coco_come_from_names_and_folders(tmp_path):
    for name in ("train/_annotations.coco.json", "valid/_annotations.coco.json"):
        (tmp_path / name).parent.mkdir()
        coco(tmp_path / name)
    assert [one.split for one in read(str(tmp_path)).pictures] == ["train", "train", "val", "val"]
    assert read(str(coco(tmp_path / "instances_test.json"))).pictures[0].split == "test"


def test_two_kinds_or_none_are_one_sentence(tmp_path):
    with pytest.raises(RequestError, match="no annotations"):
        read(str(tmp_path))
    coco(tmp_path / "c.json")
    voc(tmp_path)
    with pytest.raises(RequestError, match="several kinds"):
        read(str(tmp_path))
    with pytest.raises(RequestError, match="no such file"):
        read(str(tmp_path / "none"))


# ---------------------------------------------------------------- CVAT, and zips


def cvat(path, inside=""):
    points = ";".join(f"{x},{y}" for x, y in zip(RING[::2], RING[1::2], strict=True))
    shapes = inside or f'<polygon label="cyst" points="{points}"/><box label="node" xtl="1" ytl="2" xbr="3" ybr="4"/>'
    path.write_text(
        "<?xml version='1.0'?><annotations><version>1.1</version><meta><task><size>2</size></task></meta>"
        f'<image id="0" name="a.png" width="80" height="100">{shapes}</image>'
        '<image id="1" name="b.png" width="80" height="100" subset="val"/></annotations>'
    )
    return path


def test_cvat_gives_boxes_and_polygons(tmp_path):
    found = read(str(cvat(tmp_path / "annotations.xml")))
    first, second = found.pictures
    assert (found.kind, found.names) == ("CVAT", ("cyst", "node"))
    assert first.boxes.tolist() == [list(BOX), [1, 2, 3, 4]]
    assert first.box_names == ("cyst", "node")
    assert first.shapes[0].rings[0].reshape(-1).tolist() == RING
    assert (first.size, second.split, len(second.boxes)) == (SIZE, "val", 0)


@pytest.mark.parametrize("inside, times", [
    ('<box label="a" xtl="x" ytl="1" xbr="2" ybr="3"/>', 1), ('<polygon label="a" points="1,2;3,4"/>', 1),
    ('<polygon label="a" points="1,2;3,4;5"/>', 1), ('<points label="a" points="1,2"/><ellipse label="b"/>', 2),
    ('<box label="" xtl="0" ytl="1" xbr="2" ybr="3"/>', 1), ('<tag label="a"/>', 0),
    ('<box label="a" xtl="0" ytl="1" xbr="2" ybr="3" rotation="30"/>', 1),
])  # fmt: skip
def test_what_cvat_says_otherwise_is_counted(tmp_path, inside, times):
    found = read(str(cvat(tmp_path / "annotations.xml", inside)))
    assert sum(found.faults.counts.values()) == times
    assert not len(found.pictures[0].boxes)


def zipped(path, folder):
    import zipfile

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
        archive.writestr("images/a.png", b"no text, so it is left where it is")
    return path


@pytest.mark.parametrize("kind", ["COCO", "YOLO", "VOC", "CVAT"])
def test_a_zip_says_what_its_files_say(tmp_path, kind):
    folder = tmp_path / "plain"
    folder.mkdir()
    if kind == "YOLO":
        yolo(folder)
    elif kind == "VOC":
        voc(folder / "Annotations")
    else:
        (folder / "annotations").mkdir()
        (coco if kind == "COCO" else cvat)(folder / "annotations" / f"default.{'json' if kind == 'COCO' else 'xml'}")
    plain, packed = read(str(folder)), read(str(zipped(tmp_path / "x.zip", folder)))
    assert (packed.kind, packed.names, packed.files) == (kind, plain.names, (str(tmp_path / "x.zip"),))
    for one, other in zip(plain.pictures, packed.pictures, strict=True):
        assert (one.path, one.box_names, one.split, one.beside) == (
            other.path,
            other.box_names,
            other.split,
            other.beside,
        )
        assert (one.boxes == other.boxes).all()


@pytest.mark.parametrize("case", ["cut short", "nothing in it", "climbs out", "a bomb"])
def test_a_hostile_zip_is_one_sentence_and_leaves_nothing(tmp_path, monkeypatch, case):
    import zipfile

    from usfm.extract.annotations import zipped as zips

    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        name = {"climbs out": "../../evil.json", "nothing in it": "a.png"}.get(case, "a.json")
        archive.writestr(name, "{" + " " * 100_000)
    if case == "cut short":
        path.write_bytes(path.read_bytes()[:60])
    if case == "a bomb":
        monkeypatch.setattr(zips, "MOST_BYTES", 1000)
    with pytest.raises(RequestError) as error:
        read(str(path))
    assert "\n" not in str(error.value)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["x.zip"]
    assert not (tmp_path.parent / "evil.json").exists()
