"""TIFF: one scale for all pages of a stack, every layout right or rejected, reduced copies left out."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from usfm.errors import MediaError
from usfm.extract import plan
from usfm.extract.labels import Facts
from usfm.extract.media import Media
from usfm.extract.readers.contract import Notes
from usfm.extract.readers.image import ImageReader
from usfm.extract.sampling import Sampling
from usfm.extract.scan import ScanTask, loads, scan
from usfm.extract.sources import find

READER = ImageReader()
RAMP = np.tile(np.linspace(0, 1, 64), (24, 1))
COLOUR = np.dstack([RAMP, RAMP[:, ::-1], RAMP * 0.5])
NOISE = np.random.default_rng(0).integers(0, 256, (96, 128)).astype(np.uint8)


def read(path, sampling=Sampling(None)):
    notes = Notes()
    return [frame.pixels for frame in READER.read(Media(str(path)), sampling, notes)], notes


@pytest.mark.parametrize("kind, tops", [
    ("u2", (250, 251)), ("u2", (2000, 5000)), ("u2", (300, 60000)), (">u2", (900, 4000)), ("i2", (100, 3000)),
    ("i2", (4000, 32000)), ("u4", (300, 50000)), ("f4", (0.3, 0.9)), ("f4", (0.9, 1.35)), ("f8", (40, 255)),
    ("f8", (0.2, 7.5)), ("f2", (0.5, 1.0)), ("u8", (200, 900)),
])  # fmt: skip
def test_pages_keep_their_ratio_whatever_the_samples_are(tmp_path, kind, tops):
    stack = np.stack([RAMP * top for top in (*tops, tops[0])]).astype(kind)
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="minisblack", byteorder=">" if ">" in kind else "<")
    pixels, _ = read(tmp_path / "s.tif")
    low, high, again = (float(page.max()) for page in pixels)
    assert low == again
    assert abs(low / high - float(stack[0].max()) / float(stack[1].max())) < 1.5 / high
    assert high > 14


def test_ranges_and_thinning_keep_the_scale_of_the_whole_stack(tmp_path, monkeypatch):
    stack = np.stack([RAMP * top for top in (900, 800, 700, 40000)]).astype("u2")
    tifffile.imwrite(tmp_path / "s.tif", stack, photometric="minisblack")
    whole, _ = read(tmp_path / "s.tif")
    assert [int(page.max()) for page in read(tmp_path / "s.tif", Sampling(None, limit=1))[0]] == [int(whole[0].max())]
    monkeypatch.setattr(plan, "PART_BYTES", RAMP.size * 3 * 2)
    source = find([str(tmp_path)]).sources[0]
    cut = plan.pieces(
        [source],
        loads(scan(ScanTask((source,), plan.PART_BYTES))),
        {"s.tif": Facts()},
        Sampling(),
        None,
        hide_paths=False,
    )
    ranged = [frame.pixels for piece in cut for frame in READER.read(source.media, Sampling(), Notes(), piece.within)]
    assert len(cut) == 2
    assert np.array_equal(ranged, whole)


@pytest.mark.parametrize("kind", ["u1", "u2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_white_is_zero_is_turned_round_at_every_depth(tmp_path, kind, compression):
    top = {"u1": 255, "u2": 65535}.get(kind, 1)
    gray = np.rint(RAMP * 255) / 255
    tifffile.imwrite(
        tmp_path / "w.tif", (top - gray * top).astype(kind), photometric="miniswhite", compression=compression
    )
    (pixels,), _ = read(tmp_path / "w.tif")
    assert np.abs(pixels - gray * 255).max() <= 1


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("kind, top", [("u1", 255), ("u2", 65535), ("u2", 4095), ("f4", 1)])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_colours_come_out_in_every_layout(tmp_path, planar, kind, top, tile):
    pixels = (COLOUR * top).astype(kind)
    stored = pixels if planar == "contig" else np.moveaxis(pixels, 2, 0).copy()
    tifffile.imwrite(tmp_path / "c.tif", stored, photometric="rgb", planarconfig=planar, tile=tile)
    (shown,), _ = read(tmp_path / "c.tif")
    assert np.abs(shown - COLOUR * 255).max() <= 1.01


def test_layouts_that_nobody_decodes_rightly_are_rejected_and_not_scrambled(tmp_path):
    cases = {
        "negative": dict(data=(RAMP * 100 - 20).astype("i1"), photometric="minisblack"),
        "wide": dict(data=(RAMP * 2**31).astype("u4"), photometric="minisblack"),
        "inks": dict(data=np.dstack([RAMP * 65535] * 4).astype("u2"), photometric="separated"),
        "raw": dict(data=(RAMP * 255).astype("u1"), photometric="cfa"),
    }
    for name, case in cases.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", **case)
        with pytest.raises(MediaError, match="unknown"):
            read(tmp_path / f"{name}.tif")


def test_lab_is_shown_in_its_colours(tmp_path):
    encoded = np.full((8, 8, 3), (138, 81, 70), np.uint8)  # a red: L 54, a 81, b 70
    tifffile.imwrite(tmp_path / "lab.tif", encoded, photometric="cielab")
    (pixels,), _ = read(tmp_path / "lab.tif")
    assert pixels[0, 0, 0] > 230
    assert pixels[0, 0, 1:].max() < 60


@pytest.mark.parametrize("flagged, first", [(True, "large"), (True, "small"), (False, "large")])
def test_reduced_copies_are_left_out_and_counted(tmp_path, flagged, first):
    smaller = [np.asarray(Image.fromarray(NOISE).reduce(factor)) for factor in (2, 4)]
    pages = [(NOISE, 0), *((page, int(flagged)) for page in smaller)]
    with tifffile.TiffWriter(tmp_path / "p.tif") as file:
        for page, subfile in pages if first == "large" else pages[::-1]:
            file.write(page, photometric="minisblack", subfiletype=subfile)
    pixels, notes = read(tmp_path / "p.tif")
    assert [page.shape for page in pixels] == [NOISE.shape]
    assert notes.metadata["reduced_pages"] == 2


def test_pages_below_a_page_are_no_frames_and_pages_of_other_sizes_are(tmp_path):
    with tifffile.TiffWriter(tmp_path / "sub.tif") as file:
        file.write(NOISE, photometric="minisblack", subifds=1)
        file.write(NOISE[::2, ::2], photometric="minisblack", subfiletype=1)
    assert len(read(tmp_path / "sub.tif")[0]) == 1
    with tifffile.TiffWriter(tmp_path / "sizes.tif") as file:
        for side in range(20, 120):
            file.write(np.random.default_rng(side).integers(0, 256, (side, 2 * side)).astype("u1"))
    pixels, notes = read(tmp_path / "sizes.tif")
    assert len(pixels) == notes.frames == 100
    assert notes.metadata == {"page_sizes": 100}


@pytest.mark.parametrize("kind", ["u1", "u2"])
@pytest.mark.parametrize("share", [0.3, 0.55, 0.7, 0.99])
def test_a_stack_cut_short_keeps_the_pages_before(tmp_path, kind, share):
    wanted = NOISE.astype(kind)
    with tifffile.TiffWriter(tmp_path / "s.tif") as file:
        for _ in range(6):
            file.write(wanted * (1 if kind == "u1" else 257), photometric="minisblack", contiguous=False, metadata=None)
    data = (tmp_path / "s.tif").read_bytes()
    (tmp_path / "s.tif").write_bytes(data[: int(len(data) * share)])
    frames = []
    with pytest.raises(MediaError, match="truncated"):
        frames.extend(READER.read(Media(str(tmp_path / "s.tif")), Sampling(None), Notes()))
    assert len(frames) == int(6 * share)
    assert all(np.array_equal(frame.pixels, NOISE) for frame in frames)


def test_a_palette_in_eight_of_its_sixteen_bits_is_shown_and_not_black(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (3, 256)).astype("u2")
    for factor in (1, 257):
        tifffile.imwrite(tmp_path / "p.tif", NOISE, photometric="palette", colormap=colours * factor)
        assert np.array_equal(read(tmp_path / "p.tif")[0][0], colours.T.astype("u1")[NOISE])


def test_pages_that_only_a_description_names_are_told(tmp_path):
    text = "ImageJ=1.53\nimages=40\nslices=40\n"
    tifffile.imwrite(tmp_path / "v.tif", NOISE, photometric="minisblack", description=text, metadata=None)
    pixels, notes = read(tmp_path / "v.tif")
    assert len(pixels) == 1
    assert [fault.reason for fault in notes.faults] == ["further pages"]
    tifffile.imwrite(tmp_path / "i.tif", np.stack([NOISE] * 3), imagej=True)
    pixels, notes = read(tmp_path / "i.tif")
    assert len(pixels) == 3
    assert not notes.faults
