"""Say what works on this machine and how to mend the rest; reads only, and asks no network."""

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib import metadata, util
from pathlib import Path

from usfm import __version__, console, escape
from usfm.config import Request, cores
from usfm.given import key_file
from usfm.inspect.doctor_config import Config
from usfm.quantities import size

DISTRIBUTION = "usfm-ultrasound"
LEAST_MEMORY_BYTES, LEAST_DISK_BYTES = 4e9, 5e9
"""Less memory or disk than this and larger runs will end early."""
DECODERS = ("h264", "hevc", "mpeg4", "mjpeg", "jpeg2000", "rawvideo")
"""What clips of scanners are coded with."""

GOOD, MISSING, BROKEN = "works", "absent", "broken"


@dataclass(frozen=True)
class Check:
    """What was found about one thing.

    Attributes:
        name: Of the thing.
        state: "works"; "absent" for what a run can do without; "broken" for what it needs.
        found: In words.
        mend: What to do; "" where nothing is to be done.
    """

    name: str
    state: str
    found: str
    mend: str = ""


def run(config: Config, request: Request) -> dict:
    """Check everything and show one line each on stdout.

    Args:
        config: Nothing.
        request: Not used.

    Returns:
        The summary: `works` (nothing that is needed is broken) and `checks`, each with name, state, found and mend.
    """
    started = time.monotonic()
    checks = [found for look in CHECKS for found in _looked(look)]
    console.text("\n".join(line for one in checks for line in _lines(one)))
    broken = [one.name for one in checks if one.state == BROKEN]
    return {
        "command": "doctor",
        "out": None,
        "works": not broken,
        "broken": broken,
        "checks": [asdict(one) for one in checks],
        "seconds": round(time.monotonic() - started, 3),
    }


def _lines(one: Check) -> list[str]:
    found = escape.line(f"{one.state:<7} {one.name:<24} {one.found}")
    return [found, *([escape.line(f"{'':<8}to mend: {one.mend}")] if one.mend else [])]


def _looked(look: Callable[[], Iterable[Check]]) -> list[Check]:
    """The checks of one function; what fails in a way that it does not foresee is a broken thing, not a traceback."""
    try:
        return list(look())
    except Exception as error:  # a library that is half installed raises whatever it likes
        name = look.__name__.removeprefix("_").replace("_", " ")
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        return [Check(name, BROKEN, why, "install usfm anew in a fresh environment: pip install .")]


def _python() -> Iterable[Check]:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    mend = "" if good else "make the environment with Python 3.11 or newer"
    yield Check("python", GOOD if good else BROKEN, f"{version} on {platform.system()} {platform.machine()}", mend)
    yield Check("usfm", GOOD, __version__)


def _libraries() -> Iterable[Check]:
    """Every library that usfm declares is installed; which versions, `provenance` says in each result."""
    declared = _declared().get("", [])
    if not declared:
        yield Check(
            "libraries", MISSING, "usfm is run from a folder, not installed", "pip install . in a clone of usfm"
        )
        return
    absent, total = [name for name in declared if not _installed(name)], len(declared)
    mend = f"pip install {' '.join(absent)}" if absent else ""
    found = f"{total - len(absent)} of {total} installed" + (f", without {', '.join(absent)}" if absent else "")
    yield Check("libraries", BROKEN if absent else GOOD, found, mend)
    both = [name for name in ("opencv-python", "opencv-python-headless") if _installed(name)]
    if len(both) > 1:
        yield Check("opencv", BROKEN, "two copies in one folder", "pip uninstall opencv-python opencv-python-headless, "
                    "then pip install opencv-python-headless")  # fmt: skip


def _torch() -> Iterable[Check]:
    import torch

    yield Check("torch", GOOD, f"{torch.__version__}, {torch.get_num_threads()} threads")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            yield Check("GPU", GOOD, f"cuda:{index} {about.name}, {size(about.total_memory)}")
    elif torch.backends.mps.is_available():
        yield Check("GPU", GOOD, "mps")
    elif shutil.which("nvidia-smi") and not torch.version.cuda:
        yield Check("GPU", BROKEN, "there is one, but this build of torch is for the CPU", "install torch for CUDA")
    else:
        yield Check("GPU", MISSING, "none that torch can use; training runs on the CPU")


def _cores() -> Iterable[Check]:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = load > cores()
    mend = "other work keeps them busy; wait, or expect long times" if busy else ""
    yield Check("cores", GOOD, f"{cores()} usable, load {load:.1f}", mend)


def _memory() -> Iterable[Check]:
    free = _free_memory_bytes()
    if free is not None:
        mend = "" if free >= LEAST_MEMORY_BYTES else "give fewer --workers and smaller batches, or free some"
        yield Check("memory", GOOD if not mend else MISSING, f"{size(free)} free", mend)
    for name, folder in (("disk here", "."), ("disk for temporary files", tempfile.gettempdir())):
        room = shutil.disk_usage(folder).free
        mend = "" if room >= LEAST_DISK_BYTES else "free some space, or work in another folder"
        writable = os.access(folder, os.W_OK)
        mend = mend if writable else "this folder may not be written; work in another one"
        yield Check(name, MISSING if mend else GOOD, f"{size(room)} free", mend)


def _free_memory_bytes() -> float | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            found = re.search(r"MemAvailable:\s+(\d+) kB", file.read())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _video() -> Iterable[Check]:
    import av

    absent = [name for name in DECODERS if name not in av.codecs_available]
    version = ".".join(map(str, av.library_versions.get("libavcodec", ("?",))))
    mend = "install the wheel of PyAV, which brings its own FFmpeg: pip install --force-reinstall av" if absent else ""
    found = f"PyAV {av.__version__}, libavcodec {version}" + (f", without {', '.join(absent)}" if absent else "")
    yield Check("ffmpeg in PyAV", BROKEN if absent else GOOD, found, mend)


def _text_reader() -> Iterable[Check]:
    spec = util.find_spec("rapidocr")
    folder = Path(spec.origin or "").parent / "models" if spec is not None else Path()
    models = sorted(folder.glob("*.onnx")) if spec is not None else []
    kinds = [kind for kind in ("det", "rec") if not any(f"_{kind}" in one.name for one in models)]
    mend = "pip install --force-reinstall rapidocr, or clean with --text none" if kinds else ""
    found = f"{len(models)} models, {size(sum(one.stat().st_size for one in models))}" if models else "no models"
    yield Check("OCR models", BROKEN if kinds else GOOD, found, mend)


def _extras() -> Iterable[Check]:
    for extra, names in sorted(_declared().items()):
        if extra in ("", "test", "docs", "all") or not names:
            continue
        absent = [name for name in names if not _installed(name)]
        if absent:
            yield Check(
                f"extra {extra}", MISSING, f"without {', '.join(absent)}", f"pip install '.[{extra}]' in a clone"
            )
        else:
            yield Check(f"extra {extra}", GOOD, ", ".join(names))


def _caches() -> Iterable[Check]:
    hub = Path(os.environ.get("HF_HUB_CACHE") or Path(os.environ.get("HF_HOME") or "~/.cache/huggingface") / "hub")
    hub = hub.expanduser()
    models = sorted(one.name for one in hub.glob("models--*")) if hub.is_dir() else []
    found = f"{len(models)} models in {hub}" if models else f"none in {hub}"
    yield Check("weights from the hub", GOOD if models else MISSING, found + "; --download fetches more")


def _key() -> Iterable[Check]:
    if os.environ.get("USFM_SALT"):
        yield Check("key of pseudonyms", GOOD, "USFM_SALT")
        return
    path = key_file()
    if not path.is_file():
        yield Check("key of pseudonyms", MISSING, f"{path} is made when a patient is first named")
        return
    private = path.stat().st_mode & 0o077 == 0
    mend = "" if private else f"others can read it: chmod 600 {path}"
    yield Check("key of pseudonyms", GOOD if private else BROKEN, str(path), mend)


CHECKS = (_python, _libraries, _torch, _cores, _memory, _video, _text_reader, _extras, _caches, _key)


def _declared() -> dict[str, list[str]]:
    """Names of the libraries that usfm declares: extra -> names, "" for the plain install."""
    found: dict[str, list[str]] = {}
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:  # run from a folder, without being installed
        return found
    for line in lines:
        name = re.match(r"[\w.-]+", line)
        extra = re.search(r"extra == ['\"]([\w-]+)", line)
        if name and name[0] != DISTRIBUTION:
            found.setdefault(extra[1] if extra else "", []).append(name[0])
    return found


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
