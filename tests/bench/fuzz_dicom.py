"""Spoil DICOM files of every kind, read them, and count what must not be: a traceback, a crash, a hang, memory.

    python tests/bench/fuzz_dicom.py --files 3000 --seed 1

Each trial spoils one good file (see `fuzz_volumes.spoil`), looks at it and reads it in a child with a limit of time and
memory. It must be read, or rejected with a `MediaError`. A decoder that takes the child down counts as a crash; in a
run of `extract` that is a row (`reader crashed`), and here it is told.
"""

import argparse
import collections
import importlib.util
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
LIMIT_S = 10
LIMIT_BYTES = 4 << 30


def _loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


volumes = _loaded(HERE / "fuzz_volumes.py")
bench = _loaded(HERE.parent / "extract" / "readers" / "conftest.py")
COLOR = {"SamplesPerPixel": 3, "PlanarConfiguration": 0}
DEEP = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}


def _clip(folder: Path, syntax: str, frames: list[bytes], *, table: bool = True, **tags) -> bytes:
    data = bench.data_set(NumberOfFrames=len(frames), FrameTime=40.0, FrameIncrementPointer=0x00181063, **tags)
    path = folder / "good.dcm"
    native = not syntax.startswith("1.2.840.10008.1.2.4") and syntax != bench.RLE
    fragments = None if native else [[one] for one in frames]
    return bench.save(path, data, syntax, b"".join(frames), fragments=fragments, table=table).read_bytes()


def _rle(pixels: np.ndarray) -> bytes:
    """One segment of literal runs."""
    data = pixels.tobytes()
    runs = b"".join(bytes([len(data[at : at + 128]) - 1]) + data[at : at + 128] for at in range(0, len(data), 128))
    return np.array([1, 64, *[0] * 14], "<u4").tobytes() + runs


def seeds(folder: Path) -> dict[str, bytes]:
    """Good files: syntaxes, photometric interpretations, tables, a palette, a video, a disc's table of contents."""
    import jpeg_ls

    gray, deep, rgb = bench.scene(), bench.scene(bits=12), bench.scene(color=True)
    lossless = bench.by_gdcm(folder, deep, "1.2.840.10008.1.2.4.70", 12)
    ls = bytes(jpeg_ls.encode_buffer(gray.tobytes(), *gray.shape, 1, 8))
    video = bench.video([bench.scene(n, color=True) for n in range(5)], "libx264", "h264")
    table = np.arange(256, dtype=np.uint8).tobytes()
    words = np.array([0, 1, 0, 1, 255, 65535], "<u2").tobytes()
    palette, segmented = {"PhotometricInterpretation": "PALETTE COLOR"}, {"PhotometricInterpretation": "PALETTE COLOR"}
    for name in ("Red", "Green", "Blue"):
        palette |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8],
                    f"{name}PaletteColorLookupTableData": table}  # fmt: skip
        segmented |= {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16],
                      f"Segmented{name}PaletteColorLookupTableData": words}  # fmt: skip
    ybr, partial = {"PhotometricInterpretation": "YBR_FULL"}, {"PhotometricInterpretation": "YBR_PARTIAL_420"}
    window = {"WindowCenter": 2048, "WindowWidth": 3000, "RescaleSlope": 1, "RescaleIntercept": -5}
    made = {
        "explicit": _clip(folder, bench.EXPLICIT, [gray.tobytes()] * 3, PixelSpacing=[0.2, 0.2]),
        "implicit": _clip(folder, bench.IMPLICIT, [rgb.tobytes()], **COLOR, PhotometricInterpretation="RGB"),
        "big": _clip(folder, bench.BIG, [deep.astype(">u2").tobytes()] * 2, **DEEP, **window),
        "deflated": _clip(folder, bench.DEFLATED, [gray.tobytes()] * 3),
        "palette": _clip(folder, bench.EXPLICIT, [gray.tobytes()], **palette),
        "segmented": _clip(folder, bench.EXPLICIT, [gray.tobytes()], **segmented),
        "rle": _clip(folder, bench.RLE, [_rle(gray)] * 2),
        "jpeg": _clip(folder, bench.BASELINE, [bench.jpeg(rgb)] * 3, **COLOR, **ybr),
        "jpeg without table": _clip(folder, bench.BASELINE, [bench.jpeg(gray)] * 3, table=False),
        "lossless": _clip(folder, "1.2.840.10008.1.2.4.70", [lossless] * 2, **DEEP),
        "jpeg-ls": _clip(folder, "1.2.840.10008.1.2.4.80", [ls] * 2),
        "jpeg 2000": _clip(folder, "1.2.840.10008.1.2.4.90", [bench.jpeg_2000(rgb)] * 2, **COLOR, **ybr),
        "12 bits": _clip(folder, bench.EXTENDED, [bench.jpeg_of_12_bits(deep[::8, ::8])], **DEEP),
        "video": _clip(folder, "1.2.840.10008.1.2.4.102", [video], **COLOR, **partial),
    }
    return made


def _spoilt(data: bytes, name: str, draw: np.random.Generator) -> bytes:
    if name == "deflated" and draw.random() < 0.5:
        at = 144 + int.from_bytes(data[140:144], "little")
        return data[:at] + zlib.compress(volumes.spoil(zlib.decompress(data[at:], -15), draw))[2:-4]
    if draw.random() < 0.35:  # the pixels, which are most of a file, in their own right
        at = data.rfind(b"\xe0\x7f\x10\x00")
        if at > 0:
            return data[:at] + volumes.spoil(data[at:], draw)
    head = data[:132] if draw.random() < 0.9 else b""
    return head + volumes.spoil(data[len(head) :], draw)


def outcome(path: Path) -> str:
    """Look at a file and read it; returns what became of it."""
    return volumes.read(path.parent, path.name, "", "")


def trial(name: str, data: bytes, draw: np.random.Generator, folder: Path) -> str:
    """Spoil and read one file in this process."""
    path = folder / "spoilt.dcm"
    path.write_bytes(_spoilt(data, name, draw))
    return outcome(path)


def in_child(name: str, data: bytes, draw: np.random.Generator, folder: Path) -> str:
    """The same in a child of limited time and memory."""
    sys.stdout.flush()
    receive, send = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(LIMIT_S)
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
        try:
            said = trial(name, data, draw, folder)
        except BaseException:
            said = "FAULT: " + traceback.format_exc()
        os.write(send, said.encode()[:4000])
        os._exit(0)
    os.close(send)
    with open(receive, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status):
        return "FAULT: " + ("hang" if os.WTERMSIG(status) == signal.SIGALRM else f"signal {os.WTERMSIG(status)}")
    return said


def main() -> int:
    """Run the trials and sum up."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", action="store_true", help="nothing of what decoders write to stderr")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    if asked.quiet:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    started, outcomes, faults = time.monotonic(), collections.Counter(), []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        good = seeds(folder)
        (folder / "whole.dcm").write_bytes(b"")
        for name, data in good.items():
            (folder / "whole.dcm").write_bytes(data)
            assert outcome(folder / "whole.dcm") == "read", name
        names = list(good)
        for number in range(asked.files):
            draw, name = np.random.default_rng([asked.seed, number]), names[number % len(names)]
            said = in_child(name, good[name], draw, folder)
            outcomes[said.split("\n")[0]] += 1
            if said.startswith("FAULT"):
                faults.append(f"trial {number} ({name}): {said[-600:]}")
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10
    print(f"{asked.files} files, {time.monotonic() - started:.0f} s, at most {most} MB a child")
    for one, times in outcomes.most_common():
        print(f"  {times:6} {one}")
    print(*faults, sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
