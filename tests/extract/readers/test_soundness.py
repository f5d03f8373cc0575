"""What is no good in a video is never stored as good: damage, lost beginnings, covers; and the times are right."""

from types import SimpleNamespace

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers.contract import Notes
from usfm.extract.readers.faults import Faults
from usfm.extract.readers.soundness import DAMAGED, LEANS, judged
from usfm.extract.readers.video import VideoReader
from usfm.extract.sampling import Sampling

READER = VideoReader()
TYPES = "-IPBS"


def read(path):
    notes = Notes()
    return list(READER.read(Media(str(path)), Sampling(None), notes)), notes


def copied(path, first):
    """Copy a clip from its packet ``first`` on, without decoding it."""
    import av

    to = path.with_name("joined" + path.suffix)
    with av.open(str(path)) as source, av.open(str(to), "w") as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(source.streams.video[0])):
            if packet.size and number >= first:
                packet.stream = stream
                copy.mux(packet)
    return to


def faults_of(codec, shown, damaged=(), gap=None, early=None):
    """Judge a row of frames, given by their types in order of display."""
    stream = SimpleNamespace(codec_context=SimpleNamespace(name=codec))
    noted = Faults()

    def frames():
        for at, kind in enumerate(shown):
            if at == early:  # the decoder fails at a packet before it gives the frames before it
                noted.gone.append(gap)
            one = SimpleNamespace(pict_type=TYPES.index(kind), key_frame=kind == "I", is_corrupt=at in damaged, pts=at)
            yield at, 1, one

    given = list(judged(frames(), stream, noted))
    assert [time for time, *_ in given] == list(range(len(shown)))
    assert {time for time, *_, fault in given if fault == DAMAGED} == set(damaged)
    return {time for time, *_, fault in given if fault == LEANS}


@pytest.mark.parametrize("codec, shown, damaged, leaning", [
    ("mpeg4", "IPPPIPP", {2}, {3}),  # up to the next picture that stands for itself
    ("mpeg2video", "IBBPBBPBBIBB", {3}, {1, 2, 4, 5, 6, 7, 8}),  # and the B frames before it
    ("mpeg2video", "IBBPBBP", {1}, set()),  # nothing leans on a B frame
    ("h264", "IBBPBBPI", {1}, {2, 3, 4, 5, 6}),  # but in H.264
    ("mjpeg", "IIII", {1}, set()),
    ("cinepak", "----", {1}, set()),
    ("hevc", "I" + "B" * 40, {20}, set(range(21, 41))),  # B frames only: not all of them are held
])  # fmt: skip
def test_what_leans_on_a_damaged_frame_is_no_good(codec, shown, damaged, leaning):
    found = faults_of(codec, shown, damaged)
    assert found >= leaning
    assert found <= leaning | {at for at in range(len(shown)) if shown[at] == "B" and min(damaged) - at <= 16}
    assert faults_of(codec, shown) == set()


@pytest.mark.parametrize("shown, gap, leaning", [
    ("IPPIP", 1.5, {2}), ("IBBPBBIB", 2.5, {1, 2, 3, 4, 5}), ("IIII", 1.5, set()), ("IPIBBBBPIP", 6.5, {3, 4, 5, 6, 7}),
])  # fmt: skip
@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_what_leans_on_a_lost_packet_is_no_good(shown, gap, leaning, ahead):
    assert faults_of("mpeg2video", shown, gap=gap, early=max(int(gap + 1) - ahead, 0)) == leaning


@pytest.mark.parametrize("name, codec, b_frames", [
    ("a.avi", "mpeg4", 0), ("a.mp4", "mpeg4", 2), ("a.mpg", "mpeg2video", 2), ("a.ts", "mpeg2video", 2),
])  # fmt: skip
def test_real_damage_never_ends_as_a_good_frame(make_video, name, codec, b_frames):
    path = make_video(name, frames=40, codec=codec, b_frames=b_frames, gop=12)
    whole = np.stack([frame.pixels[:, :, 1] for frame in read(path)[0]]).astype(int)
    data, rng = path.read_bytes(), np.random.default_rng(1)
    lost = 0
    for _ in range(4):
        broken, at = bytearray(data), int(rng.integers(len(data) // 6, len(data) * 5 // 6))
        broken[at : at + 40] = rng.integers(0, 256, 40, dtype=np.uint8).tobytes()
        path.write_bytes(broken)
        good = [frame.pixels[:, :, 1] for frame in read(path)[0] if frame.pixels is not None]
        assert all(np.abs(whole - pixels).max(axis=(1, 2)).min() <= 8 for pixels in good)
        assert len(good) >= 10
        lost += 40 - len(good)
    assert lost


@pytest.mark.parametrize("name, codec, kind", [
    ("a.avi", "cinepak", "rgb24"), ("a.mov", "qtrle", "rgb24"), ("a.mov", "svq1", "yuv410p"),
])  # fmt: skip
def test_a_joined_clip_of_an_old_codec_begins_with_its_first_key_frame(tmp_path, name, codec, kind):
    import av

    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, kind
        stream.codec_context.gop_size = 8
        for number in range(20):
            pixels = noise.copy()
            pixels[:, number * 3 : number * 3 + 4] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=kind)))
        container.mux(stream.encode())
    whole, notes = read(path)
    assert len(whole) == 20
    assert not notes.faults
    frames, notes = read(copied(path, 3))
    assert [fault.reason for fault in notes.faults] == ["no first key frame"]
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(frames, whole[8:], strict=True))


def test_frames_that_an_open_group_lost_are_told(make_video):
    path = copied(make_video("a.mpg", frames=40, codec="mpeg2video", b_frames=2, gop=12), 10)
    frames, notes = read(path)  # it begins with a key frame that is shown after two B frames
    assert [fault.detail.split(" lean")[0] for fault in notes.faults] == ["its first 2 frames"]
    assert (frames[0].index, round(frames[0].time_s * 25)) == (2, 2)


@pytest.mark.parametrize("name, codec", [("a.ts", "mpeg2video"), ("a.ts", "libx264"), ("a.mpg", "mpeg2video")])
def test_files_that_were_put_together_are_healthy(make_video, read_number, name, codec):
    path = make_video(name, frames=30, codec=codec, b_frames=2, gop=12)
    path.write_bytes(path.read_bytes() * 2)
    frames, notes = read(path)
    assert [read_number(frame.pixels) for frame in frames] == [*range(30), *range(30)]
    assert not notes.faults


def test_many_packets_before_the_first_key_frame_are_no_reason_to_give_up(make_video, monkeypatch):
    import av

    from usfm.extract.readers import stream

    if "libvpx" not in av.codecs_available:
        pytest.skip("this FFmpeg has no libvpx")
    monkeypatch.setattr(stream, "GIVE_UP_AFTER", 5)
    path = make_video("a.webm", frames=30, codec="libvpx", gop=12)
    frames, notes = read(copied(path, 1))  # its decoder refuses each packet before a key frame
    assert len(frames) == 18
    assert [fault.reason for fault in notes.faults] == ["no first key frame"]


def test_a_cut_before_the_first_frame_is_told_as_a_cut(make_video):
    path = make_video("a.avi", frames=20, codec="mpeg4")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"movi") + 30])
    with pytest.raises(MediaError, match="cut short"):
        read(path)


@pytest.mark.parametrize("codec, b_frames", [("libx264", 0), ("libx264", 3), ("mpeg4", 2)])
def test_times_in_avi_are_those_of_the_display(make_video, read_number, codec, b_frames):
    frames, notes = read(make_video("a.avi", frames=60, codec=codec, b_frames=b_frames, gop=12))
    assert [read_number(frame.pixels) for frame in frames] == list(range(60))
    assert np.allclose([frame.time_s for frame in frames], np.arange(60) / 25)
    assert "timestamps_repaired" not in notes.metadata


@pytest.mark.parametrize("cover", [0, 1])
def test_cover_art_is_never_the_clip(tmp_path, cover):
    import av
    from av.stream import Disposition

    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        streams = []
        for number in range(2):
            stream = container.add_stream("mjpeg" if number == cover else "mpeg4", rate=25)
            stream.pix_fmt = "yuvj420p" if number == cover else "yuv420p"
            stream.width = stream.height = 192 if number == cover else 48
            if number == cover:
                stream.disposition = Disposition.attached_pic
            streams.append(stream)
        for time in range(10):
            for number, stream in enumerate(streams):
                if number != cover or time == 0:
                    pixels = np.full((stream.height, stream.width, 3), 20 * time, np.uint8)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        for stream in streams:
            container.mux(stream.encode())
    frames, notes = read(path)
    assert {frame.pixels.shape[:2] for frame in frames} == {(48, 48)}
    assert len(frames) == 10
    assert "video_streams" not in notes.metadata
