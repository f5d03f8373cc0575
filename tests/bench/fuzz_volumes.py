"""Spoil files of volumes and arrays, read them, and count what must not be: a traceback, a hang, memory without bound.

    python tests/bench/fuzz_volumes.py --files 3000 --seed 1

Each trial spoils one good file of a format (bytes, ends, words of a text header, numbers of a binary one; a packed file
also inside its packing), looks at it and reads it along some axis. It must be read, or rejected with a `MediaError`.
"""

import argparse
import collections
import functools
import gzip
import re
import resource
import signal
import sys
import tempfile
import time
import warnings
import zlib
from pathlib import Path

import numpy as np

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS, recognised
from usfm.extract.readers.contract import HEAD_BYTES, Notes, Options
from usfm.extract.sampling import Sampling

LIMIT_S = 10
LIMIT_BYTES = 4 << 30
"""Address space; a size bomb meets it before it meets the machine."""
WORDS = [b"0", b"-1", b"7", b"1000000", b"999999999", b"99999999999999999999", b"1e300", b"nan", b"", b"x", b"LOCAL"]
NUMBERS = [0, 1, 2, 7, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
CUBE = np.random.default_rng(0).integers(0, 200, (4, 20, 30))


def _mha(dtype: str, *, packed: bool = False, data: str = "LOCAL", fields: str = "") -> dict[str, bytes]:
    word = {"u1": "UCHAR", "<i2": "SHORT", "<f4": "FLOAT"}[dtype]
    body = CUBE.astype(dtype).tobytes()
    body = zlib.compress(body) if packed else body
    head = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = {packed}\nDimSize = 30 20 4\n{fields}"
        f"ElementSpacing = 0.2 0.3 1\nElementType = MET_{word}\nElementDataFile = {data}\n"
    ).encode()
    return {"v.mha": head + body} if data == "LOCAL" else {"v.mhd": head, data: body}


def _saved(make, name: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        make(f"{folder}/{name}")
        found = {one.name: one.read_bytes() for one in Path(folder).iterdir()}
    return dict(sorted(found.items(), key=lambda item: item[0] != name))


def _nrrd(encoding: str, name: str = "v.nrrd") -> dict[str, bytes]:
    import nrrd

    values = CUBE.transpose(2, 1, 0).astype("u1" if encoding == "raw" else "<i2")
    header = {"encoding": encoding, "space directions": np.diag([0.2, 0.2, 1.0]), "space dimension": 3}
    return _saved(lambda path: nrrd.write(path, values, header), name)


def _nifti(name: str, dtype: str) -> dict[str, bytes]:
    import nibabel

    values = CUBE.transpose(2, 1, 0).astype(dtype)
    return _saved(lambda path: nibabel.save(nibabel.Nifti1Image(values, np.diag([0.2, 0.2, 1, 1])), path), name)


SEQUENCE = "Kinds = domain domain list\nUltrasoundImageOrientation = UFA\n" + "".join(
    f"Seq_Frame{n:04}_Timestamp = {n / 4}\nSeq_Frame{n:04}_ImageStatus = OK\n"
    f"Seq_Frame{n:04}_ProbeToTrackerTransform = 1 0 0 1 0 1 0 1 0 0 1 1 0 0 0 1\n"
    for n in range(4)
)


def _array(kind: str) -> dict[str, bytes]:
    """A small file of arrays of one kind."""
    import h5py
    import scipy.io

    clip = CUBE.astype("<u2" if kind.endswith("2") else "u1")

    def hdf5(path: str) -> None:
        with h5py.File(path, "w", userblock_size=512 if "block" in kind else 0) as file:
            file.create_dataset(
                "clip", data=clip, **({} if "flat" in kind else {"chunks": True, "compression": "gzip"})
            )

    name, make = {
        "npy": ("v.npy", lambda path: np.save(path, clip)),
        "npz": ("v.npz", lambda path: np.savez(path, clip=clip, other=clip, name="x")),
        "npz_packed": ("v.npz", lambda path: np.savez_compressed(path, clip=clip)),
        "mat": ("v.mat", lambda path: scipy.io.savemat(path, {"clip": clip, "s": {"a": 1.0}})),
        "mat_packed": ("v.mat", lambda path: scipy.io.savemat(path, {"clip": clip}, do_compression=True)),
    }.get(kind.removesuffix("2"), ("v.h5", hdf5))
    return _saved(make, name)


ITEMS = {"npy": "/clip", "matlab": "/clip", "hdf5": "/clip"}
SEEDS = {
    "metaimage": lambda: [
        _mha("u1"), _mha("<f4", data="v.raw"), _mha("<i2", packed=True), _mha("u1", packed=True, fields=SEQUENCE)
    ],
    "nrrd": lambda: [_nrrd("raw"), _nrrd("gzip"), _nrrd("bzip2"), _nrrd("text"), _nrrd("raw", "v.nhdr")],
    "nifti": lambda: [_nifti("v.nii", "u1"), _nifti("v.nii", "<f4"), _nifti("v.nii.gz", "<i2"), _nifti("v.hdr", "<i2")],
    "npy": lambda: [_array("npy"), _array("npy2"), _array("npz"), _array("npz_packed2")],
    "matlab": lambda: [_array("mat"), _array("mat2"), _array("mat_packed")],
    "hdf5": lambda: [_array("hdf5"), _array("hdf5 flat"), _array("hdf5 block2")],
}  # fmt: skip
"""Good files of each format: the file to read first, then those that belong to it."""


@functools.cache
def _good(kind: str) -> list[dict[str, bytes]]:
    return SEEDS[kind]()


def spoil(data: bytes, draw: np.random.Generator) -> bytes:
    """Change a file in one of many ways."""
    if data[:2] == b"\x1f\x8b" and draw.random() < 0.6:
        return gzip.compress(spoil(gzip.decompress(data), draw), 1)
    way, spoilt = draw.integers(8), bytearray(data)
    at = int(draw.integers(len(data)))
    near = int(draw.integers(min(len(data), 600)))
    if way == 0:
        return data[:at]
    if way == 1:
        for place in draw.integers(min(len(data), int(draw.choice([100, 600, 1 << 30]))), size=draw.integers(1, 9)):
            spoilt[place] = draw.integers(256)
    elif way == 2:
        spoilt[at : at + 40] = bytes(40)
    elif way == 3:
        spoilt[near:near] = draw.bytes(int(draw.integers(1, 30)))
    elif way == 4:
        size = int(draw.choice([2, 4, 8]))
        value = int(draw.choice(NUMBERS)) & ((1 << 8 * size) - 1)
        near -= near % size
        spoilt[near : near + size] = value.to_bytes(size, "little" if draw.random() < 0.8 else "big")
    elif way == 5:
        del spoilt[near : near + int(draw.integers(1, 60))]
    else:
        words = list(re.finditer(rb"[-+.\w]+", data[:4000]))
        for word in sorted(draw.choice(len(words), min(len(words), int(draw.integers(1, 4)))).tolist(), reverse=True):
            spoilt[slice(*words[word].span())] = WORDS[int(draw.integers(len(WORDS)))]
    return bytes(spoilt)


def read(folder: Path, name: str, item: str, axis: str) -> str:
    """Look at a file and read it; returns what became of it.

    Raises:
        Exception: Anything but a `MediaError` is a fault of ours.
    """
    media = Media(str(folder / name), item)
    with media.open() as file:
        reader = recognised(file.read(HEAD_BYTES), Path(name).suffix)
    if reader is None:
        return "not recognised"
    options = Options(axis)
    try:
        reader.companions(media)
        probe = reader.probe(media, stamps_above=1 << 40, options=options)
        if probe.items:
            probe, media = probe.items[0], Media(media.path, probe.items[0].item)
        shapes = {
            frame.pixels.shape[:2]
            for frame in reader.read(media, Sampling(None, limit=50), Notes(), None, options)
            if frame.pixels is not None
        }
    except MediaError as error:
        return f"rejected: {error.reason}"
    assert shapes <= {(probe.height, probe.width)}, (shapes, probe)
    return "read"


def trials(kind: str, count: int, seed: int, folder: Path) -> collections.Counter:
    """Spoil and read so many files of a format.

    Raises:
        Exception: What a reader should not have raised, with the number of the trial and the file left in the folder.
    """
    seeds, outcomes = _good(kind), collections.Counter()
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        files = seeds[int(draw.integers(len(seeds)))]
        first, *others = files
        for name, data in files.items():
            (folder / name).write_bytes(spoil(data, draw) if name == first or draw.random() < 0.3 else data)
        try:
            item = ITEMS.get(kind, "") if kind == "hdf5" or draw.random() < 0.5 else ""
            outcomes[read(folder, first, item, str(draw.choice(["", "0", "1", "2"])))] += 1
        except Exception as error:
            error.add_note(f"{kind}, trial {number} of seed {seed}: {folder / first}")
            raise
        for name in (first, *others):
            (folder / name).unlink()
    return outcomes


def main() -> int:
    """Run all formats in this process, with limits of time and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(SEEDS))
    asked = parser.parse_args()
    assert set(SEEDS) <= set(READERS)
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
    signal.signal(signal.SIGALRM, lambda *_: sys.exit(f"hang: over {LIMIT_S} s"))
    for kind in asked.kinds:
        started, outcomes = time.monotonic(), collections.Counter()
        for number in range(asked.files):
            signal.alarm(LIMIT_S)
            with tempfile.TemporaryDirectory() as folder:
                outcomes += trials(kind, 1, asked.seed * 1_000_000 + number, Path(folder))
        signal.alarm(0)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"{kind}: {asked.files} files, {time.monotonic() - started:.0f} s, at most {most} MB in all")
        for outcome, times in outcomes.most_common():
            print(f"  {times:6} {outcome}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
