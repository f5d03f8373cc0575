"""Every reader keeps every promise of the contract: one test for all rows of the table."""

import json

import h5py
import nibabel
import numpy as np
import pytest
import scipy.io

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import HEAD_BYTES, Frame, Notes, Probe
from usfm.extract.readers.unread import Unread
from usfm.extract.sampling import Sampling
from usfm.imaging.kinds import KINDS

EVERY = Sampling(None)
NOISE = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
SIZES = b"DimSize = 64 48 3\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"


def _volume(make, name, head):
    path = make("tmp_path") / name
    path.write_bytes(head + np.stack([NOISE, NOISE[::-1], 255 - NOISE]).tobytes())
    return path


def _nifti(make):
    header = nibabel.Nifti1Header()
    header.set_data_shape((64, 48, 3))
    header.set_data_dtype(np.uint8)
    header["vox_offset"] = 352
    return _volume(make, "example.nii", header.binaryblock + bytes(4))


def _dicom(make):
    """Three gray frames without compression."""
    bench, path = make("bench"), make("tmp_path") / "example.dcm"
    frames = np.stack([NOISE] * 3)
    return bench.save(path, bench.data_set(NumberOfFrames=3, FrameTime=40.0), "1.2.840.10008.1.2.1", frames.tobytes())


def _hdf5(path, clip):
    with h5py.File(path, "w") as file:
        file["clip"] = clip


def _saved(make, name, save):
    path = make("tmp_path") / name
    save(path, np.stack([NOISE, NOISE[::-1], 255 - NOISE]))
    return path


EXAMPLES = {
    "dicom": _dicom,
    "video": lambda make: make("make_video")("example.mp4", frames=12),
    "metaimage": lambda make: _volume(make, "example.mha", b"ObjectType = Image\nNDims = 3\n" + SIZES),
    "nifti": _nifti,
    "nrrd": lambda make: _volume(
        make, "example.nrrd", b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 64 48 3\nencoding: raw\n\n"
    ),
    "npy": lambda make: _saved(make, "example.npy", np.save),
    "matlab": lambda make: _saved(make, "example.mat", lambda path, clip: scipy.io.savemat(path, {"clip": clip})),
    "hdf5": lambda make: _saved(make, "example.h5", _hdf5),
    "image": lambda make: make("make_still")("example.png", NOISE),
}
"""Kind of reader -> a function that makes a small file of it, given the fixtures by name."""
ITEMS = {"hdf5": "/clip"}
"""What is named in a file that is read only by the name of something in it."""


def media(example, kind):
    return Media(str(example), ITEMS.get(kind, ""))


@pytest.fixture
def example(request, kind):
    return EXAMPLES[kind](request.getfixturevalue)


def test_every_reader_has_an_example_and_a_row_of_its_own():
    assert {kind for kind, reader in READERS.items() if not isinstance(reader, Unread)} == set(EXAMPLES)
    assert all(reader.kind == kind for kind, reader in READERS.items())
    assert all(each.startswith(".") and each == each.lower() for one in READERS.values() for each in one.suffixes)


@pytest.mark.parametrize("kind", [kind for kind, reader in READERS.items() if isinstance(reader, Unread)])
def test_a_known_format_without_reader_refuses_in_a_sentence(kind):
    with pytest.raises(MediaError, match="no reader for"):
        READERS[kind].probe(Media("nowhere"), stamps_above=1)
    with pytest.raises(MediaError, match="no reader for"):
        READERS[kind].read(Media("nowhere"), EVERY, Notes())


@pytest.mark.parametrize("kind", EXAMPLES)
class TestEveryReader:
    def test_it_knows_its_own_files_and_no_others(self, kind, example):
        head = example.read_bytes()[:HEAD_BYTES]
        assert [name for name, reader in READERS.items() if reader.recognises(head, example.suffix)] == [kind]
        for foreign in (
            b"",
            b"\0",
            b"plain words, and more of them " * 30,
            bytes(HEAD_BYTES),
            b"\x89HDF\r\n\x1a\n" * 9 if kind != "hdf5" else b"HDF" * 9,
        ):
            assert not READERS[kind].recognises(foreign)
            assert not READERS[kind].recognises(foreign, example.suffix)

    def test_a_probe_fits_what_is_read(self, kind, example):
        probe, notes = READERS[kind].probe(media(example, kind), stamps_above=1 << 30), Notes()
        frames = list(READERS[kind].read(media(example, kind), EVERY, notes))
        assert isinstance(probe, Probe)
        assert probe.stamps == ()
        assert notes.frames == len(frames) <= probe.frames
        assert all(isinstance(frame, Frame) and frame.pixels.dtype == np.uint8 for frame in frames)
        assert all(frame.pixels.shape[:2] == (probe.height, probe.width) for frame in frames)
        assert [frame.index for frame in frames] == list(range(len(frames)))
        assert {notes.kind, *(frame.kind for frame in frames)} <= {"", *KINDS}
        assert json.loads(json.dumps([notes.metadata, notes.dicom_regions])) == [notes.metadata, notes.dicom_regions]

    def test_reading_twice_gives_the_same(self, kind, example):
        first, second = (list(READERS[kind].read(media(example, kind), EVERY, Notes())) for _ in range(2))
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))

    def test_a_limit_stops_early(self, kind, example):
        assert len(list(READERS[kind].read(media(example, kind), Sampling(None, limit=1), Notes()))) == 1

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
    def test_a_broken_file_is_a_media_error_whose_words_name_no_file(self, kind, example, share):
        data = example.read_bytes()
        example.write_bytes(data[: max(int(len(data) * share), 12)])
        reader = READERS[kind]

        def look_and_read():
            reader.probe(media(example, kind), stamps_above=1 << 30)
            list(reader.read(media(example, kind), EVERY, Notes()))

        with pytest.raises(MediaError) as caught:
            look_and_read()
        assert caught.value.reason
        assert str(example.parent) not in str(caught.value)
        assert example.name not in str(caught.value)
