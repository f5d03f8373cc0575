"""How much of each patch lies in the acoustic region: measured by `sector`, so it is dropped when a frame is moved."""

import numpy as np

from usfm.store.dataset import Dataset
from usfm.store.labels.contract import Kind

PATH = "/patches/coverage"


class Coverage(Kind):
    """Share of each patch inside the region, float16 (L,). Its head: size_px of the frame, patch_px; or empty."""

    name, home = "coverage", PATH
    datasets = (
        Dataset(
            PATH,
            "float16",
            "(N, L)",
            "0..1",
            "share of each patch that lies in the acoustic region, row by row; attributes size_px and patch_px",
            np.nan,
        ),
    )

    def checked(self, given, head: dict, shape: tuple[int, ...]) -> np.ndarray:
        """See `Kind`."""
        return np.asarray(given, np.float16).reshape(-1)

    def token(self, value: np.ndarray, head: dict) -> str:
        """See `Kind`."""
        return f"p={np.asarray(value, np.float16).tobytes().hex()}"

    def columns(self, kept, frames: int, head: dict) -> dict:
        """See `Kind`."""
        if not kept:
            return {}
        values = np.full((frames, len(next(iter(kept.values())))), np.nan, np.float16)
        for row, one in kept.items():
            values[row] = one
        return {PATH: values}

    def joined(self, head: dict, other: dict) -> tuple[dict, np.ndarray]:
        """See `Kind`."""
        return head or other, np.zeros(0, np.int32)

    def attributes(self, head: dict) -> dict:
        """See `Kind`."""
        return {PATH: dict(head)} if head else {}

    def head(self, read, paths) -> dict:
        """See `Kind`."""
        found = {name: read(PATH, name) for name in ("size_px", "patch_px")}
        if found["size_px"] is None:
            return {}
        if not all(isinstance(side, int) and 0 < side < 1 << 20 for side in found.values()):
            raise ValueError(f"size_px and patch_px of {PATH}")
        return found

    def sealed(self, head: dict) -> dict:
        """See `Kind`."""
        return {"patch": [head["size_px"], head["patch_px"]] if head else None}

    def of_frame(self, file, row: int) -> np.ndarray | None:
        """See `Kind`."""
        found = file.column(PATH)[row]
        return None if np.isnan(found).all() else found

    def moved(self, value: np.ndarray, framing) -> None:
        """See `Kind`."""
        return None


COVERAGE = Coverage()
