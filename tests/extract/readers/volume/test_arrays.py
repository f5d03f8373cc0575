"""Arrays of NumPy, MATLAB and HDF5: every shape and order comes back, and nothing but numbers is ever loaded."""

import itertools
import pickle
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS

NOISE = np.random.default_rng(0)
SHAPES = {
    "picture": ((5, 6), "rc"),
    "colour picture": ((5, 6, 3), "rcC"),
    "clip": ((7, 5, 6), "frc"),
    "colour clip": ((7, 5, 6, 3), "frcC"),
    "clip of one channel": ((7, 5, 6, 1), "frcC"),
    "colours first": ((7, 3, 5, 6), "fCrc"),
    "volumes over time": ((2, 7, 5, 6), "fprc"),
}
MATLAB = {
    "picture": ((5, 6), "rc"),
    "colour picture": ((5, 6, 3), "rcC"),
    "clip": ((5, 6, 7), "rcf"),
    "colour clip": ((5, 6, 3, 7), "rcCf"),
    "volumes over time": ((5, 6, 7, 2), "rcpf"),
}


def frames_of(values, letters):
    """The frames of an array, by its letters alone."""
    order = [letters.index(one) for one in "fprcC" if one in letters]
    turned = values.transpose(order)
    lead = turned.shape[: sum(one in letters for one in "fp")]
    for index in itertools.product(*(range(size) for size in lead)):
        plane = turned[index]
        yield plane[..., 0] if plane.ndim == 3 and plane.shape[-1] == 1 else plane


def numbers(shape, dtype=np.uint8):
    return NOISE.integers(0, 256, shape).astype(dtype)


def same(got, values, letters):
    expected = list(frames_of(values, letters))
    assert len(got.pixels) == len(expected)
    assert all(np.array_equal(a, b) for a, b in zip(got.pixels, expected, strict=True))


@pytest.mark.parametrize("what", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i2", "<f4"])
def test_npy(tmp_path, taken, what, order, dtype):
    shape, letters = SHAPES[what]
    values = numbers(shape, dtype)
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))
    same(taken(tmp_path / "a.npy"), values, letters)


@pytest.mark.parametrize("axis", "012")
@pytest.mark.parametrize("order", ["C", "F"])
def test_an_axis_counts_as_in_numpy(tmp_path, taken, axis, order):
    values = numbers((7, 5, 6))
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))
    got = taken(tmp_path / "a.npy", axis=axis)
    assert np.array_equal(np.stack(got.pixels), np.moveaxis(values, int(axis), 0))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_by_name_and_alone(tmp_path, taken, save):
    clip, other = numbers((7, 5, 6)), numbers((3, 8, 9), "<u2")
    save(tmp_path / "a.npz", images=clip, labels=np.arange(7), more=other)
    probe = READERS["npy"].probe(Media(str(tmp_path / "a.npz")), stamps_above=1 << 40)
    assert [(one.item, one.frames) for one in probe.items] == [("/images", 7), ("/more", 3)]
    same(taken(tmp_path / "a.npz", item="/images"), clip, "frc")
    same(taken(tmp_path / "a.npz", item="/more"), other, "frc")
    save(tmp_path / "b.npz", images=clip, labels=np.arange(7))
    same(taken(tmp_path / "b.npz"), clip, "frc")


class Trap:
    """Whoever unpickles it is told so."""

    def __reduce__(self):
        return pytest.fail, ("a pickle ran",)


def test_pickles_never_run(tmp_path, taken):
    np.save(tmp_path / "a.npy", np.array([[Trap(), Trap()]] * 2, object), allow_pickle=True)
    np.savez(tmp_path / "b.npz", images=np.array([[Trap()]] * 2, object))
    for name in ("a.npy", "b.npz"):
        with pytest.raises(MediaError, match="pickled objects"):
            taken(tmp_path / name)
    (tmp_path / "c.npy").write_bytes(pickle.dumps(Trap()))
    assert not READERS["npy"].recognises((tmp_path / "c.npy").read_bytes())


@pytest.mark.parametrize("what", MATLAB)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "<i2", "<f8"])
def test_matlab_5(tmp_path, taken, what, packed, dtype):
    shape, letters = MATLAB[what]
    values = numbers(shape, dtype)
    scipy.io.savemat(tmp_path / "a.mat", {"images": values, "age": 7.0, "note": "words"}, do_compression=packed)
    same(taken(tmp_path / "a.mat"), values, letters)
    same(taken(tmp_path / "a.mat", item="/images"), values, letters)


def test_matlab_structs_and_cells_are_not_loaded(tmp_path, taken):
    cell = np.empty((2, 2), object)
    cell[:] = [[1, 2], [3, 4]]
    scipy.io.savemat(tmp_path / "a.mat", {"cell": cell, "struct": {"images": numbers((5, 6))}})
    for item in ("/cell", "/struct"):
        with pytest.raises(MediaError, match="unknown element type"):
            taken(tmp_path / "a.mat", item=item)


@pytest.mark.parametrize("what", SHAPES)
@pytest.mark.parametrize("options", [{}, {"chunks": True, "compression": "gzip"}, {"compression": "lzf"}])
def test_hdf5_by_path(tmp_path, taken, what, options):
    shape, letters = SHAPES[what]
    values = numbers(shape, ">u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("some/where/images", data=values, **options)
    same(taken(tmp_path / "a.h5", item="/some/where/images"), values, letters)


@pytest.mark.parametrize("what", MATLAB)
def test_matlab_7_3_has_the_order_of_matlab(tmp_path, taken, what):
    shape, letters = MATLAB[what]
    values = numbers(shape)
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=512) as file:
        file.create_dataset("images", data=values.transpose()).attrs["MATLAB_class"] = np.bytes_("uint8")
    with open(tmp_path / "a.mat", "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64")
    got = taken(tmp_path / "a.mat", item="/images")
    same(got, values, letters)
    assert got.notes.metadata["format"] == "MATLAB 7.3"


def test_nothing_outside_a_file_is_opened(tmp_path, taken):
    values = numbers((7, 5, 6))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = values
    (tmp_path / "secret.raw").write_bytes(bytes(210))
    layout = h5py.VirtualLayout((7, 5, 6), "u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", (7, 5, 6))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["link"] = h5py.ExternalLink("other.h5", "/images")
        file["soft"] = h5py.SoftLink("/group")
        file.create_group("group")["images"] = values
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("raw", (7, 5, 6), "u1", external=[(str(tmp_path / "secret.raw"), 0, 210)])
        file["words"] = [["a", "b"]]
    for item, reason in {
        "/link": "link elsewhere",
        "/soft/images": "link elsewhere",
        "/virtual": "link elsewhere",
        "/raw": "link elsewhere",
        "/group": "no such dataset",
        "/gone": "no such dataset",
        "/group/images/more": "no such dataset",
        "/group/../group/images": "no such dataset",
        "/words": "pickled objects",
        "": "no dataset named",
    }.items():
        with pytest.raises(MediaError) as caught:
            taken(tmp_path / "a.h5", item=item)
        assert caught.value.reason == reason, item


def test_sizes_that_lie(tmp_path, taken):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("empty", (10_000, 1000, 1000), "u1", chunks=(1, 1000, 1000))
        file.create_dataset("none", (0, 5, 6), "u1")
        file.create_dataset("wide", (2, 5, 6, 7, 8), "u1")
    for item, reason in {"/empty": "truncated", "/none": "truncated", "/wide": "not a picture"}.items():
        with pytest.raises(MediaError) as caught:
            taken(tmp_path / "a.h5", item=item)
        assert caught.value.reason == reason
    np.save(tmp_path / "a.npy", numbers((7, 5, 6)))
    data = (tmp_path / "a.npy").read_bytes()
    for shape, reason in (
        (b"(7, 5, 90)", "truncated"),
        (b"(-7, 5, 6)", "no pixels"),
        (b"(7, 5, x6)", "damaged header"),
    ):
        (tmp_path / "a.npy").write_bytes(data.replace(b"(7, 5, 6), } ", shape + b", }"))
        with pytest.raises(MediaError) as caught:
            taken(tmp_path / "a.npy")
        assert caught.value.reason == reason


def test_a_store_is_no_source(tmp_path, taken):
    from usfm.store.schema import FORMAT

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["format"] = FORMAT
        file["pixels"] = numbers((7, 5, 6))
    with pytest.raises(MediaError, match="a store of usfm"):
        taken(tmp_path / "a.h5", item="/pixels")


def test_a_zip_of_something_else_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("notes.txt", "words")
    assert not READERS["npy"].recognises((tmp_path / "a.zip").read_bytes())
