"""Of a clip no more is decoded than the frames that are due need, and they come out the same to the bit."""

from fractions import Fraction

import av
import numpy as np
import pytest

from usfm.extract.media import Media
from usfm.extract.readers import video
from usfm.extract.readers.contract import NO_OPTIONS, Notes, Range
from usfm.extract.readers.h264 import in_frames
from usfm.extract.readers.sparse import spared, sparse
from usfm.extract.sampling import Sampling

ASKED = (Sampling(Fraction(3)), Sampling(Fraction(8)), Sampling(None, every=7))


@pytest.fixture
def clip(tmp_path):
    """Write a clip of moving noise."""

    def write(name="a.mp4", codec="libx264", pix_fmt="yuv420p", frames=60, **options):
        noise = np.random.default_rng(0).integers(0, 256, (64 + frames, 96), dtype=np.uint8)
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options={k: str(v) for k, v in options.items()})
            stream.width, stream.height, stream.pix_fmt = 96, 64, pix_fmt
            for number in range(frames):
                gray = np.ascontiguousarray(noise[number : number + 64])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray").reformat(format=pix_fmt)))
            container.mux(stream.encode())
        return path

    return write


def taken(read, path, sampling):
    notes = Notes()
    frames = list(read(str(path), sampling, notes, NO_OPTIONS))
    told = [(fault.reason, fault.detail) for fault in notes.faults]
    return [(one.index, one.time_s, one.fault) for one in frames], frames, (notes.frames, notes.metadata, told)


@pytest.mark.parametrize("name, codec, options, spared", [
    ("a.mp4", "libx264", {"bf": 3}, 0.3),
    ("a.mkv", "libx264", {"bf": 2, "g": 12}, 0.2),
    ("a.mp4", "libx264", {"bf": 0}, 0),  # every frame is leant on
    ("a.mp4", "libx264", {"x264-params": "interlaced=1"}, None),
    ("a.avi", "mjpeg", {}, 0.5),
    ("a.mov", "mjpeg", {}, 0.5),
    ("a.mp4", "mpeg4", {"bf": 2}, None),
    ("a.ts", "libx264", {"bf": 3}, None),
])  # fmt: skip
def test_the_frames_that_are_due_are_those_of_decoding_all(clip, name, codec, options, spared, monkeypatch):
    path = clip(name, codec, "yuvj420p" if codec == "mjpeg" else "yuv420p", **options)
    for sampling in ASKED:
        listed, frames, told = taken(video._read_due, path, sampling)
        assert (listed, told) == (taken(video._read_all, path, sampling)[0], taken(video._read_all, path, sampling)[2])
        for one, other in zip(frames, taken(video._read_all, path, sampling)[1], strict=True):
            assert np.array_equal(one.pixels, other.pixels)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        plan = sparse(container, stream, ASKED[0])
        if spared is not None:
            assert len(list(plan.frames())) == len(plan._due)
            assert plan.sound
            assert 60 - plan.decoded >= spared * 60


def test_ranges_leave_out_what_they_do_not_need(clip):
    path = clip(bf=3)
    whole = taken(video._read_all, path, Sampling(None))[1]
    probe = video.VideoReader().probe(Media(str(path)), stamps_above=1)
    for start, end, step in ((0, 60, 1), (40, 60, 1), (25, 59, 9)):
        picked = range(start, end, step)
        within = Range(
            tuple(picked), tuple(probe.stamps[number] for number in picked), probe.stamps[0], 60, False, end == 60
        )
        got = list(video.VideoReader().read(Media(str(path)), Sampling(None), Notes(), within))
        assert [one.index for one in got] == list(picked)
        assert all(np.array_equal(one.pixels, whole[one.index].pixels) for one in got)
    with av.open(str(path)) as container:
        spare = spared(container, container.streams.video[0], {probe.stamps[59]})
        assert sum(spare(packet) for packet in container.demux(video=0) if packet.size) >= 18


def test_fields_are_never_left_out(clip):
    for interlaced in (0, 1):
        with av.open(
            str(clip(f"{interlaced}.mp4", **{"x264-params": f"interlaced={interlaced}", "bf": 3}))
        ) as container:
            stream = container.streams.video[0]
            extra = bytes(stream.codec_context.extradata)
            assert in_frames(extra) == (not interlaced)
            assert (spared(container, stream, ()) is None) == bool(interlaced)
            assert not any(in_frames(extra[:length]) for length in range(12))


def test_damage_on_the_way_ends_as_it_does_where_all_is_decoded(clip):
    path = clip(bf=0, g=30)  # no frame can be spared
    data = bytearray(path.read_bytes())
    at = len(data) // 3
    data[at : at + 400] = bytes(400)
    path.write_bytes(bytes(data))
    for sampling in ASKED:
        listed, frames, told = taken(video._read_due, path, sampling)
        whole, others, also = taken(video._read_all, path, sampling)
        assert (listed, told) == (whole, also)
        assert any(fault for _, _, fault in listed) or told[2]
        for one, other in zip(frames, others, strict=True):
            assert (one.pixels is None) == (other.pixels is None)
            assert one.pixels is None or np.array_equal(one.pixels, other.pixels)


def test_a_limit_or_all_frames_leaves_nothing_to_spare(clip):
    path = clip(bf=3)
    for sampling in (Sampling(None), Sampling(Fraction(3), limit=2)):
        with av.open(str(path)) as container:
            assert sparse(container, container.streams.video[0], sampling) is None
        assert taken(video._read_due, path, sampling)[0] == taken(video._read_all, path, sampling)[0]
    assert len(list(video.VideoReader().read(Media(str(path)), Sampling(Fraction(3), limit=2), Notes()))) == 2
