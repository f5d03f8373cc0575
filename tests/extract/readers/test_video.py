"""Videos: the right frames at the right times, whatever the container says about itself."""

import re
from fractions import Fraction

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract import plan
from usfm.extract.labels import Facts
from usfm.extract.media import Media
from usfm.extract.readers import cut
from usfm.extract.readers.contract import Notes
from usfm.extract.readers.video import VideoReader
from usfm.extract.sampling import Sampling
from usfm.extract.scan import ScanTask, loads, scan
from usfm.extract.sources import find

READER = VideoReader()
THREE = Sampling(Fraction(3))


def read(path, sampling=THREE):
    notes = Notes()
    return list(READER.read(Media(str(path)), sampling, notes)), notes


@pytest.mark.parametrize("name, codec, b_frames", [
    ("a.mp4", "libx264", 2), ("a.mov", "mpeg4", 0), ("a.mkv", "libx264", 2), ("a.avi", "mpeg4", 2),
    ("a.mpeg", "mpeg2video", 2), ("a.ts", "mpeg2video", 0), ("a.webm", "libvpx-vp9", 0),
])  # fmt: skip
def test_the_frame_on_screen_in_every_container(make_video, read_number, name, codec, b_frames):
    import av

    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg has no {codec}")
    path = make_video(name, frames=60, fps=25, codec=codec, b_frames=b_frames)
    frames, notes = read(path)
    assert notes.frames == 60
    assert [read_number(frame.pixels) for frame in frames] == [0, 8, 16, 25, 33, 41, 50, 58]
    assert [frame.index for frame in frames] == [0, 8, 16, 25, 33, 41, 50, 58]
    assert np.allclose([frame.time_s for frame in frames], np.array([0, 8, 16, 25, 33, 41, 50, 58]) / 25, atol=2e-3)


def test_a_variable_frame_rate(make_video, read_number):
    rng = np.random.default_rng(3)
    times = np.cumsum(rng.choice([0.01, 0.04, 0.2, 0.9], 60, p=[0.3, 0.5, 0.15, 0.05]))
    times = [Fraction(round(t * 1000), 1000) for t in times - times[0]]
    frames, _ = read(make_video("vfr.mkv", frames=60, codec="libx264", times=times))
    instants = [Fraction(k, 3) for k in range(int(times[-1] * 3) + 1)]
    slack = Fraction(1, 2000)
    due = sorted({max(i for i, t in enumerate(times) if t - slack <= instant) for instant in instants})
    assert [read_number(frame.pixels) for frame in frames][: len(due)] == due
    assert len(frames) <= len(due) + 1  # the last frame may still be on screen at one more instant


def test_times_begin_at_the_first_frame(make_video):
    times = [Fraction(5) + Fraction(k, 25) for k in range(20)]
    frames, _ = read(make_video("late.mkv", frames=20, codec="libx264", times=times), Sampling(None))
    assert frames[0].time_s == 0
    assert np.isclose(frames[-1].time_s, 19 / 25, atol=2e-3)


def test_repeated_and_missing_stamps_are_mended_and_counted(make_video, monkeypatch):
    from usfm.extract.readers import stream

    path = make_video("a.mp4", frames=30, fps=25)
    decoded = stream.decoded

    def odd(*arguments):
        for number, frame in enumerate(decoded(*arguments)):
            frame.pts = None if number % 7 == 3 else 0 if number == 20 else frame.pts
            yield frame

    monkeypatch.setattr(stream, "decoded", odd)
    frames, notes = read(path, Sampling(None))
    assert len(frames) == 30
    assert np.allclose([frame.time_s for frame in frames], np.arange(30) / 25)
    assert notes.metadata["timestamps_repaired"] == 5


def test_a_file_cut_short_keeps_its_good_frames_and_says_when(make_video):
    import av

    path = make_video("a.mp4", frames=200, fps=25, codec="libx264")
    fast = path.with_name("fast.mp4")
    with av.open(str(path)) as source, av.open(str(fast), "w", options={"movflags": "faststart"}) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    whole = fast.read_bytes()
    assert len(read(fast, Sampling(None))[0]) == 200
    fast.write_bytes(whole[: len(whole) * 6 // 10])
    frames, notes = read(fast, Sampling(None))
    assert [fault.reason for fault in notes.faults] == ["truncated"]
    assert re.search(r" at \d+\.\d\d s", notes.faults[0].detail)
    assert 20 < len(frames) < 200
    path.write_bytes(path.read_bytes()[:-2000])  # its index was at the end
    with pytest.raises(MediaError, match="cannot be opened"):
        READER.probe(Media(str(path)), stamps_above=1)


def test_a_damaged_middle_costs_only_the_damaged_frames(make_video, read_number):
    path = make_video("a.mpeg", frames=200, codec="mpeg2video")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    frames, notes = read(path, Sampling(None))
    lost = [frame for frame in frames if frame.pixels is None]
    assert notes.faults or lost
    good = [frame for frame in frames if frame.pixels is not None]
    assert len(good) > 150
    assert read_number(good[0].pixels) == 0
    assert read_number(good[-1].pixels) == 199


@pytest.mark.parametrize("name, codec, b_frames", [
    ("a.avi", "mpeg4", 0), ("a.mkv", "mpeg4", 2), ("a.mp4", "libx264", 0), ("a.mpg", "mpeg2video", 2),
    ("a.flv", "flv", 0),
])  # fmt: skip
def test_frames_that_lean_on_a_damaged_one_are_no_good_frames(make_video, monkeypatch, name, codec, b_frames):
    from usfm.extract.readers import stream

    path = make_video(name, frames=40, codec=codec, b_frames=b_frames, gop=10)
    whole, _ = read(path, Sampling(None))
    decoded = stream.decoded

    def spoilt(container, one, faults, *rest):
        for number, frame in enumerate(decoded(container, one, faults, *rest)):
            if number == 13 and frame.pts is not None:
                faults.corrupt.add(frame.pts)
            yield frame

    monkeypatch.setattr(stream, "decoded", spoilt)
    frames, _ = read(path, Sampling(None))
    keys = [number for number in range(14, 40) if frames[number].pixels is not None]
    assert [frame.fault for frame in frames[:13]] == [""] * 13
    assert frames[13].fault == "damaged frame"
    assert keys == list(range(keys[0], 40))
    assert keys[0] <= 22
    assert {frame.fault for frame in frames[14 : keys[0]]} <= {"leans on a damaged frame"}
    assert all(np.array_equal(frames[number].pixels, whole[number].pixels) for number in keys)


def test_no_picture_stream(tmp_path):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            container.mux(packet)
    with pytest.raises(MediaError, match="no video in it"):
        READER.probe(Media(str(path)), stamps_above=1)


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg2video")])
def test_ranges_of_a_long_video_give_what_reading_it_whole_gives(make_video, monkeypatch, name, codec):
    path = make_video(name, frames=300, codec=codec, b_frames=2)
    monkeypatch.setattr(plan, "PART_BYTES", 64 * 64 * 3 * 7)
    source = find([str(path)]).sources[0]
    found = loads(scan(ScanTask((source,), plan.PART_BYTES)))
    pieces = plan.pieces([source], found, {source.relative: Facts()}, THREE, None, hide_paths=False)
    assert [len(piece.within.indices) for piece in pieces] == [7, 7, 7, 7, 7, 1]
    assert all(group == (piece,) for group, piece in zip(plan.parts(pieces), pieces, strict=True))
    whole, notes = read(path)
    ranged = [frame for piece in pieces for frame in READER.read(Media(str(path)), THREE, Notes(), piece.within)]
    assert notes.frames == 300
    assert [(f.index, f.time_s) for f in ranged] == [(f.index, f.time_s) for f in whole]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(ranged, whole, strict=True))


CASES = [
    ("a.avi", "mpeg4", 0), ("a.avi", "mpeg4", 2), ("a.avi", "msmpeg4", 0), ("a.avi", "libx264", 0),
    ("a.wmv", "wmv2", 0),
    ("a.ts", "libx264", 2), ("a.ts", "mpeg2video", 2), ("a.mkv", "mpeg4", 0), ("a.mkv", "ffv1", 0),
    ("a.mpg", "mpeg2video", 2), ("a.mpg", "mpeg1video", 2), ("a.flv", "flv", 0), ("a.mp4", "libx264", 2),
    ("a.h264", "libx264", 2),
]  # fmt: skip


def copy_without(path, first, to):
    """Copy the packets of a video from the ``first`` on, as a lossless cut does."""
    import av

    with av.open(str(path)) as source, av.open(str(to), "w") as copy:
        stream = source.streams.video[0]
        out = copy.add_stream_from_template(stream)
        for number, packet in enumerate(packet for packet in source.demux(stream) if packet.size):
            if number >= first:
                packet.stream = out
                copy.mux(packet)


@pytest.mark.parametrize("name, codec, b_frames", CASES)
@pytest.mark.parametrize("first", [5, pytest.param(13, marks=pytest.mark.slow)])
def test_frames_before_the_first_key_frame_are_left_out_and_told(
    make_video, read_number, monkeypatch, name, codec, b_frames, first
):
    path = make_video(name, frames=50, fps=25, codec=codec, b_frames=b_frames, gop=12)
    good = {read_number(frame.pixels): frame.pixels for frame in read(path, Sampling(None))[0]}
    part = path.with_name("cut" + path.suffix)
    copy_without(path, first, part)
    frames, notes = read(part, Sampling(None))
    numbers = [read_number(frame.pixels) for frame in frames]
    assert numbers == list(range(numbers[0], 50))
    assert first < numbers[0] <= first + 12
    assert all(np.array_equal(frame.pixels, good[number]) for frame, number in zip(frames, numbers, strict=True))
    assert [fault.reason for fault in notes.faults] == ["no first key frame"]
    assert f"until {frames[0].time_s:.2f} s" in notes.faults[0].detail
    assert frames[0].time_s > 0
    assert [frame.index for frame in frames] == list(range(frames[0].index, notes.frames))
    steps = np.diff([frame.time_s for frame in frames])
    assert np.allclose(steps, 1 / 25, atol=2e-3)
    monkeypatch.setattr(plan, "PART_BYTES", 64 * 64 * 3 * 7)
    for sampling in (Sampling(None), THREE, Sampling(None, limit=9)):
        whole, notes = read(part, sampling)
        source = find([str(part)]).sources[0]
        found = loads(scan(ScanTask((source,), plan.PART_BYTES)))
        pieces = plan.pieces([source], found, {source.relative: Facts()}, sampling, None, hide_paths=False)
        told, ranged = Notes(), []
        for piece in pieces:
            ranged += READER.read(Media(str(part)), sampling, told, piece.within)
        assert [(f.index, f.time_s) for f in ranged] == [(f.index, f.time_s) for f in whole]
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(ranged, whole, strict=True))
        assert [str(fault) for fault in told.faults] == [str(fault) for fault in notes.faults]


def test_a_clip_without_any_key_frame_gives_nothing(make_video):
    path = make_video("a.avi", frames=20, codec="mpeg4", gop=100)
    copy_without(path, 1, path.with_name("cut.avi"))
    with pytest.raises(MediaError, match="no key frame"):
        read(path.with_name("cut.avi"), Sampling(None))


@pytest.mark.parametrize("name, codec, b_frames", [
    ("a.avi", "mpeg4", 0), ("a.avi", "rawvideo", 0), ("a.wmv", "wmv2", 0), ("a.mkv", "libx264", 2),
    ("a.flv", "flv", 0), ("a.mpg", "mpeg2video", 2), ("a.mpg", "mpeg1video", 0), ("a.ts", "mpeg2video", 2),
    ("a.ts", "libx264", 2),
    *(pytest.param(name, "libvpx", 0, marks=pytest.mark.slow) for name in ("a.ogg", "a.ivf", "a.webm")),
])  # fmt: skip
def test_a_cut_file_of_any_container_keeps_its_good_frames_and_is_told(make_video, name, codec, b_frames):
    path = make_video(name, frames=60, codec=codec, b_frames=b_frames, gop=10)
    good, notes = read(path, Sampling(None))
    assert len(good) == notes.frames == 60
    assert not notes.faults
    data = path.read_bytes()
    for rubbish in (bytes(700), b"rubbish after the end " * 20):
        path.write_bytes(data + rubbish)
        assert name == "a.ivf" or not cut.is_cut(str(path)), "what follows a whole file says nothing about it"
    shown = {frame.pixels.tobytes() for frame in good}
    counts = []
    for share in (0.5, 0.7, 0.9):
        at = int(len(data) * share)
        path.write_bytes(data[: at + (at % 188 == 0)])
        frames, notes = read(path, Sampling(None))
        assert [fault.reason for fault in notes.faults] == ["truncated"]
        kept = [frame for frame in frames if frame.pixels is not None]
        assert all(frame.pixels.tobytes() in shown for frame in kept)
        assert len(frames) - len(kept) <= 1
        counts.append(len(kept))
    assert 3 < counts[0] < counts[1] < counts[2] < 60


@pytest.mark.parametrize("ratio, shape", [
    ((4, 3), (48, 85)), ((8, 9), (54, 64)), ((1, 2), (96, 64)), ((1001, 1000), (48, 64)), ((1, 100), (48, 64)),
])  # fmt: skip
@pytest.mark.parametrize("name, turned", [("a.mp4", 0), ("a.mkv", 90), ("a.avi", 0)])
def test_pixels_are_square_and_upright_in_what_is_stored(tmp_path, ratio, shape, name, turned):
    import av

    pixels = np.zeros((48, 64, 3), np.uint8)
    pixels[:16, :16] = 220
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if name != "a.avi" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*ratio)
        if turned:
            stream.set_display_rotation(turned)  # against the clock
        for packet in [*stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")), *stream.encode()]:
            container.mux(packet)
    (frame,), notes = read(path, Sampling(None))
    assert frame.pixels.shape[:2] == (shape[::-1] if turned else shape)
    probe = READER.probe(Media(str(path)), stamps_above=1 << 30)
    assert (probe.height, probe.width) == frame.pixels.shape[:2]
    assert frame.pixels[-4 if turned else 4, 4, 0] > 180
    assert frame.pixels[4 if turned else -4, 4, 0] < 40
    assert notes.metadata.get("rotation") == ("270" if turned else None)
    assert notes.metadata.get("aspect") == (None if shape == (48, 64) else f"{ratio[0]}:{ratio[1]}")


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.avi"])
@pytest.mark.parametrize("sides", [(32, 64), (64, 32)])
def test_of_two_streams_of_pictures_the_larger_is_read(tmp_path, name, sides):
    import av

    with av.open(str(tmp_path / name), "w") as container:
        streams = []
        for side in sides:
            stream = container.add_stream("mpeg4" if name == "a.avi" else "libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
            streams.append(stream)
        for number in range(10):
            for stream in streams:
                pixels = np.full((stream.height, stream.width, 3), number * 20, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    frames, notes = read(tmp_path / name, Sampling(None))
    assert {frame.pixels.shape for frame in frames} == {(64, 64, 3)}
    assert len(frames) == 10
    assert notes.metadata["video_streams"] == 2


@pytest.mark.parametrize("alpha", [0, 1])
def test_transparency_of_a_clip_lies_over_black_unless_it_was_never_filled_in(tmp_path, alpha):
    import av

    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :, 3] = 0
    pixels[:16, :, 3] = 255 * alpha
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("qtrle", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "argb"
        frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="argb")
        container.mux([*stream.encode(frame), *stream.encode()])
    (frame,), _ = read(tmp_path / "a.mov", Sampling(None))
    assert [int(frame.pixels[4, 4, 0]), int(frame.pixels[28, 4, 0])] == ([200, 0] if alpha else [200, 200])


def box(name, *parts):
    body = b"".join(parts)
    return (8 + len(body)).to_bytes(4, "big") + name + body


@pytest.mark.parametrize("kind, tiled", [(b"hvc1", False), (b"grid", True), (b"iovl", True)])
def test_a_picture_in_heic_tiles_is_rejected_and_not_read_by_one_tile(tmp_path, kind, tiled):
    items = [box(b"infe", b"\2\0\0\0", number.to_bytes(2, "big"), b"\0\0", name, b"\0")
             for number, name in ((1, b"hvc1"), (2, b"hvc1"), (7, kind))]  # fmt: skip
    meta = box(b"meta", bytes(4), box(b"pitm", bytes(4), b"\0\7"), box(b"iinf", bytes(4), b"\0\3", *items))
    path = tmp_path / "a.heic"
    path.write_bytes(box(b"ftyp", b"heic", bytes(4), b"mif1heic") + meta)
    assert READER.recognises(path.read_bytes())
    with pytest.raises(MediaError, match="tiled picture" if tiled else "truncated or damaged|no video"):
        READER.probe(Media(str(path)), stamps_above=1)
