"""What is known of the samples of a batch beside their pixels, moved by the same crops, flips and rotations."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from usfm.engine.augment import ANGLE, HEIGHT, HFLIP, LEFT, TOP, VFLIP, WIDTH, source_points

NO_BOX = -1


@dataclass(frozen=True)
class Truth:
    """What a loss compares with; what a task has none of is None. On the host arrays, on the device tensors.

    Attributes:
        labels: (B, ...) what no augmentation moves: a class, several labels, a number.
        masks: (B, ..., H, W) integers, a class for each pixel.
        boxes: (B, K, 4) float32 top, left, bottom, right, px, from the edge of the image; NaN where an image has fewer.
        box_classes: (B, K) int64, `NO_BOX` where an image has fewer.
    """

    labels: torch.Tensor | np.ndarray | None = None
    masks: torch.Tensor | np.ndarray | None = None
    boxes: torch.Tensor | np.ndarray | None = None
    box_classes: torch.Tensor | np.ndarray | None = None

    def each(self, change: Callable) -> "Truth":
        """The same with a function of every part that there is, such as a cut or a copy to the device."""
        known = {item.name: getattr(self, item.name) for item in fields(self)}
        return Truth(**{name: None if value is None else change(value) for name, value in known.items()})

    def head(self, n: int) -> "Truth":
        """Of the first n samples."""
        return self.each(lambda values: values[:n])

    def moved(self, crops: torch.Tensor, size: tuple[int, int], *, outside: int = 0, least: float = 0.1) -> "Truth":
        """The truth of the augmented samples, as `cut_images` makes them.

        Args:
            crops: (B, 7), those of the images.
            size: (rows, columns) of a sample, px.
            outside: class of mask pixels that lie outside their frame.
            least: share of a box's area that must lie in the sample; others become no box.

        Returns:
            The same parts, moved; labels stay.
        """
        moved = self
        if self.masks is not None:
            moved = replace(moved, masks=cut_masks(torch.as_tensor(self.masks), crops, size, outside))
        if self.boxes is not None and self.box_classes is not None:
            boxes, classes = torch.as_tensor(self.boxes), torch.as_tensor(self.box_classes)
            boxes, classes = cut_boxes(boxes, classes, crops, size, least)
            moved = replace(moved, boxes=boxes, box_classes=classes)
        return moved


def cut_masks(masks: torch.Tensor, crops: torch.Tensor, size: tuple[int, int], outside: int = 0) -> torch.Tensor:
    """Apply the crops to masks: each pixel takes the class of the nearest one of its frame.

    Args:
        masks: (B, ..., H, W).
        crops: (B, 7).
        size: (rows, columns) wanted, px.
        outside: class of pixels outside the frame.

    Returns:
        (B, ..., rows, columns), of the type of the masks.
    """
    return pick_masks(masks, *source_points(crops, *size), outside)


def pick_masks(masks: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, outside: int = 0) -> torch.Tensor:
    """Give each pixel the class of the nearest one of its frame.

    Args:
        masks: (B, ..., H, W).
        rows: (B, h, w) px in the frame, the centre of its first pixel being 0.
        columns: (B, h, w) px.
        outside: class of pixels outside the frame.

    Returns:
        (B, ..., h, w), of the type of the masks.
    """
    height, width = masks.shape[-2:]
    size = rows.shape[-2:]
    rows, columns = rows.round().long(), columns.round().long()
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = rows.clamp(0, height - 1) * width + columns.clamp(0, width - 1)
    flat = masks.reshape(len(masks), -1, height * width)
    found = flat.gather(2, place.flatten(1).unsqueeze(1).expand(-1, flat.shape[1], -1))
    found = torch.where(inside.flatten(1).unsqueeze(1), found, torch.full_like(found, outside))
    return found.view(*masks.shape[:-2], *size)


def sample_points(
    crops: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Where points of a stored frame lie in the augmented sample; the inverse of `source_points`.

    Args:
        crops: (B, 7).
        rows: (B, n) px, from the upper edge of the frame (the centre of its first pixel is 0.5).
        columns: (B, n) px, from the left edge.
        size: (rows, columns) of the sample, px.

    Returns:
        Rows and columns, each (B, n) px, from the edges of the sample.
    """
    column = [crops[:, i].unsqueeze(1) for i in range(7)]
    dy, dx = rows - column[TOP] - column[HEIGHT] / 2, columns - column[LEFT] - column[WIDTH] / 2
    cos, sin = column[ANGLE].cos(), column[ANGLE].sin()
    y = (dy * cos - dx * sin) / column[HEIGHT] * (1 - 2 * column[VFLIP])
    x = (dy * sin + dx * cos) / column[WIDTH] * (1 - 2 * column[HFLIP])
    return (y + 0.5) * size[0], (x + 0.5) * size[1]


def cut_boxes(
    boxes: torch.Tensor, classes: torch.Tensor, crops: torch.Tensor, size: tuple[int, int], least: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Apply the crops to boxes: the upright box around the four moved corners, as far as it lies in the sample.

    Args:
        boxes: (B, K, 4) top, left, bottom, right, px; NaN for none.
        classes: (B, K).
        crops: (B, 7).
        size: (rows, columns) of a sample, px.
        least: share of the moved box's area that must lie in the sample.

    Returns:
        Boxes and classes of the same shapes; a box that has left its sample is NaN, its class `NO_BOX`.
    """
    rows, columns = sample_points(crops, boxes[..., [0, 0, 2, 2]].flatten(1), boxes[..., [1, 3, 1, 3]].flatten(1), size)
    rows, columns = rows.view(*boxes.shape[:2], 4), columns.view(*boxes.shape[:2], 4)
    return seen_boxes(rows, columns, classes, size, least)


def seen_boxes(
    rows: torch.Tensor, columns: torch.Tensor, classes: torch.Tensor, size: tuple[int, int], least: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The upright box around moved points of each box's outline, as far as it lies in the sample.

    Args:
        rows: (B, K, n) px from the upper edge of the sample; NaN for no box.
        columns: (B, K, n) px from the left edge.
        classes: (B, K).
        size: (rows, columns) of a sample, px.
        least: share of the moved box's area that must lie in the sample.

    Returns:
        Boxes (B, K, 4) and classes; a box that has left its sample is NaN, its class `NO_BOX`.
    """
    whole = torch.stack([rows.amin(-1), columns.amin(-1), rows.amax(-1), columns.amax(-1)], dim=-1)
    limit = whole.new_tensor([size[0], size[1], size[0], size[1]])
    seen = whole.clamp(min=0).minimum(limit)
    kept = _area(seen) >= least * _area(whole)  # False for NaN
    kept &= (classes != NO_BOX) & (_area(seen) > 0)
    gone = torch.full_like(seen, torch.nan)
    return torch.where(kept.unsqueeze(-1), seen, gone), torch.where(kept, classes, torch.full_like(classes, NO_BOX))


def _area(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)
