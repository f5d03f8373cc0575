"""Reading DICOM against pydicom's own per-frame decoding, syntax by syntax. A ratio, not a boast.

    python tests/bench/dicom_speed.py [--frames 40] [--repeat 3] [--media DIR]

Both give every frame of the same cine as gray or RGB, one at a time, in one process, and throw it away. pydicom's
side is `pydicom.pixels.iter_pixels`, which decodes frame by frame and brings YBR to RGB, and its colour tables where
the file has one; it leaves deep gray as it is, where usfm finds one scale for the clip and brings it to 8 bits. Runs
alternate; the least processor time of each counts. Above 1 the reader of usfm is the faster one. `--media` adds the
files of a folder.
"""

import argparse
import importlib.util
import tempfile
import time
import warnings
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
HEIGHT, WIDTH = 480, 640


def _making():
    spec = importlib.util.spec_from_file_location("making", ROOT / "extract" / "readers" / "conftest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _speckle(frames: int, bits: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.rayleigh(60, (HEIGHT + frames, WIDTH)).astype(np.float32), (5, 5), 1.2).clip(0, 255)
    wide *= (2**bits - 1) / 255
    kind = np.uint8 if bits == 8 else np.uint16
    return [np.ascontiguousarray(wide[n : n + HEIGHT]).astype(kind) for n in range(frames)]


def make(folder: Path, frames: int) -> list[Path]:
    """Write one cine for each syntax."""
    import jpeg_ls

    tool = _making()
    gray, deep = _speckle(frames), _speckle(frames, 12)
    rgb = [np.repeat(one[..., None], 3, 2) for one in gray]
    for one in rgb:
        one[100:200, 200:300] = (200, 60, 30)
    colour = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
    twelve = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    few = max(frames // 8, 2)
    lossless = tool.by_gdcm(folder, gray[0], "1.2.840.10008.1.2.4.70", 8)

    def ls(one: np.ndarray, bits: int) -> bytes:
        return bytes(jpeg_ls.encode_buffer(one.tobytes(), *one.shape, 1, bits))

    ybr = colour | {"PhotometricInterpretation": "YBR_FULL"}
    halved, turned = (colour | {"PhotometricInterpretation": one} for one in ("YBR_FULL_422", "YBR_RCT"))
    compressed = {
        "jpeg gray": (tool.BASELINE, [tool.jpeg(one) for one in gray], {}),
        "jpeg 4:2:2": (tool.BASELINE, [tool.jpeg(one, subsampling="4:2:2") for one in rgb], halved),
        "jpeg 4:4:4": (tool.BASELINE, [tool.jpeg(one) for one in rgb], ybr),
        "jpeg lossless": ("1.2.840.10008.1.2.4.70", [lossless] * frames, {}),
        "jpeg-ls": ("1.2.840.10008.1.2.4.80", [ls(one, 8) for one in gray], {}),
        "jpeg-ls 12 bits": ("1.2.840.10008.1.2.4.80", [ls(one, 12) for one in deep], twelve),
        "jpeg 2000 gray": ("1.2.840.10008.1.2.4.90", [tool.jpeg_2000(one) for one in gray[:few]], {}),
        "jpeg 2000 rgb": ("1.2.840.10008.1.2.4.90", [tool.jpeg_2000(one) for one in rgb[:few]], turned),
        "rle": (tool.RLE, [_rle(one) for one in gray], {}),
    }
    native = {"native gray": (gray, {}), "native rgb": (rgb, colour | {"PhotometricInterpretation": "RGB"}),
              "native 12 bits": (deep, twelve), "native ybr": (rgb, ybr)}  # fmt: skip
    paths = []
    for name, (syntax, packed, tags) in compressed.items():
        data = tool.data_set(HEIGHT, WIDTH, NumberOfFrames=len(packed), FrameTime=40.0, **tags)
        paths.append(tool.save(folder / f"{name}.dcm", data, syntax, None, fragments=[[one] for one in packed]))
    for name, (drawn, tags) in native.items():
        if name == "native ybr":
            drawn = [tool.ybr_of(one) for one in drawn]
        data = tool.data_set(HEIGHT, WIDTH, NumberOfFrames=frames, FrameTime=40.0, **tags)
        paths.append(tool.save(folder / f"{name}.dcm", data, tool.EXPLICIT, np.stack(drawn).tobytes()))
    return paths


def _rle(pixels: np.ndarray) -> bytes:
    """One segment of run lengths, as TIFF has them too."""
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "TIFF", compression="packbits")
    with Image.open(stream) as image:
        starts, sizes = image.tag_v2[273], image.tag_v2[279]
    raw = stream.getvalue()
    segment = b"".join(raw[at : at + size] for at, size in zip(starts, sizes, strict=True))
    return np.array([1, 64, *[0] * 14], "<u4").tobytes() + segment


def ours(path: Path) -> int:
    """Read every frame; returns how many."""
    from usfm.extract.media import Media
    from usfm.extract.readers.contract import Notes
    from usfm.extract.readers.dicom.reader import DicomReader
    from usfm.extract.sampling import Sampling

    return sum(one.pixels is not None for one in DicomReader().read(Media(str(path)), Sampling(None), Notes()))


def pydicoms(path: Path) -> int:
    """Decode every frame by pydicom; returns how many."""
    import pydicom
    from pydicom.pixels import apply_color_lut, iter_pixels

    data = pydicom.dcmread(path, stop_before_pixels=True)
    palette = data.PhotometricInterpretation == "PALETTE COLOR"
    return sum(1 for one in iter_pixels(path) if (apply_color_lut(one, data) if palette else one) is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--media", type=Path)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        paths = make(Path(folder), asked.frames)
        paths += sorted(one for one in asked.media.rglob("*") if one.is_file()) if asked.media else []
        for path in paths:
            best = {}
            try:
                for _ in range(asked.repeat):
                    for name, read in (("usfm", ours), ("pydicom", pydicoms)):
                        started = time.process_time()
                        count = read(path)
                        best[name] = min(best.get(name, 9e9), (time.process_time() - started) / count)
            except Exception as error:
                print(f"{path.stem:28} {type(error).__name__}")
                continue
            ratio = best["pydicom"] / best["usfm"]
            times = "  ".join(f"{name} {1e3 * best[name]:7.2f} ms" for name in ("usfm", "pydicom"))
            print(f"{path.stem:28} {times}  {ratio:6.2f}")


if __name__ == "__main__":
    main()
