"""The Thyroid Ultrasound Cine-clip: one HDF5 file whose arrays hold all nodules, cut into a clip for each."""

import os
from collections import Counter
from typing import Any

from usfm.errors import RequestError
from usfm.extract.masks import MaskFile
from usfm.extract.media import Media
from usfm.extract.sources import Found, Source

MOST_FRAMES = 1_000_000
ARRAYS = ("annot_id", "image", "mask")


def found_in(root: str, path: str) -> Found:
    """Cut the file into clips: runs of frames of one nodule.

    Args:
        root: Of the layout.
        path: Of the file, below the root.

    Returns:
        A source for each run, ``file:/nodule``, and its mask.

    Raises:
        RequestError: If the file is none of this collection.
    """
    whole = os.path.join(root, path)
    status = os.stat(whole)
    sources, masks = [], []
    times: Counter[str] = Counter()
    for name, start, stop in runs(whole):
        times[name] += 1
        name += f"~{times[name]}" if times[name] > 1 else ""
        span = f"[{start}:{stop}]"
        below = f"{path}:/{name}"
        sources.append(
            Source(whole, below, below, os.path.basename(root), status.st_size, status.st_mtime_ns, "hdf5",
                   item=f"/image{span}")
        )  # fmt: skip
        masks.append(MaskFile(Media(whole, f"/mask{span}"), f"{os.path.basename(root)}/{path}:/mask/{name}",
                              status.st_size, status.st_mtime_ns))  # fmt: skip
    return Found(tuple(sources), 0, mask_files=tuple(masks), masks=len(masks))


def runs(file: str) -> list[tuple[str, int, int]]:
    """Return (nodule, first frame, frame behind the last) of each run, in the order of the file.

    Args:
        file: The HDF5 file.

    Returns:
        The runs; names as the file has them, without the ``_`` behind.

    Raises:
        RequestError: If it cannot be read, or lacks an array.
    """
    import h5py

    try:
        with h5py.File(file, "r", locking=False) as opened:
            lacks = [name for name in ARRAYS if not isinstance(opened.get(name), h5py.Dataset)]
            if lacks:
                raise RequestError(f"{file}: has no array '{lacks[0]}', so it is another file than the layout knows.")
            ids: Any = opened["annot_id"]
            if ids.ndim < 1 or not 0 < len(ids) <= MOST_FRAMES:
                raise RequestError(f"{file}: its array annot_id says nothing of its frames; download it again.")
            names = [_text(one) for one in ids[:].reshape(len(ids), -1)[:, 0]]
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise RequestError(f"{file}: cannot be read ({type(error).__name__}); download it again.") from None
    found: list[tuple[str, int, int]] = []
    for at, name in enumerate(names):
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], at + 1)
        else:
            found.append((name, at, at + 1))
    return found


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip().rstrip("_").replace("/", "_") or "unnamed"
