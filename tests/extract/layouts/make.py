"""Writes a miniature of a published collection: file by file, from a few words each.

A picture is ``=`` and words: ``gray`` (speckle, another in each file), ``rgb``, ``rgba``; ``black``; ``disk`` (0, 255
unless ``disk:1,2`` says the values of the disk, its middle and so on, or ``disk:#ff0000``); ``ring`` (a thin outline);
``noisy`` (a disk with smeared gray values); then, where they matter, ``@rows,columns``, ``xframes`` and ``copy:path``.
Text stands as it is; a list in an xlsx file is its rows, anything else in a JSON file is JSON.
"""

import json
import zlib
from pathlib import Path

import numpy as np

SHAPE = (32, 40)
RADIUS = 8
AREA = 193
"""Pixels of a disk."""


def write(folder, files):
    """Write all files of a miniature below a folder."""
    for name, content in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str) and content.startswith("="):
            _picture(path, name, content[1:], files)
        elif path.suffix == ".xlsx":
            _xlsx(path, content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def pixels_of(name, words, files=()):
    """Return the pixels of a picture or the frames of a clip, uint8."""
    words = words.split()
    shape, frames = SHAPE, 0
    for word in words[1:]:
        if word.startswith("@"):
            shape = tuple(map(int, word[1:].split(",")))
        elif word.startswith("x") and word[1:].isdigit():
            frames = int(word[1:])
    many = [_one(f"{name}{n}", words[0], shape) for n in range(max(frames, 1))]
    return np.stack(many) if frames else many[0]


def _one(name, word, shape):
    kind, _, values = word.partition(":")
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if kind in ("gray", "rgb", "rgba"):
        gray = np.clip(70 * rng.rayleigh(1, shape), 0, 255).astype(np.uint8)
        deep = {"gray": gray, "rgb": np.stack([gray] * 3, -1), "rgba": np.stack([gray] * 3 + [gray * 0 + 255], -1)}
        return deep[kind]
    rows, columns = np.indices(shape)
    away = np.hypot(rows - shape[0] / 2, columns - shape[1] / 2) * SHAPE[0] / shape[0]
    if kind == "black":
        return np.zeros(shape + ((3,) if values == "rgb" else ()), np.uint8)
    if kind == "ring":
        return np.where(abs(away - RADIUS) < 0.8, np.uint8(255), np.uint8(0))
    if kind == "noisy":
        return np.where(away < RADIUS, 200 + rng.integers(0, 56, shape), rng.integers(0, 60, shape)).astype(np.uint8)
    values = values.split(",") if values else ["255"]
    coloured = values[0].startswith("#")
    out = np.zeros(shape + ((3,) if coloured else ()), np.uint8)
    for at, value in enumerate(values):
        colour = [int(value[i : i + 2], 16) for i in (1, 3, 5)] if coloured else int(value)
        out[away < RADIUS * (1 - at / len(values))] = colour
    return out


def _picture(path, name, words, files):
    if words.startswith("copy:"):
        _picture(path, words[5:], files[words[5:]][1:], files)
        return
    pixels = pixels_of(name, words)
    if words.endswith(" landmarks"):
        pixels = np.stack([pixels, 255 - pixels])  # the first of two
    suffix = "".join(path.suffixes[-2:]) if path.name.endswith(".nii.gz") else path.suffix.lower()
    {".nii.gz": _nifti, ".nii": _nifti, ".mha": _mha, ".mp4": _clip, ".avi": _clip}.get(suffix, _still)(path, pixels)


def _still(path, pixels):
    from PIL import Image

    options = {"quality": 95} if path.suffix.lower() in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(path, **options)


def _nifti(path, pixels):
    """NIfTI has columns, rows, planes; pixels are not square, as in CAMUS."""
    import nibabel

    pixels = pixels[None] if pixels.ndim == 2 else pixels
    nibabel.Nifti1Image(pixels.transpose(), np.diag([0.3, 0.2, 1, 1])).to_filename(path)


def _mha(path, pixels):
    size = " ".join(map(str, pixels.shape[::-1]))
    head = f"ObjectType = Image\nNDims = {pixels.ndim}\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    head += f"CompressedData = False\nElementSpacing = {' '.join(['0.28'] * pixels.ndim)}\nDimSize = {size}\n"
    path.write_bytes((head + "ElementType = MET_UCHAR\nElementDataFile = LOCAL\n").encode() + pixels.tobytes())


def _clip(path, pixels):
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4" if path.suffix == ".mp4" else "mjpeg", rate=25)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = "yuv420p" if path.suffix == ".mp4" else "yuvj420p"
        for one in pixels:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(one), format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _xlsx(path, rows):
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
