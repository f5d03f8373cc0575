"""Videos: the right frames at the right times, whatever the container says about itself."""

from fractions import Fraction

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract import plan
from usfm.extract.labels import Facts
from usfm.extract.readers.contract import Notes
from usfm.extract.readers.video import VideoReader
from usfm.extract.sampling import Sampling
from usfm.extract.scan import Batch, loads, scan
from usfm.extract.sources import find

READER = VideoReader()
THREE = Sampling(Fraction(3))


def read(path, sampling=THREE):
    notes = Notes()
    return list(READER.read(str(path), sampling, notes)), notes


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
    from usfm.extract.readers import video

    path = make_video("a.mp4", frames=30, fps=25)
    decoded = video._decoded

    def odd(*arguments):
        for number, frame in enumerate(decoded(*arguments)):
            frame.pts = None if number % 7 == 3 else 0 if number == 20 else frame.pts
            yield frame

    monkeypatch.setattr(video, "_decoded", odd)
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
    frames = []
    with pytest.raises(MediaError, match=r"truncated.* at \d+\.\d\d s"):
        frames.extend(READER.read(str(fast), Sampling(None), Notes()))
    assert 20 < len(frames) < 200
    path.write_bytes(path.read_bytes()[:-2000])  # its index was at the end
    with pytest.raises(MediaError, match="cannot be opened"):
        READER.probe(str(path), stamps_above=1)


def test_a_damaged_middle_costs_only_the_damaged_frames(make_video, read_number):
    path = make_video("a.mpeg", frames=200, codec="mpeg2video")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).integers(0, 256, 3000, dtype=np.uint8).tobytes()
    path.write_bytes(data)
    frames, fault = [], None
    try:
        for frame in READER.read(str(path), Sampling(None), Notes()):
            frames.append(frame)
    except MediaError as error:
        fault = error
    lost = [frame for frame in frames if frame.pixels is None]
    assert fault is not None or lost
    good = [frame for frame in frames if frame.pixels is not None]
    assert len(good) > 150
    assert read_number(good[0].pixels) == 0
    assert read_number(good[-1].pixels) == 199


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
        READER.probe(str(path), stamps_above=1)


@pytest.mark.parametrize("name, codec", [("a.mp4", "libx264"), ("a.avi", "mpeg4"), ("a.mpg", "mpeg2video")])
def test_ranges_of_a_long_video_give_what_reading_it_whole_gives(make_video, monkeypatch, name, codec):
    path = make_video(name, frames=300, codec=codec, b_frames=2)
    monkeypatch.setattr(plan, "PART_BYTES", 64 * 64 * 3 * 7)
    source = find([str(path)]).sources[0]
    found = loads(scan(Batch((source,), plan.PART_BYTES)))
    cut = plan.pieces([source], found, {source.relative: Facts()}, THREE, None, hide_paths=False)
    assert [len(piece.within.indices) for piece in cut] == [7, 7, 7, 7, 7, 1]
    assert all(group == (piece,) for group, piece in zip(plan.parts(cut), cut, strict=True))
    whole, notes = read(path)
    ranged = [frame for piece in cut for frame in READER.read(str(path), THREE, Notes(), piece.within)]
    assert notes.frames == 300
    assert [(f.index, f.time_s) for f in ranged] == [(f.index, f.time_s) for f in whole]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(ranged, whole, strict=True))
