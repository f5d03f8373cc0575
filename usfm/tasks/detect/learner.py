"""Detection as a network learns it: Faster R-CNN on its maps, the boxes of the frames, mAP of the validation frames."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from usfm.engine.truth import NO_BOX, Truth
from usfm.imaging.framing import Framing
from usfm.model.network import Network
from usfm.tasks.detect.heads import FasterRCNN, Seen
from usfm.tasks.detect.measures import matched, measures

XYXY = [1, 0, 3, 2]
"""Order of left, top, right, bottom among top, left, bottom, right, and back."""


class BoxLearner:
    """Boxes of classes.

    Args:
        boxes: row of the store -> boxes (k, 4) left, top, right, bottom in px of the frame, and classes (k,).
        names: of the classes.
        shape: row of the store -> (rows, columns) of the frame, px.
        framing: row of the store -> its letterbox, None where frames are stretched.
        size: (rows, columns) of the prepared frames.
    """

    higher = True
    padded = True  # NaN stands where a frame has fewer boxes
    said = "boxes"

    def __init__(
        self,
        boxes: Callable[[int], tuple[np.ndarray, np.ndarray]],
        names: Sequence[str],
        shape: Callable[[int], tuple[int, int]],
        framing: Callable[[int], Framing | None],
        size: tuple[int, int],
    ):
        self.boxes, self.names, self.shape, self.framing, self.size = boxes, tuple(names), shape, framing, size

    def head(self, network: Network) -> nn.Module:
        """Faster R-CNN on maps of the network."""
        return FasterRCNN(network, len(self.names))

    def truth(self, rows: np.ndarray) -> Truth:
        """Boxes in the pixels of the prepared frames, NaN where a frame has fewer."""
        each = [self.known(int(row)) for row in rows]
        most = max([1, *(len(kinds) for _, kinds in each)])
        boxes = np.full((len(rows), most, 4), np.nan, np.float32)
        classes = np.full((len(rows), most), NO_BOX, np.int64)
        for n, (known, kinds) in enumerate(each):
            boxes[n, : len(kinds)], classes[n, : len(kinds)] = known[:, XYXY], kinds
        return Truth(boxes=boxes, box_classes=classes)

    def mixed(self, truth: Truth, share: float) -> None:
        """Boxes are not mixed.

        Args:
            truth: of the batch.
            share: of each frame itself.
        """

    def loss(self, outputs: Seen, truth: Truth) -> torch.Tensor:
        """The four losses of Faster R-CNN.

        Args:
            outputs: of the head while training.
            truth: its boxes and their classes.

        Returns:
            Their sum.
        """
        device = outputs.maps[0].device
        boxes = torch.as_tensor(truth.boxes, device=device)[..., XYXY].float()
        classes = torch.as_tensor(truth.box_classes, device=device)
        sides = boxes[..., 2:] - boxes[..., :2]
        there = (classes != NO_BOX) & (sides > 0).all(-1)  # NaN is no box either
        targets = [
            {"boxes": box[known], "labels": kind[known] + 1}
            for box, kind, known in zip(boxes, classes, there, strict=True)
        ]
        return outputs.head.loss(outputs, targets)

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 100, 6), `heads.FIELDS`, in px of the prepared frames; NaN where there are fewer."""
        return {self.said: outputs.float()}

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Mean average precision in the pixels of the prepared frames.

        Args:
            decoded: of the rows.
            rows: of the store.

        Returns:
            `score`, which is mAP@50:95, and mAP@50.
        """
        truth, found = [self.known(int(row)) for row in rows], []
        said = [line[np.isfinite(line[:, 4])] for line in decoded[self.said]]
        for c in range(len(self.names)):
            mine = [(line[line[:, 5] == c, :4], line[line[:, 5] == c, 4]) for line in said]
            known = [boxes[kinds == c] for boxes, kinds in truth]
            found.append(matched(mine, known, np.arange(len(rows)), len(rows)))
        values = measures(tuple(found), np.ones((1, len(rows))))
        whole, half = (float(np.nan_to_num(values[name][0])) for name in ("map", "map50"))
        return {"score": whole, "val_map": whole, "val_map50": half}

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """See `learner.Learner`: the boxes in px of the frames as they were given, clipped to them, (n, 100, 6)."""
        moved = np.array(decoded[self.said], np.float32)
        for line, row in zip(moved, rows, strict=True):
            height, width = self.shape(int(row))
            framing = self.framing(int(row))
            if framing is None:
                scale, origin = np.array([width / self.size[1], height / self.size[0]]), np.zeros(2)
            else:
                scale, origin = np.full(2, 1 / framing.scale), np.array(framing.origin_px[::-1])
            points = line[:, :4].reshape(-1, 2, 2) * scale + origin
            line[:, :4] = np.clip(points, 0, (width, height)).reshape(-1, 4)
        return moved

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """See `learner.Learner`: nothing is fitted."""
        return {}

    def known(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of a row in px of the prepared frame, and their classes.

        Args:
            row: of the store.

        Returns:
            (k, 4) left, top, right, bottom, and classes (k,).
        """
        boxes, kinds = self.boxes(row)
        framing = self.framing(row)
        if framing is not None:
            return framing.apply_boxes(boxes), kinds
        height, width = self.shape(row)
        scale = np.array([self.size[1] / width, self.size[0] / height] * 2, np.float32)
        return boxes.reshape(-1, 4) * scale, kinds
