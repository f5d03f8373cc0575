"""Clean takes what is drawn and leaves what is tissue; it reads once a layout, and again when text appears."""

import logging
import socket

import cv2
import numpy as np
import pytest

from usfm.config import Request
from usfm.curate.clean import run as room
from usfm.curate.clean import text as text_module
from usfm.curate.clean.config import Config
from usfm.curate.clean.layout import LayoutOverlay
from usfm.curate.clean.text import TextBox, find_text, same_line
from usfm.imaging.region import Region
from usfm.store.assemble import write_store
from usfm.store.reader import Store
from usfm.store.writer import PartWriter

SHAPE = (160, 220)
HEADER, INSIDE = (8, 4, 110, 20), (70, 80, 150, 100)


def region():
    mask = np.zeros(SHAPE, bool)
    mask[30:150, 40:180] = True
    return mask


def tissue(seed):
    """A frame whose region holds fresh speckle."""
    speckle = cv2.GaussianBlur(np.random.default_rng(seed).normal(size=SHAPE).astype(np.float32), (0, 0), 1.2)
    frame = np.clip(80 + 30 * speckle / speckle.std(), 0, 180).astype(np.uint8)
    return np.where(region(), frame, 0).astype(np.uint8)


def write_on(frame, box, words="NAME 12", colour=255):
    return cv2.putText(frame.copy(), words, (box[0] + 2, box[3] - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1)


class FakeReader:
    """Finds the boxes whose place in the picture is bright, as a reader would, and counts how often it is asked."""

    def __init__(self, *boxes):
        self.boxes, self.calls = boxes, 0

    def __call__(self, picture):
        self.calls += 1
        gray = picture if picture.ndim == 2 else picture.max(axis=2)
        shown = [box for box in self.boxes if gray[box[1] : box[3], box[0] : box[2]].max() > 230]
        return [TextBox(tuple(map(float, box)), 0.99, 6) for box in shown]


def test_a_clip_is_read_once():
    reader = FakeReader(HEADER)
    layout = LayoutOverlay(region(), reader)
    masks = layout.look([write_on(tissue(i), HEADER) for i in range(24)])
    masks += layout.look([write_on(tissue(100 + i), HEADER) for i in range(24)])
    assert reader.calls == 1
    assert all(mask[4:20, 8:110].all() for mask in masks)
    assert not any((mask & region()).any() for mask in masks)


@pytest.mark.parametrize("box", [HEADER, INSIDE])
def test_text_that_appears_later_is_found(box):
    clean, written = [tissue(i) for i in range(24)], [write_on(tissue(50 + i), box) for i in range(24)]
    reader = FakeReader(box)
    layout = LayoutOverlay(region(), reader)
    masks = layout.look(clean + written)
    assert reader.calls == 2
    strokes = np.all(np.stack(written) > 235, axis=0)
    assert all(mask[strokes].all() for mask in masks[24:])
    if box == INSIDE:
        assert not any(mask.any() for mask in masks[:24]), "tissue is not filled before the text comes"


def test_text_of_a_single_frame_outside_the_region_is_found():
    frames = [tissue(i) for i in range(16)]
    frames[11] = write_on(frames[11], HEADER)
    masks = LayoutOverlay(region(), FakeReader(HEADER)).look(frames)
    assert masks[11][frames[11] > 235].mean() > 0.99


def test_moving_tissue_is_not_lost_to_a_false_find():
    decoy = (60, 60, 160, 90)
    frames = [tissue(i) for i in range(24)]
    layout = LayoutOverlay(region(), lambda picture: [TextBox(decoy, 0.99, 8)])
    lost = np.mean([(mask & region()).sum() / region().sum() for mask in layout.look(frames)])
    assert lost < 0.002


def test_text_over_moving_tissue_costs_little_more_than_its_strokes():
    frames = [write_on(tissue(i), INSIDE) for i in range(24)]
    strokes = np.all(np.stack(frames) > 235, axis=0)
    for mask in LayoutOverlay(region(), FakeReader(INSIDE)).look(frames):
        assert mask[strokes].all()
        assert mask.sum() < 0.8 * (INSIDE[2] - INSIDE[0]) * (INSIDE[3] - INSIDE[1])


def test_unreadable_finds_count_outside_the_region_only():
    boxes = [TextBox(HEADER, 0.1, 3), TextBox(INSIDE, 0.1, 3)]
    (mask,) = LayoutOverlay(region(), lambda picture: boxes).look([write_on(write_on(tissue(0), HEADER), INSIDE)])
    assert mask[4:20, 8:110].all()
    assert not (mask & region()).any()


def test_a_screen_that_never_rests_does_not_read_for_ever(monkeypatch):
    monkeypatch.setattr("usfm.curate.clean.layout.MOST_READINGS", 3)
    reader = FakeReader()
    layout = LayoutOverlay(region(), reader)
    layout.look([write_on(tissue(i), (8 + 7 * (i % 9), 4, 200, 18 + i % 8), f"{i:05d}") for i in range(40)])
    assert reader.calls == 3
    assert layout.unread > 0


def test_colour_is_found_frame_by_frame():
    frames = []
    for i in range(6):
        frame = np.repeat(tissue(i)[..., None], 3, 2)
        cv2.drawMarker(frame, (60 + 15 * i, 90), (255, 255, 0), cv2.MARKER_CROSS, 12, 2)
        frames.append(frame)
    masks = LayoutOverlay(region(), None).look(frames)
    assert all(mask[90, 60 + 15 * i] for i, mask in enumerate(masks))
    assert not masks[0][90, 120]
    assert not any(mask.any() for mask in LayoutOverlay(region(), None, ink=False).look(frames))


@pytest.fixture
def raw(tmp_path):
    """A coloured clip with a header and a moving caliper, and a still without anything."""
    part = PartWriter(class_names=("healthy", "ill"))
    clip = part.source(path="a.mp4", sha256="a" * 64, kind="video", fps=3.0, frames=10, patient="p1")
    row = part.region(Region(region(), "linear", None, 0.9, "manual"), "a#0")
    for i in range(10):
        frame = np.repeat(write_on(tissue(i), HEADER)[..., None], 3, 2)
        cv2.drawMarker(frame, (60 + 8 * i, 90), (0, 255, 0), cv2.MARKER_CROSS, 12, 2)
        part.frame(frame, frame_id=f"{'a' * 16}:{i}", source=clip, index=i, time_s=i / 3, region_row=row, label=1)
    still = part.source(path="b.png", sha256="b" * 64, kind="image", patient="p2", frames=1)
    row = part.region(Region(region(), "linear", None, 0.1, "still"), "b#0")
    part.frame(tissue(77), frame_id=f"{'b' * 16}:0", source=still, index=0, time_s=0.0, region_row=row, label=0)
    path = tmp_path / "raw.h5"
    write_store(path, part)
    return path


def clean(path, workers=1, out=None, **settings):
    request = Request(inputs=(str(path),), workers=workers, out=None if out is None else str(out), overwrite=True)
    summary = room.run(Config(**settings), request)
    return summary, Store.open(summary["out"])


def test_frames_are_filled_and_their_masks_kept(raw):
    before = Store.open(str(raw))
    summary, after = clean(raw, text="none")
    assert summary["frames_in"] == summary["frames_out"] == 11
    assert summary["frames_changed"] == 10
    for row in range(10):
        mask = after.overlay(int(after.column("overlay_row")[row]))
        assert mask[90, 60 + 8 * row]
        np.testing.assert_array_equal(after.frame(row)[~mask], before.frame(row)[~mask])
        assert (after.frame(row)[mask].max(axis=-1).astype(int) - after.frame(row)[mask].min(axis=-1)).max() < 30
    assert after.column("overlay_row")[10] == -1
    np.testing.assert_array_equal(after.frame(10), before.frame(10))
    np.testing.assert_array_equal(after.labels_class(), before.labels_class())


def test_the_result_does_not_depend_on_workers_and_again_changes_nothing(raw, tmp_path):
    _, one = clean(raw, text="none", out=tmp_path / "one.h5")
    _, two = clean(raw, text="none", out=tmp_path / "two.h5", workers=2)
    assert one.content_id == two.content_id
    _, again = clean(tmp_path / "one.h5", text="none", out=tmp_path / "again.h5")
    for row in range(len(one)):
        np.testing.assert_array_equal(again.frame(row), one.frame(row))
    assert (again.column("overlay_row") >= 0).tolist() == (one.column("overlay_row") >= 0).tolist()


def test_the_outside_is_black_on_request_but_not_around_a_guess(raw):
    _, after = clean(raw, text="none", outside_sector="blank")
    assert not after.frame(0)[~region()].any()
    before = Store.open(str(raw))
    np.testing.assert_array_equal(after.frame(10), before.frame(10))


def test_switches_turn_things_off(raw):
    summary, _ = clean(raw, text="none", color_markers=False)
    assert summary["frames_changed"] == 0


def test_the_report_shows_no_text(raw, tmp_path):
    clean(raw, text="none", report=str(tmp_path / "page"))
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Before and after" in page
    assert "NAME" not in page


def test_real_text_is_read_without_network_or_noise(monkeypatch, capfd):
    def refuse(*_args, **_more):
        raise OSError("no network here")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    frame = cv2.putText(np.zeros((240, 400), np.uint8), "DEPTH 12 cm", (30, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 255, 1)
    found = find_text(frame)
    assert any(box.is_readable() and box.characters >= 8 for box in found)
    left, top, right, bottom = found[0].box
    rows, columns = np.nonzero(frame)
    assert max(left - columns.min(), columns.max() - right, top - rows.min(), rows.max() - bottom) <= 3
    assert find_text(np.zeros((64, 80), np.uint8)) == []
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("RapidOCR").level >= logging.CRITICAL
    engine = text_module.reader()
    assert engine.cfg.EngineConfig.onnxruntime.intra_op_num_threads == 1


def test_a_round_head_is_no_letter():
    head = cv2.ellipse(np.full((240, 320), 10, np.uint8), (160, 120), (110, 90), 0, 0, 360, 230, 6)
    assert not [box for box in find_text(head) if box.is_readable()]


def test_one_line_found_twice_is_one_line():
    assert same_line((10, 10, 50, 20), (9, 9, 52, 21))
    assert same_line((10, 10, 30, 20), (9, 9, 80, 21)), "a piece of a line that is known"
    assert not same_line((9, 9, 80, 21), (10, 10, 30, 20)), "a line of which a piece is known"
    assert not same_line((10, 30, 50, 40), (10, 10, 50, 20))


@pytest.mark.parametrize(
    ("score", "characters", "readable"), [(0.99, 1, True), (0.7, 1, False), (0.7, 2, True), (0.9, 0, False)]
)
def test_what_counts_as_readable(score, characters, readable):
    assert TextBox((0, 0, 9, 9), score, characters).is_readable() == readable
