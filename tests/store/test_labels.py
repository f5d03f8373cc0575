"""Labels of every kind: the same rules for each row of the table, whatever it holds."""

import hashlib
import json

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.errors import RequestError
from usfm.imaging.framing import Framing
from usfm.store import labels
from usfm.store.assemble import assemble
from usfm.store.damage import Damaged
from usfm.store.dataset import Dataset
from usfm.store.labels import KINDS, Kind
from usfm.store.labels.masks import structure
from usfm.store.reader import Store
from usfm.store.schema import frame_id
from usfm.store.verify import verify
from usfm.store.writer import PartWriter


def test_the_same_parts_give_the_store_that_they_always_gave(build):
    """Content id and digests of all columns, as they were before kinds of label were objects."""
    with h5py.File(build([[0, 1], [2], [3]])[0].paths[0]) as file:
        digests = {name: value for name, value in json.loads(file.attrs["digests"]).items() if name != "@headings"}
        assert file.attrs["content_id"] == "c406d128a7eccc464d66a403612e392c87330f61ca04fbb70212a1983c6db770"
    text = json.dumps(digests, sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "a897eca4854e2c00"


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_says_what_it_is(name):
    kind = KINDS[name]
    assert kind.name == name
    assert kind.home in {row.path for row in kind.datasets}
    assert kind.within([row.path for row in kind.datasets])
    assert not kind.within([])
    assert kind.joined(kind.empty(), kind.empty())[0] == kind.empty()
    assert kind.columns({}, 3, kind.empty()) == {}


class Grade(Kind):
    """A kind that the store does not know yet: a grade from 0 to 5, in a group of its own."""

    name, home = "grade", "/labels/grade/value"
    datasets = (Dataset(home, "int8", "(N,)", "", "grade, -1 = none", -1),)

    def checked(self, given, head, shape):
        return int(given)

    def token(self, value, head):
        return f"g={value}"

    def columns(self, kept, frames, head):
        return {self.home: [kept.get(row, -1) for row in range(frames)]} if kept else {}

    def of_frame(self, file, row):
        found = int(file.column(self.home)[row])
        return found if found >= 0 else None


def test_a_new_kind_is_one_object_and_one_row(tmp_path, monkeypatch):
    """Written, put together, opened, read, copied, verified: nothing else of the store has to know it."""
    monkeypatch.setitem(KINDS, "grade", Grade())
    monkeypatch.setitem(labels._ROWS, Grade.home, Grade.datasets[0])
    parts = [PartWriter(), PartWriter()]
    for number, part in enumerate(parts):
        source = part.source(path=f"{number}", sha256=f"{number}" * 64, kind="image")
        grade = {"grade": 4} if number else {}
        part.frame(np.ones((4, 4), np.uint8), frame_id=f"{number}:0", source=source, index=0, time_s=0.0, **grade)
    store = stored(tmp_path / "s.h5", parts)
    assert [store.label(Grade(), row) for row in (0, 1)] == [None, 4]
    part = PartWriter(like=store)
    for row in (1, 0):
        part.copy(store, row)
    copied = stored(tmp_path / "c.h5", [part])
    assert [copied.label(Grade(), row) for row in (0, 1)] == [4, None]
    assert verify(copied.paths[0]).whole
    with h5py.File(copied.paths[0], "r+") as file:
        file["labels/grade/value"][0] = 3
    with pytest.raises(Damaged, match="grade"):
        Store(copied.paths)


NAMES = {"class_names": ("healthy", "ill"), "multi_names": ("stone", "sludge"), "box_names": ("lesion", "line"),
         "mask_names": ("liver", "vessel"), "score_runs": {"ill": "run-1"}}  # fmt: skip


def labels_of(index: int, shape: tuple[int, int], names: dict) -> dict:
    """What a frame has of every kind, by name; every third has nothing, every fourth only a part of it."""
    rng = np.random.default_rng(index)
    found = {
        "label": names["class_names"][index % 2],
        "split": ("train", "val")[index % 2],
        "multi": {names["multi_names"][index % 2]: 1},
        "mask": {name: rng.random(shape) < 0.3 for name in names["mask_names"]},
        "boxes": tuple(one[: index % 3] for one in ([[1, 1, 3.5, 4], [0, 2, 2, 3]], [*names["box_names"]], [index, 7])),
        "values": {"ef_percent": 50 + index / 3, "weeks": float(index)} if index % 2 else {"ef_percent": 0.1},
        "scores": {"ill": index / 7},
    }  # fmt: skip
    return {} if index % 3 == 2 else {k: v for at, (k, v) in enumerate(found.items()) if index % 4 != 3 or at % 2}


def part_of(numbers, names=NAMES, kind: str = "index", shape=(12, 10), contiguous: bool = False) -> PartWriter:
    part = PartWriter(**names, mask_kind=kind, contiguous=contiguous)
    for number in numbers:
        sha = f"{number:04x}" * 16
        source = part.source(path=f"{number}.mp4", sha256=sha, kind="video",
                             **({"dicom_regions": [{"x0": 1}]} if number % 2 else {}))  # fmt: skip
        for index in range(5):
            pixels = np.random.default_rng([number, index]).integers(0, 256, shape, np.uint8)
            part.frame(pixels, frame_id=frame_id(sha, index), source=source, index=index, time_s=0.0,
                       part=index if number == 2 else -1, **labels_of(number + index, shape, names))  # fmt: skip
    return part


def stored(path, parts) -> Store:
    named = []
    for at, part in enumerate(parts):
        named.append((str(at), path.with_suffix(f".{at}")))
        named[-1][1].write_bytes(part.to_bytes())
    assemble(path, named, step={"command": "test", "options": {}})
    return Store.open(path)


def by_name(store: Store, i: int) -> dict:
    """All labels of a frame by names, whatever the numbers are."""
    mask, (xyxy, classes), multi = store.label_mask(i), store.boxes(i), store.labels_multi()
    several = [] if multi is None else zip(store.multi_names, multi[i].tolist(), strict=True)
    label = store.labels_class()[i]
    return {
        "label": store.class_names[label] if label >= 0 else None,
        "split": store.split()[i],
        "multi": {name: value for name, value in several if value < 2},
        "mask": mask is not None and {n: structure(mask, k, store.mask_kind).tolist()
                                      for k, n in enumerate(store.mask_names)},
        "boxes": bool(store.has_boxes()[i]) and [xyxy.tolist(), [store.box_names[c] for c in classes],
                                                 store.instances(i).tolist()],
        "values": {n: store.values(n)[i] for n in store.value_names if not np.isnan(store.values(n)[i])},
        "scores": {n: store.scores(n)[i] for n in store.score_names if not np.isnan(store.scores(n)[i])},
        "part": int(store.column("part")[i]),
    }  # fmt: skip


def wanted(number: int, index: int, names: dict, kind: str, shape=(12, 10)) -> dict:
    given = labels_of(number + index, shape, names)
    planes = {name: given["mask"][name].copy() for name in names["mask_names"]} if "mask" in given else {}
    if kind == "index":
        for at, name in enumerate(names["mask_names"]):
            for later in names["mask_names"][at + 1 :]:
                if planes:
                    planes[name] &= ~given["mask"][later]
    xyxy, classes, instances = given.get("boxes", ([], [], []))
    return {
        "label": given.get("label"), "split": given.get("split", ""), "multi": given.get("multi", {}),
        "mask": bool(planes) and {name: plane.tolist() for name, plane in planes.items()},
        "boxes": "boxes" in given and [[list(map(float, box)) for box in xyxy], classes, instances],
        "values": given.get("values", {}),
        "scores": {name: np.float32(value) for name, value in given.get("scores", {}).items()},
        "part": index if number == 2 else -1,
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["index", "bits"])
@pytest.mark.parametrize("contiguous", [False, True])
def test_labels_of_every_kind_come_back(tmp_path, kind, contiguous):
    store = stored(tmp_path / "s.h5", [part_of(some, kind=kind, contiguous=contiguous) for some in ([0, 1], [2], [3])])
    for number in range(4):
        for index in range(5):
            assert by_name(store, number * 5 + index) == wanted(number, index, NAMES, kind)
    assert verify(store.paths[0]).whole
    assert store.source_column("dicom_regions").tolist() == ["", '[{"x0": 1}]', "", '[{"x0": 1}]']
    assert store.score_runs == {"ill": "run-1"}
    rows = np.flatnonzero(store.has_masks())
    assert (store.masks(rows) == np.stack([store.label_mask(i) for i in rows])).all()
    with h5py.File(store.paths[0]) as file:
        attributes = dict(file["labels/masks"].attrs)
        assert (list(attributes["names"]), attributes["kind"]) == (["liver", "vessel"], kind)
        assert attributes.get("ignore") == (255 if kind == "index" else None)
        assert (file["labels/masks/12x10"].chunks is None) == contiguous
        assert dict(file["labels/score/ill"].attrs)["origin"] == "predicted"


OTHER = {"class_names": ("odd", "ill"), "multi_names": ("polyp", "stone"), "box_names": ("line", "spot"),
         "mask_names": ("vessel", "bone"), "score_runs": {"odd": "run-2"}}  # fmt: skip


@pytest.mark.parametrize("kind", ["index", "bits"])
def test_stores_that_number_otherwise_are_joined_by_name_and_stay_so_when_copied(tmp_path, kind):
    def named(numbers, names, file):
        names = {**names, "score_runs": {"ill": "run-1", **names["score_runs"]}}
        return stored(tmp_path / file, [part_of(numbers, names, kind)])

    one, two = named([0, 1], NAMES, "a.h5"), named([2, 3], OTHER, "b.h5")
    both = Store.open([*one.paths, *two.paths])
    part = PartWriter(like=both)
    for row in range(len(both)):
        part.copy(both, row)
    copied = stored(tmp_path / "c.h5", [part])
    whole = [[by_name(store, i) for i in range(len(store))] for store in (one, two, both, copied)]

    def known(found: dict) -> dict:  # names that only the other store has are absent from each mask
        mask = found["mask"] and {name: plane for name, plane in found["mask"].items() if np.any(plane)}
        return {**found, "mask": mask}

    assert [known(one) for one in whole[2]] == [known(one) for one in whole[0] + whole[1]]
    assert whole[3] == whole[2]
    assert both.mask_names == ["liver", "vessel", "bone"]
    rows = np.flatnonzero(both.has_masks())
    assert (both.masks(rows) == copied.masks(rows)).all()
    tokens = [store.files()[0].label_token(row) for store in (one, two) for row in range(len(store))]
    assert [copied.files()[0].label_token(row) for row in range(len(copied))] == tokens
    assert verify(copied.paths[0]).whole


def test_masks_that_cannot_be_one_are_refused_in_one_sentence(tmp_path):
    bits = stored(tmp_path / "a.h5", [part_of([0], kind="bits")])
    index = stored(tmp_path / "b.h5", [part_of([1])])
    unnamed = stored(tmp_path / "c.h5", [plain_mask()])
    for one, other, words in ((bits, index, "by bit"), (index, unnamed, "names in one and none")):
        with pytest.raises(RequestError, match=words):
            Store.open([*one.paths, *other.paths]).require(labels=True)
    Store.open([*bits.paths, *index.paths]).require()  # who asks for no labels is not refused


def plain_mask() -> PartWriter:
    part = PartWriter()
    source = part.source(path="x", sha256="f" * 64, kind="image")
    part.frame(
        np.ones((4, 4), np.uint8), frame_id="f:0", source=source, index=0, time_s=0.0, mask=np.ones((4, 4), bool)
    )
    return part


def test_scores_of_two_runs_are_not_mixed(tmp_path):
    one = stored(tmp_path / "a.h5", [part_of([0])])
    two = stored(tmp_path / "b.h5", [part_of([1], NAMES | {"score_runs": {"ill": "run-2"}})])
    with pytest.raises(RequestError, match="different runs"):
        Store.open([*one.paths, *two.paths]).scores("ill")


def test_a_store_without_new_columns_says_so(build):
    store = build([[0]])[0]
    assert (store.mask_names, store.mask_kind, store.value_names, store.score_names) == ([], "index", [], [])
    assert set(store.column("part")) == {-1}
    assert set(store.column("views")) == {0}
    assert store.instances(1).tolist() == [-1]
    with pytest.raises(KeyError, match="there are none"):
        store.values("ef")


@pytest.mark.parametrize("odd", [
    {"mask": {"bone": np.zeros((12, 10), bool)}}, {"mask": {"liver": np.zeros((2, 2), bool)}},
    {"mask": np.full((12, 10), 3, np.uint8)}, {"values": {"a/b": 1.0}}, {"values": {"": 1.0}},
    {"values": {"a": np.inf}}, {"scores": {"other": 1.0}},
    {"boxes": ([[0, 0, 1, 1]], [0], [1, 2])},
    {"boxes": ([[0, 0, 1, np.nan]], [0])},
])  # fmt: skip
def test_what_no_store_can_hold_is_refused(odd):
    part = PartWriter(**NAMES)
    source = part.source(path="x", sha256="f" * 64, kind="image")
    with pytest.raises(ValueError):
        part.frame(np.ones((12, 10), np.uint8), frame_id="f:0", source=source, index=0, time_s=0.0, **odd)


@pytest.mark.parametrize("names, kind", [(["a"] * 2, "index"), ([str(k) for k in range(9)], "bits"), (["a"], "planes")])
def test_names_that_masks_cannot_hold(names, kind):
    with pytest.raises(ValueError):
        PartWriter(mask_names=names, mask_kind=kind)


def test_a_changed_mask_is_seen_in_bulk_too(tmp_path):
    store = stored(tmp_path / "s.h5", [part_of([0], contiguous=True)])
    with h5py.File(store.paths[0], "r+") as file:
        file["labels/masks/12x10"][0, 3, 3] ^= 1
    with pytest.raises(Damaged, match="label mask"):
        Store(store.paths).masks(np.flatnonzero(store.has_masks()))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_masks_and_boxes_move_within_half_a_pixel(data):
    """A lesion over whole pixels: after any crop and letterbox its box is exact, and its mask's edges are beside it."""
    height, width = data.draw(st.integers(8, 90)), data.draw(st.integers(8, 90))

    def span(side: int, least: int) -> tuple[int, int]:
        first = data.draw(st.integers(0, side - least))
        return first, data.draw(st.integers(first + least, side))

    (top, bottom), (left, right) = span(height, 1), span(width, 1)
    (row, end), (col, stop) = span(height, 4), span(width, 4)
    framing = Framing.for_box((row, col, end, stop), data.draw(st.integers(8, 120)))
    mask = np.zeros((height, width), np.uint8)
    mask[top:bottom, left:right] = 2
    moved = KINDS["mask"].moved(mask, framing)
    box, _ = KINDS["boxes"].moved((np.array([[left, top, right, bottom]], np.float32), np.zeros(1)), framing)
    inside = [max(left, col), max(top, row), min(right, stop), min(bottom, end)]
    if inside[0] >= inside[2] or inside[1] >= inside[3]:
        assert not moved.any()
        return
    origin = np.array([*framing.origin_px[::-1]] * 2)
    true = (np.array(inside) - origin) * framing.scale
    rows, cols = np.flatnonzero((moved == 2).any(1)), np.flatnonzero((moved == 2).any(0))
    assert set(np.unique(moved)) <= {0, 2}
    if len(rows):
        found = np.array([cols[0], rows[0], cols[-1] + 1, rows[-1] + 1])
        assert np.abs(found - true).max() <= 0.5 + 1e-3
    else:
        assert (true[2:] - true[:2]).min() <= 1  # thinner than a pixel
    whole = np.clip((np.array([left, top, right, bottom]) - origin) * framing.scale, 0, framing.out_height_px)
    assert np.abs(box[0] - whole).max() < 1e-3
