"""Tracked sequences: times, frames that are not valid, poses, and which way up a picture is."""

import math
from fractions import Fraction

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.readers.contract import Range
from usfm.extract.sampling import Sampling

POSE = "1 0 0 5 0 1 0 6 0 0 1 7 0 0 0 1"


@pytest.fixture
def clip():
    return np.random.default_rng(0).integers(0, 256, (6, 4, 5), dtype=np.uint8)


def fields(times=(), **more):
    told = {f"Seq_Frame{n:04}_Timestamp": time for n, time in enumerate(times) if time is not None}
    told |= {f"Seq_Frame{n:04}_ImageStatus": "OK" for n in range(6)}
    return {"Kinds": "domain domain list", **told, **more}


def test_frames_are_taken_by_their_own_times(write_mha, taken, clip):
    path = write_mha(clip, **fields((10, 10.1, 10.2, 10.5, 11.0, 11.1)))
    got = taken(path, Sampling(Fraction(3)))
    assert [frame.index for frame in got.frames] == [0, 2, 3, 4]
    assert [frame.time_s for frame in got.frames] == pytest.approx([0, 0.2, 0.5, 1.0])
    assert all(np.array_equal(frame.pixels, clip[frame.index]) for frame in got.frames)
    assert got.probe.fps == pytest.approx(6 / 1.2)


@pytest.mark.parametrize("times", [(), (1,), (5, 5, 5, 5, 5, 5), ("x",) * 6, ("nan",) * 6, (0, 1e300)])
def test_without_a_clock_every_frame_is_taken(write_mha, taken, clip, times):
    got = taken(write_mha(clip, **fields(times)), Sampling(Fraction(3)))
    assert len(got.frames) == 6
    assert all(math.isnan(frame.time_s) for frame in got.frames)


def test_a_lost_time_lies_between_its_neighbours_and_one_that_goes_back_does_not(write_mha, taken, clip):
    got = taken(write_mha(clip, **fields((1, 1.5, None, 2.5, 2.4, 3.5))))
    assert [frame.time_s for frame in got.frames] == pytest.approx([0, 0.5, 1.0, 1.5, 2.0, 2.5])


def test_frames_that_are_not_valid_are_left_out_with_a_reason(write_mha, taken, clip):
    told = fields((0, 1, 2, 3, 4, 5), Seq_Frame0002_ImageStatus="INVALID", Seq_Frame0099_ImageStatus="INVALID")
    got = taken(write_mha(clip, **told))
    assert [frame.index for frame in got.frames if frame.pixels is None] == [2]
    assert got.frames[2].fault == "marked as not valid"
    assert np.array_equal(got.pixels[3], clip[3])


def test_poses_are_kept_where_the_tracker_saw_the_tool(write_mha, taken, clip):
    told = fields(
        Seq_Frame0000_ProbeToTrackerTransform=POSE,
        Seq_Frame0000_ProbeToTrackerTransformStatus="OK",
        Seq_Frame0001_ProbeToTrackerTransform=POSE,
        Seq_Frame0001_ProbeToTrackerTransformStatus="INVALID",
        Seq_Frame0002_ProbeToTrackerTransform="1 2 3",
    )
    got = taken(write_mha(clip, **told))
    poses = [frame.facts.get("transforms", {}).get("ProbeToTracker", "none") for frame in got.frames]
    assert poses == [[1, 0, 0, 5, 0, 1, 0, 6, 0, 0, 1, 7], None, None, "none", "none", "none"]
    assert got.notes.metadata["transforms_not_valid"] == {"ProbeToTracker": 1}


@pytest.mark.parametrize(
    "letters, turn",
    [
        ("MFA", lambda frame: frame),
        ("UFA", lambda frame: frame[:, ::-1]),
        ("MN", lambda frame: frame[::-1]),
        ("UND", lambda frame: frame[::-1, ::-1]),
        ("FMA", lambda frame: frame.T),
        ("FU", lambda frame: frame.T[:, ::-1]),
        ("NM", lambda frame: frame.T[::-1]),
        ("NU", lambda frame: frame.T[::-1, ::-1]),
        ("XX", lambda frame: frame),
        ("", lambda frame: frame),
    ],
)
def test_the_marked_side_is_on_the_left_and_depth_runs_down(write_mha, taken, clip, letters, turn):
    got = taken(write_mha(clip, **fields(UltrasoundImageOrientation=letters, ElementSpacing="0.2 0.2 1")))
    assert all(np.array_equal(frame.pixels, turn(clip[frame.index])) for frame in got.frames)
    assert got.frames[0].spacing_mm == pytest.approx((0.2, 0.2))
    assert got.notes.metadata.get("scan_converted", True) == (letters[:1] not in ("F", "N"))


def test_scan_lines_are_told_by_the_name_that_their_programs_give(write_mha, taken, clip):
    assert taken(write_mha(clip, "LinearBrightnessData.mha", **fields())).notes.metadata["scan_converted"] is False
    assert "scan_converted" not in taken(write_mha(clip, "LinearScanConvertedData.mha", **fields())).notes.metadata


def test_radio_frequency_is_no_picture(write_mha, taken, clip):
    with pytest.raises(MediaError, match="not a picture"):
        taken(write_mha(clip, **fields(UltrasoundImageType="RF_REAL")))


def test_a_volume_that_is_called_a_list_is_a_volume(write_mha, taken, clip):
    path = write_mha(clip, Kinds="domain domain list", ElementSpacing="0.5 0.5 0.5")
    assert len(taken(path, axis="0").frames) == 5
    assert taken(path).frames[0].spacing_mm == (0.5, 0.5)


def test_a_range_gives_what_all_of_it_gives(write_mha, taken, clip):
    values = clip.astype("<u2") * 16
    path = write_mha(values, **fields((0, 1, 2, 3, 4, 5), Seq_Frame0004_ImageStatus="INVALID"))
    whole = taken(path)
    part = Range((3, 4, 5), (3, 4, 5), 0, 6, False, True, full=float(values.max()))
    got = taken(path, within=part)
    assert [(frame.index, frame.time_s, frame.fault) for frame in got.frames] == [
        (frame.index, frame.time_s, frame.fault) for frame in whole.frames[3:]
    ]
    assert all(
        (a.pixels is None and b.pixels is None) or np.array_equal(a.pixels, b.pixels)
        for a, b in zip(got.frames, whole.frames[3:], strict=True)
    )
    assert got.notes.metadata == whole.notes.metadata
