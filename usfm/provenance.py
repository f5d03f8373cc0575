"""What ran: version, commit, libraries and device, and digests that say whether two inputs are the same."""

import hashlib
import json
import math
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from usfm import __version__, escape

LIBRARIES = (
    "av",
    "h5py",
    "imagehash",
    "isal",
    "nibabel",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "pillow",
    "pydicom",
    "pyjpegls",
    "pylibjpeg-openjpeg",
    "pynrrd",
    "python-gdcm",
    "rapidocr",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "tifffile",
    "timm",
    "torch",
    "torchvision",
)
"""Distributions whose version can change a result: decoders, filters, solvers, networks."""


def commit() -> str:
    """Return the git commit of a source checkout, "" for an installed wheel.

    Read from ``.git`` directly: no subprocess, and none of another repository that usfm happens to be used in.
    """
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head
        ref = head.removeprefix("ref: ")
        if (git / ref).exists():
            return (git / ref).read_text().strip()
        packed = (git / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(" " + ref)), "")
    except OSError:
        return ""


def software(libraries: tuple[str, ...] = LIBRARIES) -> dict:
    """Describe the software that runs, without importing any of it.

    Returns:
        ``usfm``, ``commit``, ``python``, ``platform`` and ``libraries`` (name -> version, absent ones left out).
    """
    versions = {}
    for name in libraries:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "usfm": __version__,
        "commit": commit(),
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "libraries": versions,
    }


def digest(thing: object) -> str:
    """Digest bytes as they are and anything else as canonical JSON.

    Returns:
        sha256, 64 hex digits.

    Example:
        >>> digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
        True
    """
    data = thing if isinstance(thing, bytes) else json.dumps(thing, sort_keys=True, default=str).encode()
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: str | Path) -> str:
    """Digest a file's bytes, in 1 MiB blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def json_text(value: object, *, indent: int | None = None, default: Callable[[object], object] = str) -> str:
    """Write a value as JSON that every reader takes: null for what is no finite number, and valid UTF-8 only.

    Args:
        value: anything that JSON can hold.
        indent: spaces a level, None for one line.
        default: makes something of what JSON cannot hold.

    Returns:
        The JSON text.

    Example:
        >>> json_text({"loss": float("nan"), "rates": (1.5, float("inf"))})
        '{"loss": null, "rates": [1.5, null]}'
    """
    text = json.dumps(_finite(value, default), indent=indent, default=default, allow_nan=False)
    return text.replace("\x7f", "\\u007f")  # the one control character that json leaves as it is


def _finite(value: object, default: Callable[[object], object]) -> object:
    if isinstance(value, dict):
        return {_finite(key, default) if isinstance(key, str) else key: _finite(one, default)
                for key, one in value.items()}  # fmt: skip
    if isinstance(value, (list, tuple)):
        return [_finite(one, default) for one in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return escape.json_safe(value)
    if value is None or isinstance(value, int):
        return value
    return _finite(default(value), default)
