"""Every reader keeps every promise of the contract: one test for all rows of the table."""

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import HEAD_BYTES, Frame, Notes, Probe
from usfm.extract.sampling import Sampling

EVERY = Sampling(None)


@pytest.fixture
def example(request, make_video, make_still, kind):
    if kind == "video":
        return make_video("example.mp4", frames=12)
    return make_still("example.png", np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8))


@pytest.mark.parametrize("kind", READERS)
class TestEveryReader:
    def test_it_knows_its_own_files_and_no_others(self, kind, example):
        head = example.read_bytes()[:HEAD_BYTES]
        assert [name for name, reader in READERS.items() if reader.recognises(head)] == [kind]
        assert READERS[kind].kind == kind
        for foreign in (
            b"",
            b"\0",
            b"plain words, and more of them " * 30,
            bytes(HEAD_BYTES),
            b"\x89HDF\r\n\x1a\n" * 9,
        ):
            assert not READERS[kind].recognises(foreign)

    def test_a_probe_fits_what_is_read(self, kind, example):
        probe, notes = READERS[kind].probe(str(example), stamps_above=1 << 30), Notes()
        frames = list(READERS[kind].read(str(example), EVERY, notes))
        assert isinstance(probe, Probe)
        assert probe.stamps == ()
        assert notes.frames == len(frames) <= probe.frames
        assert all(isinstance(frame, Frame) and frame.pixels.dtype == np.uint8 for frame in frames)
        assert all(frame.pixels.shape[:2] == (probe.height, probe.width) for frame in frames)
        assert [frame.index for frame in frames] == list(range(len(frames)))

    def test_reading_twice_gives_the_same(self, kind, example):
        first, second = (list(READERS[kind].read(str(example), EVERY, Notes())) for _ in range(2))
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(first, second, strict=True))

    def test_a_limit_stops_early(self, kind, example):
        assert len(list(READERS[kind].read(str(example), Sampling(None, limit=1), Notes()))) == 1

    @pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
    def test_a_broken_file_is_a_media_error_whose_words_name_no_file(self, kind, example, share):
        data = example.read_bytes()
        example.write_bytes(data[: max(int(len(data) * share), 12)])
        reader = READERS[kind]

        def look_and_read():
            reader.probe(str(example), stamps_above=1 << 30)
            list(reader.read(str(example), EVERY, Notes()))

        with pytest.raises(MediaError) as caught:
            look_and_read()
        assert caught.value.reason
        assert str(example.parent) not in str(caught.value)
        assert example.name not in str(caught.value)
