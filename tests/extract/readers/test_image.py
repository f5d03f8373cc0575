"""Stills: every bit depth and mode ends as the same eight bits that a viewer shows."""

import warnings

import numpy as np
import pytest
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
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def read(path, sampling=Sampling(None)):
    notes = Notes()
    return [frame.pixels for frame in READER.read(Media(str(path)), sampling, notes)], notes


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.tiff", "a.webp"])
def test_lossless_gray_comes_back(make_still, name):
    options = {"lossless": True} if name.endswith("webp") else {}
    (pixels,), notes = read(make_still(name, RAMP, **options))
    assert np.array_equal(pixels if pixels.ndim == 2 else pixels[:, :, 0], RAMP)
    assert notes.metadata == {}


def test_a_jpeg_is_close(make_still):
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 3
    (pixels,), _ = read(make_still("a.jpg", smooth, quality=95))
    assert np.abs(pixels.astype(int) - smooth).max() <= 6


@pytest.mark.parametrize("top, bits", [(200, 8), (4095, 12), (3000, 12), (65535, 16)])
def test_deep_gray_is_scaled_by_the_depth_it_uses(make_still, top, bits):
    deep = np.linspace(0, top, 256).astype(np.uint16).reshape(16, 16)
    for name in ("deep.png", "deep.tif"):
        (pixels,), notes = read(make_still(name, deep))
        full = {8: 255, 12: 4095, 16: 65535}[bits]
        assert np.array_equal(pixels, np.rint(deep * (255 / full)).astype(np.uint8))
        assert notes.metadata == ({} if bits == 8 else {"bits": bits})


def test_floating_point_in_one_or_255_and_nothing_else(make_still):
    unit = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    assert np.array_equal(read(make_still("f.tif", unit))[0][0], RAMP)
    assert np.array_equal(read(make_still("g.tif", unit * 255))[0][0], RAMP)
    for wrong in (unit * 300, unit - 0.5, np.full((4, 4), np.nan, np.float32)):
        with pytest.raises(MediaError, match="unknown intensity scale"):
            read(make_still("w.tif", wrong))


def test_palette_alpha_bits_and_cmyk(tmp_path):
    colours = np.zeros((16, 16, 3), np.uint8)
    colours[:, 8:] = (250, 20, 20)
    image = Image.fromarray(colours)
    image.quantize(4).save(tmp_path / "p.png")
    assert np.array_equal(read(tmp_path / "p.png")[0][0], colours)
    alpha = np.dstack([np.full((16, 16, 3), 200, np.uint8), np.repeat([[0, 255] * 8], 16, 0).astype(np.uint8)])
    Image.fromarray(alpha).save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png")[0][0][0, :, 0], [0, 200] * 8)
    Image.fromarray(RAMP > 99).save(tmp_path / "b.png")
    assert np.array_equal(read(tmp_path / "b.png")[0][0], np.where(RAMP > 99, 255, 0))
    image.convert("CMYK").save(tmp_path / "c.jpg", quality=98)
    assert read(tmp_path / "c.jpg")[0][0].shape == (16, 16, 3)


def test_the_orientation_tag_is_applied(tmp_path):
    image = Image.fromarray(RAMP[:8])
    for tag, shown in ((3, RAMP[:8][::-1, ::-1]), (6, np.rot90(RAMP[:8], -1))):
        exif = image.getexif()
        exif[0x0112] = tag
        image.save(tmp_path / "o.png", exif=exif)
        assert np.array_equal(read(tmp_path / "o.png")[0][0], shown)
        image.save(tmp_path / "o.tif", exif=exif)
        if tag == 3:
            assert np.array_equal(read(tmp_path / "o.tif")[0][0], shown)
        else:
            with pytest.raises(MediaError, match="turned TIFF"):
                read(tmp_path / "o.tif")


def test_pages_of_a_tiff_are_frames(tmp_path):
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in range(5)]
    pages[0].save(tmp_path / "s.tif", save_all=True, append_images=pages[1:])
    pixels, notes = read(tmp_path / "s.tif")
    assert [int(page[0, 0]) for page in pixels] == [0, 1, 2, 3, 4]
    assert notes.frames == 5
    assert [int(page[0, 0]) for page in read(tmp_path / "s.tif", Sampling(None, every=2, limit=2))[0]] == [0, 2]


def test_a_long_stack_is_read_in_ranges(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "PART_BYTES", 8 * 8 * 3 * 4)
    pages = [Image.fromarray(np.full((8, 8), value, np.uint8)) for value in range(10)]
    pages[0].save(tmp_path / "s.tif", save_all=True, append_images=pages[1:])
    source = find([str(tmp_path)]).sources[0]
    scans = loads(scan(ScanTask((source,), plan.PART_BYTES)))
    cut = plan.pieces([source], scans, {"s.tif": Facts()}, Sampling(), None, hide_paths=False)
    assert [piece.within.indices for piece in cut] == [(0, 1, 2, 3), (4, 5, 6, 7), (8, 9)]
    frames = [frame for piece in cut for frame in READER.read(source.media, Sampling(), Notes(), piece.within)]
    assert [(frame.index, int(frame.pixels[0, 0])) for frame in frames] == [(n, n) for n in range(10)]


def test_a_bomb_is_refused_before_it_is_decoded(make_still, monkeypatch):
    from usfm.extract.readers import image

    monkeypatch.setattr(image, "LARGEST_PX", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(MediaError, match="too large"):
            READER.probe(Media(str(make_still("big.png", RAMP))), stamps_above=1)


def test_a_cut_picture_is_rejected_not_half_shown(make_still):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    for name in ("a.png", "a.jpg", "a.bmp", "a.tif"):
        path = make_still(name, noise)
        path.write_bytes(path.read_bytes()[:-900])
        with pytest.raises(MediaError):
            read(path)


@pytest.mark.parametrize("name, options", [
    ("a.png", {}), ("a.webp", {"lossless": True, "exact": True}), ("a.tif", {}), ("a.tif", {"compression": "tiff_lzw"}),
])  # fmt: skip
def test_an_alpha_channel_of_zeros_was_never_filled_in_and_any_other_lies_over_black(tmp_path, name, options):
    for colours in (np.dstack([RAMP] * 3), RAMP):
        for alpha in (np.zeros_like(RAMP), np.where(RAMP > 99, 255, 0).astype(np.uint8)):
            Image.fromarray(np.dstack([colours, alpha])).save(tmp_path / name, **options)
            (pixels,), _ = read(tmp_path / name)
            wanted = np.where(alpha > 0, RAMP, 0) if alpha.any() else RAMP
            assert np.array_equal(pixels if pixels.ndim == 2 else pixels[:, :, 1], wanted)


def test_a_transparent_colour_or_palette_entry_lies_over_black_even_where_it_covers_everything(tmp_path):
    white = Image.new("L", (8, 8), 255)
    white.save(tmp_path / "a.png", transparency=255)
    white.convert("RGB").save(tmp_path / "b.png", transparency=(255, 255, 255))
    white.convert("P").save(tmp_path / "c.png", transparency=255)
    assert [int(read(tmp_path / f"{name}.png")[0][0].max()) for name in "abc"] == [0, 0, 0]


def test_healthy_files_with_long_or_broken_extras_are_read(tmp_path):
    from PIL import PngImagePlugin

    picture, texts = Image.fromarray(RAMP), PngImagePlugin.PngInfo()
    texts.add_itxt("XML:com.adobe.xmp", "x" * 3_000_000, zip=True)
    texts.add_text("Comment", "y" * 2_000_000, zip=True)
    picture.save(tmp_path / "text.png", pnginfo=texts)
    picture.save(tmp_path / "profile.png", icc_profile=bytes(3_000_000))
    picture.save(tmp_path / "profile.tif", icc_profile=bytes(3_000_000))
    picture.save(tmp_path / "exif.png", exif=b"Exif\0\0broken")
    for name in ("text.png", "profile.png", "profile.tif", "exif.png"):
        assert np.array_equal(read(tmp_path / name)[0][0], RAMP)
    picture.save(tmp_path / "a.jpg", quality=95, icc_profile=bytes(900_000), comment=b"z" * 60_000)
    assert read(tmp_path / "a.jpg")[0][0].shape == RAMP.shape


@pytest.mark.parametrize("name", ["a.jp2", "a.pgm", "a.ppm", "a.avif"])
def test_other_formats_are_read_by_their_first_bytes(tmp_path, make_still, name):
    from PIL import features

    if not features.check({"a.jp2": "jpg_2000", "a.avif": "avif"}.get(name, "zlib")):
        pytest.skip("this Pillow has no decoder for it")
    smooth = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8) * 4
    path = make_still(name, np.dstack([smooth] * 3) if name == "a.ppm" else smooth)
    path = path.rename(path.with_name("plain"))
    assert READER.recognises(path.read_bytes()[:4096])
    (pixels,), _ = read(path)
    assert np.abs((pixels if pixels.ndim == 2 else pixels[:, :, 0]).astype(int) - smooth).max() <= 8


def test_a_pgm_is_scaled_by_the_depth_that_it_declares(tmp_path):
    gray = (np.arange(64).reshape(8, 8) * 10).astype(">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5 # a comment\n8 8\n1023\n" + gray.tobytes())
    (tmp_path / "b.pgm").write_bytes(b"P2 8 8 1023 " + b" ".join(b"%d" % value for value in gray.ravel()))
    for name in ("a.pgm", "b.pgm"):
        assert np.abs(read(tmp_path / name)[0][0] - gray / 1023 * 255).max() <= 1


def test_deep_colours_of_a_png_use_their_depth(tmp_path):
    import cv2

    colours = np.dstack([RAMP, RAMP[::-1], RAMP // 2]).astype(np.uint16)
    for factor in (16, 257):
        cv2.imwrite(str(tmp_path / "a.png"), colours[:, :, ::-1] * factor)
        assert np.abs(read(tmp_path / "a.png")[0][0].astype(int) - colours).max() <= 1


def test_icons_are_no_media(tmp_path):
    from usfm.extract.readers import READERS

    Image.fromarray(RAMP).resize((32, 32)).convert("RGB").save(tmp_path / "a.ico")
    icon = (tmp_path / "a.ico").read_bytes()
    for head in (icon, icon[:2] + b"\2\0" + icon[4:], b"icns\0\0\1\0ic07"):
        assert not any(reader.recognises(head[:4096]) for reader in READERS.values())


def test_formats_without_a_reader_are_told_by_name(tmp_path):
    for name in ("a.png", "b.tga"):
        Image.fromarray(RAMP).save(tmp_path / name)
    (tmp_path / "c.jxl").write_bytes(b"\xff\x0a" + bytes(40))
    assert {one.relative: one.fault for one in find([str(tmp_path)]).sources} == {
        "a.png": "", "b.tga": "no reader for TGA yet", "c.jxl": "no reader for JPEG XL yet",
    }  # fmt: skip
