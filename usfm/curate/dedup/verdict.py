"""What becomes of each frame: kept, dropped in favour of another, or rejected with a reason."""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Outcome:
    """The result of a selection over the N frames of a store.

    Attributes:
        keeper: (N,) str, frame_id of the frame that stands for it; "" = kept (or rejected).
        similarity: (N,) float32 to the keeper.
        stage: (N,) str, "visual", "against" or "semantic" for a dropped frame; "rejected", "unread" or "flat" for one
            that is rejected, with "" as its keeper; "" = kept.
        figures: JSON values for the summary and the report.
    """

    keeper: np.ndarray
    similarity: np.ndarray
    stage: np.ndarray
    figures: dict = field(default_factory=dict)

    @classmethod
    def all_kept(cls, n: int) -> "Outcome":
        """The verdict before any selection."""
        return cls(np.full(n, "", object), np.ones(n, np.float32), np.full(n, "", object))

    @property
    def kept(self) -> np.ndarray:
        """(N,) bool."""
        return self.stage == ""

    def drop(self, rows: np.ndarray, keeper: np.ndarray, similarity: np.ndarray, stage: str) -> None:
        """Drop frames in favour of others.

        Args:
            rows: (k,) frames.
            keeper: (k,) frame_ids.
            similarity: (k,) cosines.
            stage: What found it.
        """
        self.keeper[rows], self.similarity[rows], self.stage[rows] = keeper, similarity, stage

    def to_bytes(self) -> bytes:
        """The verdict as a compressed NumPy archive."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, keeper=self.keeper.astype(str), similarity=self.similarity,
                            stage=self.stage.astype(str), figures=json.dumps(self.figures, sort_keys=True))  # fmt: skip
        return buffer.getvalue()

    @classmethod
    def read(cls, path: str | Path) -> "Outcome":
        """Read what `to_bytes` made, from a file."""
        with np.load(path) as arrays:
            return cls(arrays["keeper"].astype(object), arrays["similarity"], arrays["stage"].astype(object),
                       json.loads(str(arrays["figures"])))  # fmt: skip
