"""A table of stores that were made to do harm, or that a careless tool has written: name -> what is done to the file.

Each attack changes an open HDF5 file; whoever opens the result must refuse it in one sentence. `RESEALED` attacks also
mend the digests, as a forger would, so that only the checks of types, ranges and references stand in their way.
"""

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

_TEXT = h5py.string_dtype()
Attack = Callable[[h5py.File], object]


def attack(name: str, store: Path, out: Path) -> bool:
    """Write an attacked copy of a store; False where the store has not what the attack changes."""
    shutil.copy(store, out)
    with h5py.File(out, "r+", libver=("earliest", "v110")) as file:
        if ATTACKS[name](file) is False:
            return False
        if name in RESEALED:
            reseal(file)
    return True


def reseal(file: h5py.File) -> None:
    """Make all digests of columns and names fit what the file holds now, as far as it can be read."""
    from usfm.store import seal

    found = json.loads(file.attrs["digests"])
    for path in [one for one in found if one.startswith("/")]:
        if path not in file or not isinstance(file[path], h5py.Dataset):
            del found[path]
        elif math.prod(file[path].shape) < 1 << 20:
            values = file[path][()]
            found[path] = seal.column_digest(np.asarray(values).reshape(-1))
    named = ("/labels/class", "/labels/boxes/class")
    names = [list(file[path].attrs["names"]) if path in file else [] for path in named]
    attributes = file["patches/coverage"].attrs if "patches/coverage" in file else {}
    patch = (attributes["size_px"], attributes["patch_px"]) if "size_px" in attributes else None
    found |= {key: value for key, value in _later(file).items() if key in found}
    found |= seal.name_digests(
        {"class names": names[0], "box names": names[1], "patch": patch and list(map(int, patch))}
    )
    found.pop("@headings", None)
    file.attrs["digests"] = json.dumps(found)


def _later(file: h5py.File) -> dict[str, str]:
    """Digests of the names that masks, scores and several classes have."""
    from usfm.store import seal

    masks = file["labels/masks"].attrs if "labels/masks" in file else {}
    runs = file["labels/score"] if "labels/score" in file else {}
    names = {
        "multi names": list(file["labels/multi"].attrs["names"]) if "labels/multi" in file else [],
        "mask names": [str(masks.get("kind")), *(str(name) for name in masks.get("names", []))],
        "score runs": {name: str(runs[name].attrs["run"]) for name in runs},
    }
    return seal.name_digests(names)


def _put(path: str, values, **options) -> Attack:
    """Replace a dataset."""

    def change(file: h5py.File):
        if path not in file:
            return False
        data = values(file) if callable(values) else values
        del file[path]
        return file.create_dataset(path, data=data, **options)

    return change


def _texts(path: str, value: str | bytes) -> Attack:
    """Replace a column of text by one in which each row is the same."""
    return _put(path, lambda file: np.array([value] * len(file[path]), object), dtype=_TEXT)


def _set(path: str, value, row: int = 0) -> Attack:
    """Change one value."""

    def change(file: h5py.File):
        if path not in file or not len(file[path]):
            return False
        file[path][row] = value
        return None

    return change


def _delete(path: str) -> Attack:
    def change(file: h5py.File):
        if path not in file:
            return False
        del file[path]
        return None

    return change


def _as(path: str, dtype) -> Attack:
    """The same values as another type."""
    return _put(path, lambda file: np.zeros(file[path].shape, dtype))


def _cut(path: str) -> Attack:
    return _put(path, lambda file: file[path][:-1])


def _attribute(name: str, value, path: str = "/") -> Attack:
    def change(file: h5py.File):
        if path not in file:
            return False
        file[path].attrs[name] = value
        return None

    return change


def _link(path: str, link) -> Attack:
    def change(file: h5py.File):
        if path not in file:
            return False
        del file[path]
        file[path] = link
        return None

    return change


def _external(path: str) -> Attack:
    """Values that lie in another file, as if they were the store's own."""

    def change(file: h5py.File):
        if path not in file:
            return False
        shape, dtype = file[path].shape, file[path].dtype
        del file[path]
        file.create_dataset(path, shape, dtype, external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
        return None

    return change


def _virtual(path: str) -> Attack:
    def change(file: h5py.File):
        if path not in file:
            return False
        shape, dtype = file[path].shape, file[path].dtype
        del file[path]
        layout = h5py.VirtualLayout(shape, dtype)
        layout[:] = h5py.VirtualSource("/tmp/other.h5", "data", shape=shape, dtype=dtype)
        file.create_virtual_dataset(path, layout)
        return None

    return change


def _huge(path: str, shape: tuple, dtype, **options) -> Attack:
    """A shape that the file has no bytes for."""

    def change(file: h5py.File):
        if path not in file:
            return False
        del file[path]
        file.create_dataset(path, shape, dtype, **options)
        return None

    return change


def _group(file: h5py.File, parent: str = "pixels") -> h5py.Dataset:
    return next(iter(file[parent].values()))


def _pixels(change: Callable[[h5py.File, h5py.Dataset], object]) -> Attack:
    return lambda file: change(file, _group(file))


def _replace_pixels(file: h5py.File, old: h5py.Dataset, **options) -> None:
    name, shape = old.name, old.shape
    del file[name]
    file.create_dataset(name, options.pop("shape", shape), options.pop("dtype", "u1"), **options)


def _bomb(file: h5py.File, old: h5py.Dataset):
    """A chunk that inflates to a thousand times what its row holds."""
    import zlib

    if old.chunks is None:
        return False
    old.id.write_direct_chunk((0,) * old.ndim, zlib.compress(bytes(1 << 27), 9), 0)
    return None


def _committed(file: h5py.File):
    file["kind"] = np.dtype("int32")
    count = len(file["frames/source"])
    del file["frames/source"]
    file.create_dataset("frames/source", (count,), file["kind"], data=np.zeros(count, np.int32))


def _rename(old: str, new: str) -> Attack:
    return lambda file: file.move(old, new)


def _more_text(path: str) -> Attack:
    return lambda file: file.create_dataset(path, data=["x"] * len(file["sources/path"]), dtype=_TEXT)


def _out(path: str) -> Attack:
    return _link(path, h5py.ExternalLink("other.h5", "/x"))


def _no_group(file: h5py.File) -> None:
    del file["pixels"]
    file["pixels"] = 3


def _references(file: h5py.File) -> None:
    count = len(file["frames/index"])
    del file["frames/index"]
    file.create_dataset("frames/index", data=np.array([file.ref] * count, h5py.ref_dtype), dtype=h5py.ref_dtype)


PLAIN: dict[str, Attack] = {
    **{f"{path} is missing": _delete(path) for path in (
        "frames", "frames/frame_id", "frames/source", "frames/scale", "frames/digest", "sources", "sources/path",
        "sources/hospital", "pixels", "regions", "regions/mask", "regions/key", "overlay/mask_row", "labels/class",
        "labels/masks", "labels/mask_digest", "labels/value/ef", "labels/boxed", "labels/boxes/offsets",
        "patches", "dropped", "rejected",
        "parts", "parts/digest")},
    **{f"{path} is another type": _as(path, dtype) for path, dtype in (
        ("frames/source", "f8"), ("frames/index", "S4"), ("frames/time_s", "i8"), ("frames/frame_id", "i8"),
        ("frames/height", ">i4"), ("sources/fps", "f4"), ("regions/confidence", "c16"), ("labels/class", "u1"),
        ("labels/boxes/xyxy_px", "f8"), ("labels/value/ef", "f4"), ("labels/score/ill", "f8"),
        ("patches/coverage", "f4"), ("parts/rows", "i4"),
        ("frames/digest", "S4"), ("frames/region_row", [("a", "i4"), ("b", "i4")]))},
    **{f"{path} is a row short": _cut(path) for path in (
        "frames/frame_id", "frames/time_s", "sources/patient", "regions/extra", "overlay/key", "labels/split",
        "labels/multi", "labels/boxes/class", "labels/boxes/instance",
        "labels/score/ill", "dropped/kept_by", "rejected/reason", "parts/name", "patches/coverage")},
    **{f"{path} is a link out of the file": _out(path) for path in (
        "frames/scale", "frames", "sources/path", "pixels", "labels/class", "labels/value", "regions/mask", "parts")},
    **{f"{path} is a soft link": _link(path, h5py.SoftLink("/frames/index"))
       for path in ("frames/time_s", "parts/rows")},
    **{f"{path} lies in another file": _external(path)
       for path in ("frames/index", "labels/class", "regions/apex_x_px")},
    **{f"{path} is virtual": _virtual(path) for path in ("frames/index", "parts/rows")},
    "pixels lie in another file": _pixels(lambda file, old: _external(old.name.strip("/"))(file)),
    "pixels are virtual": _pixels(lambda file, old: _virtual(old.name.strip("/"))(file)),
    "pixels are a link": _pixels(lambda file, old: _out(old.name.strip("/"))(file)),
    "pixels are float": _pixels(lambda file, old: _replace_pixels(file, old, dtype="f4")),
    "pixels are wider": _pixels(lambda file, old: _replace_pixels(file, old, shape=(*old.shape[:2], 4000))),
    "pixels have more rows": _pixels(lambda file, old: _replace_pixels(
        file, old, shape=(10**12, *old.shape[1:]), chunks=(1, *old.shape[1:]), compression="gzip")),
    "pixels have huge frames": _pixels(lambda file, old: (file.__delitem__(old.name), file.create_dataset(
        "pixels/999999x999999", (1, 999999, 999999), "u1", chunks=(1, 9999, 9999), compression="gzip"))),
    "pixels have a filter of their own": _pixels(lambda file, old: _replace_pixels(
        file, old, chunks=(1, *old.shape[1:]), compression="lzf")),
    "pixels are shuffled": _pixels(lambda file, old: _replace_pixels(
        file, old, chunks=(1, *old.shape[1:]), compression="gzip", shuffle=True)),
    "pixels were never written": _pixels(lambda file, old: _replace_pixels(
        file, old, chunks=(1, *old.shape[1:]), compression="gzip")),
    "pixels are in chunks of many rows": _pixels(lambda file, old: _replace_pixels(
        file, old, chunks=old.shape, compression="gzip")),
    "pixels inflate without end": _pixels(_bomb),
    "pixels changed": _pixels(lambda file, old: old.__setitem__((0, 5, 5), 255 - old[0, 5, 5])),
    "pixels have an odd name": _pixels(lambda file, old: file.move(old.name, "pixels/8x")),
    "a group of pixels is a dataset": _no_group,
    "a trillion frames": _huge("frames/frame_id", (10**12,), "S21"),
    "a trillion labels": _huge("labels/class", (10**12,), "i4", chunks=(1 << 20,)),
    "one text of a gigabyte": _huge("frames/kind", (12,), "S1073741824"),
    "a committed type": _committed,
    "object references": _references,
    "a region mask changed": lambda file: _group(file, "regions/mask").__setitem__((0, 3), 77),
    "a label mask changed": lambda file: _group(file, "labels/masks").__setitem__((0, 9, 9), 2),
    "text is not UTF-8": _texts("sources/path", b"\xff\xfe"),
    "JSON is garbage": _texts("sources/metadata", "{"),
    "history is garbage": _attribute("history", np.array(["{{{"], object)),
    "history is a number": _attribute("history", 3),
    "history is a list of numbers": _attribute("history", [1, 2]),
    "history changed": _attribute("history", np.array(['{"command": "clean"}'], object)),
    "digests are garbage": _attribute("digests", "[1"),
    "digests are a number": _attribute("digests", 1),
    "content_id is a number": _attribute("content_id", 1.5),
    "content_id changed": _attribute("content_id", "0" * 64),
    "format changed": _attribute("format", "usfm-stale"),
    "format is a number": _attribute("format", [1, 2]),
    "version is text": _attribute("version", "one"),
    "version is 0": _attribute("version", 0),
    "version is newer": _attribute("version", 99),
    "names are numbers": _attribute("names", [1, 2, 3], "labels/class"),
    "names changed": _attribute("names", np.array(["ill", "healthy", "unused"], object), "labels/class"),
    "an unused name changed": _attribute("names", np.array(["healthy", "ill", "other"], object), "labels/class"),
    "names of structures changed": _attribute("names", np.array(["lesion", "wall"], object), "labels/masks"),
    "the run of a score changed": _attribute("run", "run-2", "labels/score/ill"),
    "the patch is zero": _attribute("patch_px", 0, "patches/coverage"),
    "a column is renamed": _rename("frames/scale", "frames/scald"),
    "a manifest column is renamed": _rename("sources/hospital", "sources/hospitals"),
    "a manifest column appears": _more_text("sources/more"),
}  # fmt: skip
"""Attacks that leave the digests as they were."""

RESEALED: dict[str, Attack] = {
    **{f"{path} is {value}": _set(path, value) for path, value in (
        ("frames/source", -1), ("frames/source", 10**6), ("frames/pixels_row", -1), ("frames/pixels_row", 10**9),
        ("frames/pixels_row", 1), ("frames/region_row", -2), ("frames/region_row", 999), ("frames/overlay_row", 999),
        ("frames/height", 0), ("frames/height", -5), ("frames/width", 2**31 - 1), ("frames/scale", np.nan),
        ("frames/scale", 0.0), ("frames/scale", np.inf), ("frames/time_s", np.inf), ("frames/crop_row_px", np.nan),
        ("frames/row_spacing_mm", -1.0), ("frames/pixels_group", b"9x9"), ("frames/digest", b"zzzzzzzzzzzzzzzz"),
        ("sources/fps", np.inf), ("sources/fps", -1.0), ("sources/copy", -1), ("regions/confidence", 9.0),
        ("regions/mask_row", 99), ("regions/mask_row", -1), ("regions/mask_group", b"../48x"), ("overlay/mask_row", 99),
        ("labels/class", 3), ("labels/class", -2), ("labels/mask_row", 99), ("labels/mask_row", -2),
        ("labels/boxes/class", 9), ("labels/boxed", 7), ("labels/boxes/instance", -5), ("labels/value/ef", np.inf),
        ("labels/score/ill", -np.inf), ("frames/part", -7), ("frames/views", -1),
        ("dropped/similarity", 50.0), ("parts/first_row", 3),
        ("parts/rows", -1), ("parts/rows", 2**62), ("parts/digest", b"0" * 64))},
    "a name comes twice": lambda file: file["frames/frame_id"].__setitem__(1, file["frames/frame_id"][0]),
    "a frame is dropped as well": lambda file: file["dropped/frame_id"].__setitem__(0, file["frames/frame_id"][0]),
    "boxes go backwards": _set("labels/boxes/offsets", 3, 1),
    "boxes begin late": _set("labels/boxes/offsets", 1, 0),
    "boxes end beyond": _set("labels/boxes/offsets", 10**6, -1),
    "a box is no number": _set("labels/boxes/xyxy_px", np.nan),
    "multi is 7": _set("labels/multi", 7),
    "masks are of another kind": _attribute("kind", "planes", "labels/masks"),
    "the kind of masks is a number": _attribute("kind", 3, "labels/masks"),
    "two structures have one name": _attribute("names", np.array(["wall", "wall"], object), "labels/masks"),
    "too many structures": _attribute("names", np.array([str(k) for k in range(300)], object), "labels/masks"),
    "the run of a score is a number": _attribute("run", 7, "labels/score/ill"),
    "regions of DICOM are no list": _texts("sources/dicom_regions", "{}"),
    "coverage is 2": _set("patches/coverage", 2.0),
    "metadata is a list": _texts("sources/metadata", "[]"),
    "metadata is deep": _texts("sources/metadata", "[" * 99999),
    "metadata has odd regions": _texts("sources/metadata", '{"regions": [{"x0": "a"}]}'),
    "extra has odd views": _texts("regions/extra", '{"views": [{"a": 1}]}'),
    "details are text": _texts("overlay/detail", '{"filled_px": "many"}'),
    "a patient is not UTF-8": _put("sources/patient", lambda file: [b"\xe9"] * len(file["sources/path"])),
    "two classes have one name": _attribute("names", np.array(["ill", "ill", "unused"], object), "labels/class"),
    "no class has a name": _attribute("names", np.array([], _TEXT), "labels/class"),
    "geometry is upside down": lambda file: (file["regions/apex_x_px"].__setitem__(0, 4.0),
                                             file["regions/radius_1_px"].__setitem__(0, -3.0)),
}  # fmt: skip
"""Attacks that mend the digests of columns; those of the parts stay as they were, unless nobody looks at them."""

ATTACKS = PLAIN | RESEALED
