"""SPECs of ultralytics' own networks, `yolo:NAME.yaml` and `yolo:FILE`, read without importing ultralytics."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from usfm.config import did_you_mean
from usfm.errors import RequestError, missing_extra
from usfm.model.spec import YOLO
from usfm.provenance import file_sha256

if TYPE_CHECKING:  # it brings PyTorch with it
    from usfm.model.network import Entry

EXTRA = "detect"
SIZE_PX = 640
"""Side of a frame where none is asked for, as in ultralytics."""


@dataclass(frozen=True)
class Stock:
    """One of ultralytics' networks.

    Attributes:
        spec: as it was typed.
        description: its YAML file in the package of ultralytics.
        scale: letter of its size; "" where the description has one size only.
        file: its weights; None for random ones.
    """

    spec: str
    description: Path
    scale: str
    file: Path | None

    @property
    def name(self) -> str:
        """Short, such as yolo26n."""
        return _named(self.description.stem, self.scale)


def installed() -> Path:
    """Where ultralytics is installed.

    Returns:
        Its package folder; it is not imported.

    Raises:
        RequestError: it is not installed.
    """
    found = importlib.util.find_spec("ultralytics")
    if found is None or not found.submodule_search_locations:
        raise missing_extra("--head yolo", EXTRA)
    return Path(found.submodule_search_locations[0])


def is_stock(spec: str) -> bool:
    """Whether a SPEC names one of ultralytics' networks.

    Examples:
        >>> is_stock("yolo:yolo26n.yaml"), is_stock("runs/yolo")
        (True, False)
    """
    return spec.startswith(f"{YOLO}:")


def stock_of(spec: str) -> Stock:
    """Find what a SPEC names.

    Args:
        spec: ``yolo:NAME.yaml``, ``yolo:FILE`` whose name begins with that of the network, or ``yolo:NAME.yaml@FILE``.

    Returns:
        The network.

    Raises:
        RequestError: there is no such network or file, or ultralytics is not installed.
    """
    rest = spec.partition(":")[2]
    name, _, file = rest.partition("@") if "@" in rest or rest.endswith(".yaml") else ("", "", rest)
    known = _known(installed())
    if file and not Path(file).is_file():
        raise RequestError(f"{spec}: {file} is no file; {YOLO}:yolo26n.yaml has random weights")
    begun = [each for each in known if Path(file).name.lower().startswith(each)]
    stem = name.removesuffix(".yaml") or max(begun, key=len, default="")
    if not stem:
        raise RequestError(
            f"{spec}: the name of the file does not say which network it is; write {YOLO}:yolo26n.yaml@{file}"
        )
    if stem not in known:
        raise RequestError(f"{spec}: ultralytics has no detector '{stem}.yaml'{did_you_mean(stem, known)}")
    return Stock(spec, *known[stem], Path(file) if file else None)


def entry_of(stock: Stock, image_size: int | None, resize: str, seed: int) -> "Entry":
    """How frames enter one of ultralytics' networks, which divides them by 255 itself.

    Args:
        stock: the network.
        image_size: side of a frame, px; None for 640.
        resize: letterbox, stretch, or auto, which is letterbox.
        seed: of random weights.

    Returns:
        The entry, three channels.
    """
    from usfm.model.network import Entry

    size, resize = image_size or SIZE_PX, "letterbox" if resize == "auto" else resize
    weights = {"seed": seed} if stock.file is None else {"weights_sha256": file_sha256(stock.file)}
    facts = {"kind": YOLO, "model": f"{stock.name}.yaml", **weights, "image_size": [size, size], "in_chans": 3}
    zero, one = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    return Entry(stock.name, {**facts, "resize": resize}, (size, size), 3, zero, one, resize)


def _known(package: Path) -> dict[str, tuple[Path, str]]:
    """Name with its scale -> description and scale, of the plain detectors in ultralytics' package."""
    found = {}
    for path in sorted((package / "cfg" / "models").glob("*/yolo*.yaml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if not re.search(r"\b(v10)?Detect, \[nc", text):
            continue  # of another task
        scales = re.findall(r"^  ([a-z]): \[", text, re.MULTILINE) or [""]
        found |= {_named(path.stem, scale): (path, scale) for scale in scales}
    return found


def _named(stem: str, scale: str) -> str:
    """The usual name: the letter of the size stands behind the number (yolov8n-p2), if it does not already."""
    base, dash, rest = stem.partition("-")
    return f"{base}{'' if base.endswith(scale) else scale}{dash}{rest}"
