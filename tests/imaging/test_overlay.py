"""Ink is found, Doppler and moving tissue are left alone."""

import cv2
import numpy as np
import pytest

from usfm.imaging import overlay


def tissue(seed=0, shape=(200, 240)):
    generator = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(generator.normal(size=shape).astype(np.float32), (0, 0), 1.5)
    return np.clip(80 + 30 * speckle / speckle.std(), 0, 170).astype(np.uint8)


def written(image, text="HELLO 12", where=(40, 100), colour=255):
    return cv2.putText(image.copy(), text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.6, colour, 1, cv2.LINE_AA)


def fan(shape=(200, 240)):
    mask = np.zeros(shape, bool)
    mask[20:180, 40:200] = True
    return mask


def test_gray_frames_hold_no_ink():
    assert not overlay.colored_ink(tissue()).any()
    assert not overlay.colored_ink(np.repeat(tissue()[..., None], 3, 2)).any()


def test_a_tinted_gray_map_is_no_ink():
    tinted = (tissue()[..., None] * np.array([0.87, 0.9, 1.0])).astype(np.uint8)
    assert not overlay.colored_ink(tinted).any()


@pytest.mark.parametrize("colour", [(255, 255, 0), (0, 255, 0), (255, 0, 0), (80, 160, 255)])
def test_thin_colour_is_ink_and_little_else(colour):
    frame = np.repeat(tissue()[..., None], 3, 2)
    truth = np.zeros(frame.shape[:2], np.uint8)
    for canvas, value in ((frame, colour), (truth, 1)):
        cv2.line(canvas, (60, 60), (150, 120), value, 2)
        cv2.drawMarker(canvas, (120, 150), value, cv2.MARKER_CROSS, 12, 2)
    ink = overlay.colored_ink(frame, fan())
    assert ink[truth == 1].all()
    assert ink.sum() < 5 * truth.sum()


def test_a_doppler_box_is_kept_and_ink_beside_it_is_not():
    frame = np.repeat(tissue()[..., None], 3, 2)
    cv2.ellipse(frame, (120, 100), (30, 15), 20, 0, 360, (130, 20, 0), -1)
    cv2.ellipse(frame, (118, 99), (20, 10), 20, 0, 360, (230, 120, 0), -1)
    cv2.ellipse(frame, (125, 104), (12, 6), 20, 0, 360, (40, 60, 220), -1)
    flow = overlay.colored_ink(frame, fan())
    assert not flow.any()
    cv2.line(frame, (60, 160), (100, 165), (0, 255, 0), 1)
    ink = overlay.colored_ink(frame, fan())
    assert ink[160, 60]
    assert not ink[85:115, 90:150].any()


def test_lines_that_cross_are_ink():
    frame = np.repeat(tissue()[..., None], 3, 2)
    for row in range(40, 170, 24):
        cv2.line(frame, (50, row), (190, 210 - row), (255, 0, 0), 2)
    red = (frame[..., 0] > 200) & (frame[..., 1] < 50)
    assert overlay.colored_ink(frame, fan())[red].mean() > 0.95


def test_flat_discs_are_ink_and_do_not_shield_the_lines_between_them():
    frame = np.repeat(tissue()[..., None], 3, 2)
    cv2.line(frame, (60, 60), (180, 150), (90, 170, 255), 2)
    for column in (60, 120, 180):
        cv2.circle(frame, (column, 60 + 3 * (column - 60) // 4), 7, (90, 170, 255), -1)
    drawn = (frame[..., 2] == 255) & (frame[..., 0] == 90)
    assert overlay.colored_ink(frame, fan())[drawn].all()


def test_a_large_flat_disc_is_ink():
    frame = np.repeat(tissue()[..., None], 3, 2)
    cv2.circle(frame, (120, 100), 14, (255, 230, 40), -1)
    assert overlay.colored_ink(frame, fan())[86:115, 106:135].mean() > 0.7


def test_a_colour_map_is_not_ink():
    frame = np.repeat(tissue()[..., None], 3, 2)
    frame[60:140] = (60, 100, 160)
    assert not overlay.colored_ink(frame, fan())[50:150, 60:180].any()


def test_a_measuring_circle_does_not_take_the_tissue_inside_it():
    frame = np.repeat(tissue()[..., None], 3, 2)
    cv2.circle(frame, (120, 100), 40, (0, 255, 0), 2)
    assert not overlay.colored_ink(frame, fan())[75:125, 95:145].any()


def test_the_white_letter_of_a_logo_goes_with_it():
    frame = np.zeros((200, 240, 3), np.uint8)
    cv2.circle(frame, (18, 18), 12, (0, 80, 255), -1)
    cv2.putText(frame, "P", (13, 23), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    assert overlay.colored_ink(frame, fan())[frame.any(axis=2)].all()


def test_a_thick_logo_outside_the_region_is_ink():
    frame = np.repeat(tissue()[..., None], 3, 2)
    cv2.circle(frame, (15, 15), 10, (0, 80, 255), -1)
    cv2.circle(frame, (15, 15), 6, (200, 20, 90), -1)
    assert overlay.colored_ink(frame, fan())[15, 15]
    assert not overlay.colored_ink(frame, np.ones((200, 240), bool))[15, 15]


def test_spread_is_the_standard_deviation():
    frames = [tissue(i) for i in range(6)]
    np.testing.assert_allclose(overlay.spread_over_time(frames), np.stack(frames).astype(float).std(0), atol=1e-2)


def test_the_veto_needs_a_clip_that_moves():
    assert overlay.moves_like_tissue([tissue()] * 3) is None
    assert overlay.moves_like_tissue([tissue()] * 8) is None
    assert overlay.moves_like_tissue([tissue(i) for i in range(8)]).mean() > 0.9


def test_strokes_cover_the_text_and_spare_most_of_the_box():
    plain = tissue()
    image = written(plain)
    truth = image.astype(int) - plain > 60
    mask = overlay.text_mask(image, [(38, 82, 135, 106)])
    assert mask[truth].mean() > 0.98
    assert mask[82:106, 38:135].mean() < 0.75
    assert not mask[120:].any()


def test_dark_text_on_bright_ground_is_found():
    image = np.full((60, 160), 200, np.uint8)
    image = written(image, where=(10, 40), colour=20)
    assert overlay.stroke_mask(image, (8, 20, 110, 44))[image < 100].mean() > 0.9


def test_outside_the_region_the_whole_box_goes():
    region = fan()
    mask = overlay.text_mask(np.zeros((200, 240), np.uint8), [(2, 2, 38, 16)], region)
    assert mask[2:17, 2:39].all()
    assert not (mask & region).any()


def test_moving_strokes_are_never_taken_inside_the_region():
    frames = [written(tissue(i)) for i in range(10)]
    median = np.median(frames, axis=0).astype(np.uint8)
    moving = overlay.moves_like_tissue(frames)
    box, decoy = (38, 82, 135, 106), (60, 130, 160, 150)
    mask = overlay.text_mask(median, [box, decoy], fan(), moving)
    drawn = np.all(np.stack(frames) > 235, axis=0)
    assert mask[drawn].all()
    single = overlay.text_mask(frames[0], [decoy], fan(), moving)
    assert single.sum() < 0.02 * 100 * 20


def test_a_box_outside_the_frame_does_no_harm():
    assert not overlay.text_mask(tissue(), [(-50, -20, -10, -5), (300, 300, 320, 310)]).any()


def test_new_text_is_noticed_and_old_text_is_not():
    still = np.ones((200, 240), bool)
    nothing = np.zeros_like(still)
    before = written(np.zeros((200, 240), np.uint8))
    after = written(before, "NEW", (20, 30))
    assert not overlay.new_ink(before, [before], still, nothing).any()
    fresh = overlay.new_ink(after, [before], still, nothing)
    assert fresh[:40].sum() > 40
    assert not fresh[60:].any()
    assert not overlay.new_ink(after, [before, after], still, nothing).any()
    assert not overlay.new_ink(after, [before], nothing, nothing).any()
