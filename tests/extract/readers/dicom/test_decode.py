"""Every transfer syntax with every photometric interpretation that can be made here, against what went in."""

import cv2
import jpeg_ls
import numpy as np
import pydicom
import pytest

from usfm.extract.readers.dicom.colour import to_rgb

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE, DEFLATED_FRAMES = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.1"
BASELINE, EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
LOSSLESS, FIRST_ORDER = "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70"
JPEG_LS, NEAR = "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"
J2K_LOSSLESS, J2K, HTJ2K = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.840.10008.1.2.4.201"
NATIVE = (IMPLICIT, EXPLICIT, BIG, DEFLATED)
RAMP_HTJ2K = (
    "ff4fff510029400000000008000000080000000000000000000000080000000800000000000000000001070101ff500008000200000002"
    "ff52000c00020001000504044001ff5c00132048505050505050505050505050484848ff64001700014f70656e4a50482056657220302e"
    "32362e332eff90000a0000000000490001ff93c025db008774000000c012c01280e2000774002201877400c012c013000000c274008e8e"
    "00435400c025805480aaa9e27400bef7fec00001ecb600ffd9"
)
"""4 * arange(64) as 8x8 of 8 bits, without loss; OpenJPH wrote it, since no codec of ours writes HTJ2K."""


def color_tags(photometric, planar=0):
    return {"SamplesPerPixel": 3, "PhotometricInterpretation": photometric, "PlanarConfiguration": planar}


def deep_tags(bits, signed=0):
    return {"BitsAllocated": 16, "BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": signed}


def reference(path):
    return pydicom.pixels.pixel_array(pydicom.dcmread(path))


def near(got, wanted, most=1):
    assert got.shape == wanted.shape
    assert np.abs(got.astype(int) - wanted.astype(int)).max() <= most


@pytest.mark.parametrize("syntax", NATIVE)
class TestNative:
    def test_gray(self, bench, tmp_path, syntax):
        frames = [bench.scene(number) for number in range(3)]
        pixels = np.stack(frames).tobytes()
        for colour, wanted in (("MONOCHROME2", frames), ("MONOCHROME1", [255 - frame for frame in frames])):
            data = bench.data_set(NumberOfFrames=3, PhotometricInterpretation=colour)
            got, _ = bench.read(bench.save(tmp_path / "a.dcm", data, syntax, pixels))
            for one, frame in zip(got, wanted, strict=True):
                near(one.pixels, frame, 0)

    def test_colour_in_both_planar_configurations(self, bench, tmp_path, syntax):
        rgb = bench.scene(color=True)
        for colour, values in (("RGB", rgb), ("YBR_FULL", bench.ybr_of(rgb))):
            for planar, pixels in ((0, values), (1, np.moveaxis(values, 2, 0))):
                data = bench.data_set(**color_tags(colour, planar))
                path = bench.save(tmp_path / "a.dcm", data, syntax, pixels.tobytes())
                got, _ = bench.read(path)
                near(got[0].pixels, rgb, 0 if colour == "RGB" else 2)
                near(got[0].pixels, reference(path))

    def test_colour_for_pairs_of_columns(self, bench, tmp_path, syntax):
        rgb = bench.scene(color=True)
        ybr = bench.ybr_of(rgb)
        ybr[:, 1::2, 1:] = ybr[:, ::2, 1:]
        four = np.stack([ybr[:, ::2, 0], ybr[:, 1::2, 0], ybr[:, ::2, 1], ybr[:, ::2, 2]], -1)
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**color_tags("YBR_FULL_422")), syntax, four.tobytes())
        near(bench.read(path)[0][0].pixels, reference(path))

    def test_limited_range(self, bench, tmp_path, syntax):
        rgb = bench.scene(color=True)
        ybr = bench.ybr_of(rgb).astype(float)
        low = np.stack([16 + ybr[..., 0] * 219 / 255, *(128 + (ybr[..., c] - 128) * 224 / 255 for c in (1, 2))], -1)
        low = np.rint(low).astype(np.uint8)
        four = np.stack([low[:, ::2, 0], low[:, 1::2, 0], low[:, ::2, 1], low[:, ::2, 2]], -1)
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**color_tags("YBR_PARTIAL_422")), syntax, four.tobytes())
        got = bench.read(path)[0][0].pixels
        near(got[:, :20], rgb[:, :20], 3)
        near(got[28:36, 28:36], rgb[28:36, 28:36], 4)

    def test_deep_gray(self, bench, tmp_path, syntax):
        order = ">u2" if syntax == BIG else "<u2"
        for bits in (10, 12, 16):
            deep = bench.scene(bits=bits)
            path = bench.save(
                tmp_path / "a.dcm", bench.data_set(**deep_tags(bits)), syntax, deep.astype(order).tobytes()
            )
            near(bench.read(path)[0][0].pixels, deep / (2**bits - 1) * 255)


def test_lossy_jpeg_of_12_bits(bench, tmp_path):
    blocks = np.array([[0, 4095, 1000], [2048, 7, 3333]])
    data = bench.data_set(rows=16, columns=24, **deep_tags(12))
    path = bench.save(tmp_path / "a.dcm", data, EXTENDED, None, fragments=[[bench.jpeg_of_12_bits(blocks)]])
    near(bench.read(path)[0][0].pixels, blocks.repeat(8, 0).repeat(8, 1) / 4095 * 255)


@pytest.mark.parametrize("down, along, claimed", [(1, 1, "YBR_FULL"), (1, 2, "YBR_FULL_422"), (2, 2, "YBR_FULL_422")])
def test_lossy_jpeg_of_12_bits_in_colour_whatever_its_resolution(bench, tmp_path, down, along, claimed):
    gray = np.array([[0, 4095, 1000, 600], [2048, 7, 3333, 900]])
    blue = np.linspace(1800, 2400, 8 // down // along).astype(int).reshape(2 // down, 4 // along)
    packed = bench.jpeg_of_12_bits(gray, blue, 4095 - blue)
    tags = color_tags(claimed) | deep_tags(12)
    path = bench.save(
        tmp_path / "a.dcm", bench.data_set(rows=16, columns=32, **tags), EXTENDED, None, fragments=[[packed]]
    )
    got = bench.read(path)[0][0].pixels
    wide = [gray.repeat(8, 0).repeat(8, 1)]
    wide += [
        cv2.resize(one.astype(np.float32), (32, 16), interpolation=cv2.INTER_NEAREST) for one in (blue, 4095 - blue)
    ]
    flat = np.stack([np.right_shift(one.astype(int), 4) for one in wide], -1).astype(np.uint8)
    wanted = to_rgb(flat, "ybr")
    for row, column in np.ndindex(2, 4):  # at the middle of each block of colours they are those of the block
        at = (slice(8 * row + 3, 8 * row + 5), slice(8 * column + 3, 8 * column + 5))
        near(got[at], wanted[at], 3)


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_lossless_jpeg(bench, tmp_path, bits):
    frame = bench.scene(bits=bits)
    for syntax in (LOSSLESS, FIRST_ORDER):
        packed = bench.by_gdcm(tmp_path, frame, syntax, bits)
        tags = deep_tags(bits) if bits > 8 else {}
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), syntax, None, fragments=[[packed], [packed]])
        near(bench.read(path)[0][0].pixels, frame / (2**bits - 1) * 255, 1)


def test_lossless_jpeg_of_colour_is_converted_only_where_the_header_says_ybr(bench, tmp_path):
    rgb = bench.scene(color=True)
    ybr = bench.ybr_of(rgb)
    for colour, written, values, most in (("RGB", "RGB", rgb, 0), ("YBR_FULL", "YBR_FULL", ybr, 2),
                                          ("YBR_FULL", "RGB", ybr, 2), ("YBR_FULL", "RGB", rgb, 0)):  # fmt: skip
        packed = bench.by_gdcm(tmp_path, values, FIRST_ORDER, 8, written)
        path = bench.save(
            tmp_path / "a.dcm", bench.data_set(**color_tags(colour)), FIRST_ORDER, None, fragments=[[packed]]
        )
        near(bench.read(path)[0][0].pixels, rgb, most)


@pytest.mark.parametrize("syntax", [BASELINE, EXTENDED])
def test_baseline_gray_and_colour_are_what_pydicom_decodes(bench, tmp_path, syntax):
    for pixels, tags, options in (
        (bench.scene(), {}, {}),
        (bench.scene(color=True), color_tags("YBR_FULL_422"), {"subsampling": "4:2:2"}),
        (bench.scene(color=True), color_tags("YBR_FULL"), {}),
    ):
        packed = bench.jpeg(pixels, **options)
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), syntax, None, fragments=[[packed]])
        near(bench.read(path)[0][0].pixels, reference(path))


@pytest.mark.parametrize("header", ["RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_PARTIAL_420"])
@pytest.mark.parametrize(
    "options",
    [
        {"keep_rgb": False},  # JFIF
        {"keep_rgb": True},  # Adobe's marker, and the letters R, G, B
        {"keep_rgb": True, "markers": False},  # the letters alone
        {"keep_rgb": True, "ids": (1, 2, 3)},  # the marker alone
        {"keep_rgb": False, "markers": False, "subsampling": "4:2:0"},  # colour at a lower resolution
        {"keep_rgb": True, "markers": False, "ids": (1, 2, 3)},  # nothing: the pixels themselves
        {"keep_rgb": False, "markers": False, "ids": (1, 2, 3)},
        {"keep_rgb": False, "markers": False, "ids": (0, 1, 2)},
    ],
)
def test_a_jpegs_colours_are_converted_exactly_once_whatever_the_header_says(bench, tmp_path, header, options):
    rgb = bench.scene(color=True)
    packed = bench.jpeg(rgb, quality=98, **options)
    path = bench.save(tmp_path / "a.dcm", bench.data_set(**color_tags(header)), BASELINE, None, fragments=[[packed]])
    got = bench.read(path)[0][0].pixels
    near(got[4:, :8], rgb[4:, :8], 8)
    near(got[28:36, 28:36], rgb[28:36, 28:36], 12)


@pytest.mark.parametrize("header, values_are", [("YBR_FULL", "rgb"), ("YBR_FULL_422", "rgb"), ("RGB", "ybr")])
def test_native_colours_that_the_header_mislabels_are_right_and_told(bench, tmp_path, header, values_are):
    rgb = bench.scene(color=True)
    values = rgb if values_are == "rgb" else bench.ybr_of(rgb)
    path = bench.save(tmp_path / "a.dcm", bench.data_set(**color_tags(header)), EXPLICIT, values.tobytes())
    got, notes = bench.read(path)
    near(got[0].pixels, rgb, 2)
    assert notes.metadata["colours_mislabelled"]


def test_run_lengths(bench, tmp_path):
    rgb = bench.scene(color=True)
    deep = bench.scene(bits=12)
    for pixels, tags, wanted, most in (
        (bench.scene(), {}, bench.scene(), 0),
        (rgb, color_tags("RGB"), rgb, 0),
        (bench.ybr_of(rgb), color_tags("YBR_FULL"), rgb, 2),
        (deep, deep_tags(12), deep / 4095 * 255, 1),
    ):
        data = bench.data_set(**tags)
        data.PixelData = pixels.tobytes()
        data.file_meta = pydicom.dataset.FileMetaDataset()
        data.file_meta.TransferSyntaxUID = EXPLICIT
        data["PixelData"].VR = "OW" if pixels.itemsize > 1 else "OB"
        data.compress(RLE, generate_instance_uid=False)
        packed = next(pydicom.encaps.generate_frames(data.PixelData, number_of_frames=1))
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), RLE, None, fragments=[[packed]])
        near(bench.read(path)[0][0].pixels, wanted, most)


def test_deflated_frames(bench, tmp_path):
    import zlib

    deflate = zlib.compressobj(wbits=-15)
    packed = deflate.compress(bench.scene().tobytes()) + deflate.flush()
    path = bench.save(tmp_path / "a.dcm", bench.data_set(), DEFLATED_FRAMES, None, fragments=[[packed]])
    near(bench.read(path)[0][0].pixels, bench.scene(), 0)


@pytest.mark.parametrize("syntax, error", [(JPEG_LS, 0), (NEAR, 2)])
def test_jpeg_ls(bench, tmp_path, syntax, error):
    rgb = bench.scene(color=True)
    cases = [(bench.scene(), {}, bench.scene(), 0), (bench.scene(bits=12), deep_tags(12), None, 0)]
    cases += [(rgb, color_tags("RGB"), rgb, mode) for mode in (0, 1, 2)]
    cases += [(bench.ybr_of(rgb), color_tags("YBR_FULL"), rgb, 2)]
    for pixels, tags, wanted, mode in cases:
        planes = np.ascontiguousarray(np.moveaxis(pixels, 2, 0)) if pixels.ndim == 3 and mode == 0 else pixels
        packed = bytes(
            jpeg_ls.encode_buffer(
                planes.tobytes(), *pixels.shape[:2], 3 if pixels.ndim == 3 else 1, tags.get("BitsStored", 8),
                lossy_error=error, interleave_mode=mode,
            )
        )  # fmt: skip
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), syntax, None, fragments=[[packed]])
        wanted = pixels / 4095 * 255 if wanted is None else wanted
        near(bench.read(path)[0][0].pixels, wanted, 2 + 4 * error if "YBR_FULL" in tags.values() else 1 + error)


def test_jpeg_2000(bench, tmp_path):
    rgb, ybr = bench.scene(color=True), bench.ybr_of(bench.scene(color=True))
    for pixels, tags, transform, most in (
        (bench.scene(), {}, False, 0),
        (bench.scene(bits=12), deep_tags(12), False, 1),
        (bench.scene(bits=16), deep_tags(16), False, 1),
        (rgb, color_tags("YBR_RCT"), True, 0),
        (rgb, color_tags("RGB"), True, 0),
        (rgb, color_tags("YBR_FULL"), True, 0),  # the codestream knows that it turned the colours
        (rgb, color_tags("RGB"), False, 0),
        (rgb, color_tags("YBR_RCT"), False, 0),
        (ybr, color_tags("YBR_FULL"), False, 2),
    ):
        bits = tags.get("BitsStored", 8)
        packed = bench.jpeg_2000(pixels, transform=transform, bits=bits)
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), J2K_LOSSLESS, None, fragments=[[packed]])
        wanted = pixels / (2**bits - 1) * 255 if pixels.ndim == 2 else rgb
        near(bench.read(path)[0][0].pixels, wanted, most)


def test_htj2k(bench, tmp_path):
    data = bench.data_set(rows=8, columns=8)
    path = bench.save(tmp_path / "a.dcm", data, HTJ2K, None, fragments=[[bytes.fromhex(RAMP_HTJ2K)]])
    near(bench.read(path)[0][0].pixels, 4 * np.arange(64).reshape(8, 8), 0)


@pytest.mark.parametrize("syntax, codec, container", [
    ("1.2.840.10008.1.2.4.100", "mpeg2video", "mpeg2video"), ("1.2.840.10008.1.2.4.101", "mpeg2video", "vob"),
    ("1.2.840.10008.1.2.4.102", "libx264", "h264"), ("1.2.840.10008.1.2.4.103", "libx264", "mpegts"),
    ("1.2.840.10008.1.2.4.102.1", "libx264", "h264"), ("1.2.840.10008.1.2.4.107", "libx265", "hevc"),
])  # fmt: skip
def test_video_streams_are_what_pyav_decodes(bench, tmp_path, syntax, codec, container):
    import io

    import av

    stream = bench.video([bench.scene(number, color=True) for number in range(10)], codec, container)
    tags = color_tags("YBR_PARTIAL_420") | {"NumberOfFrames": 10, "FrameTime": 50.0, "FrameIncrementPointer": 0x181063}
    pieces = [stream] if not syntax.endswith(".1") else [stream[:1000], stream[1000:1500], stream[1500:]]
    path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), syntax, None, fragments=[pieces], table=False)
    with av.open(io.BytesIO(stream)) as opened:
        wanted = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    got, notes = bench.read(path)
    assert len(got) == len(wanted) == notes.frames == 10
    assert not notes.faults
    for one, frame in zip(got, wanted, strict=True):
        near(one.pixels, frame, 1)
    step = 0.05 if container in ("mpeg2video", "h264", "hevc") else 0.04  # a container has times of its own
    assert [one.time_s for one in got] == pytest.approx([step * number for number in range(10)], abs=1e-3)


def test_palettes_plain_and_segmented(bench, tmp_path):
    indices = bench.scene() // 16
    table = np.stack([np.arange(16) * 17, 255 - np.arange(16) * 17, np.full(16, 9)], -1).astype(np.uint8)
    told = {"PhotometricInterpretation": "PALETTE COLOR"}
    plain, wide, segmented = dict(told), dict(told), dict(told)
    for channel, name in enumerate(("Red", "Green", "Blue")):
        column = table[:, channel]
        plain |= {f"{name}PaletteColorLookupTableDescriptor": [16, 0, 8],
                  f"{name}PaletteColorLookupTableData": column.tobytes()}  # fmt: skip
        wide |= {f"{name}PaletteColorLookupTableDescriptor": [16, 0, 16],
                 f"{name}PaletteColorLookupTableData": (column.astype("<u2") * 257).tobytes()}  # fmt: skip
        first, last = int(column[0]) * 257, int(column[-1]) * 257
        words = [0, 1, first, 1, 15, last]
        segmented |= {f"{name}PaletteColorLookupTableDescriptor": [16, 0, 16],
                      f"Segmented{name}PaletteColorLookupTableData": np.array(words, "<u2").tobytes()}  # fmt: skip
    for tags in (plain, wide, segmented):
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), EXPLICIT, indices.tobytes())
        near(bench.read(path)[0][0].pixels, table[indices], 1)


def test_an_indirect_segment_repeats_earlier_ones(bench, tmp_path):
    words = [0, 2, 0, 0, 1, 4, 40 * 256, 2, 1, 8, 0]  # two zeros, a ramp to 40, and the segment at byte 8 again: flat
    told = {"PhotometricInterpretation": "PALETTE COLOR"}
    for name in ("Red", "Green", "Blue"):
        told |= {f"{name}PaletteColorLookupTableDescriptor": [10, 0, 16],
                 f"Segmented{name}PaletteColorLookupTableData": np.array(words, "<u2").tobytes()}  # fmt: skip
    pixels = np.arange(10, dtype=np.uint8).reshape(1, 10)
    path = bench.save(tmp_path / "a.dcm", bench.data_set(rows=1, columns=10, **told), EXPLICIT, pixels.tobytes())
    assert bench.read(path)[0][0].pixels[0, :, 0].tolist() == [0, 0, 10, 20, 30, 40, 40, 40, 40, 40]
