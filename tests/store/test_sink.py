"""The file that h5py writes into holds what any file would hold, however the writes come."""

import errno
import io
import os
import random

import pytest

from usfm.store import disk
from usfm.store.disk import Writer
from usfm.store.sink import Sink


@pytest.mark.parametrize("seed", range(40))
def test_it_is_a_file_like_any_other(tmp_path, monkeypatch, seed):
    monkeypatch.setattr("usfm.store.sink.BLOCK_BYTES", 64)
    monkeypatch.setattr(disk, "_BEHIND_BYTES", 128)
    draw, model = random.Random(seed), io.BytesIO()
    sink = Sink(tmp_path / "sink", reserve=draw.choice([0, 500]))
    for _ in range(80):
        what, at = draw.random(), draw.randrange(300)
        data = draw.randbytes(draw.choice([1, 5, 30, 63, 64, 65, 100]))
        if what < 0.3:
            assert sink.seek(at) == model.seek(at)
        elif what < 0.4:
            assert sink.seek(0, 2) == model.seek(0, 2)
        elif what < 0.8:
            assert sink.write(data) == model.write(data)
        elif what < 0.9:
            here = model.tell()
            sink.put(at, data)
            model.seek(at)
            model.write(data)
            model.seek(here)
        else:
            buffer, found = bytearray(len(data)), model.read(len(data))
            sink.readinto(buffer)
            assert bytes(buffer) == found.ljust(len(data), b"\0")
            model.seek(sink.tell())
    sink.finish()
    assert (tmp_path / "sink").read_bytes() == model.getvalue()


def test_what_the_sync_behind_meets_is_not_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "_BEHIND_BYTES", 10)

    def fdatasync(fd):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    sink = Sink(tmp_path / "sink")
    sink.put(0, bytes(100))
    with pytest.raises(OSError, match="Input/output"):
        sink.finish()
    writer = Writer(tmp_path / "part", tmp_path)
    writer.write(bytes(100))
    with pytest.raises(Exception, match="the disk reports an error"):
        writer.finish()
    writer.close()


@pytest.mark.parametrize("sizes", [[], [0], [5], [1 << 20], [3, 1 << 20, 0, 7], [1 << 19] * 5])
def test_pieces_follow_one_another(tmp_path, sizes):
    pieces = [os.urandom(size) for size in sizes]
    writer = Writer(tmp_path / "part", tmp_path)
    for piece in pieces:
        writer.write(piece)
    digest = writer.finish()
    assert (tmp_path / "part").read_bytes() == b"".join(pieces)
    assert int(digest[8:], 16) == sum(sizes)
