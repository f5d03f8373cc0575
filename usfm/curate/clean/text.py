"""Where text is: the RapidOCR reader, with the models of its own wheel, one thread, no network and no words kept."""

import logging
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

LONGEST_SIDE_PX = 1600
"""Larger pictures are shrunk before reading: print is large there."""

LARGEST_ENLARGEMENT = 4.0
ENLARGED_SIDE_PX = 960
"""The second look enlarges a picture until its shorter side has this many pixels, at most four times."""

LEAST_DETECTION = 0.5
LEAST_RECOGNITION = 0.6
"""Certainty (0 to 1) of a text line; a single character needs `LEAST_SINGLE` to count inside the region."""

LEAST_SINGLE = 0.9


@dataclass(frozen=True)
class TextBox:
    """One line of text that was found; what it says is not kept.

    Attributes:
        box: xyxy, px.
        score: Certainty of the recogniser, 0 (could not be read) to 1.
        characters: How many letters and digits were read.
    """

    box: tuple[float, float, float, float]
    score: float
    characters: int

    def is_readable(self) -> bool:
        """Whether it is print for certain, and so may be filled even over tissue."""
        return self.score >= (LEAST_RECOGNITION if self.characters > 1 else LEAST_SINGLE) and self.characters > 0


@lru_cache(maxsize=1)
def reader():
    """The OCR engine of this process: made once, one thread, silent.

    Returns:
        A `rapidocr.RapidOCR`; its three ONNX models lie in the installed package.
    """
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    from rapidocr import RapidOCR

    engine = RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.0,
            "Global.use_cls": False,
            "Global.max_side_len": 4 * LONGEST_SIDE_PX,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "max",
            "Det.limit_side_len": 4 * LONGEST_SIDE_PX,
            "Det.box_thresh": LEAST_DETECTION,
        }
    )
    logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
    return engine


def find_text(image: np.ndarray) -> list[TextBox]:
    """Find the lines of text in a picture.

    The picture is read twice, as it is and enlarged: the detector finds large print in the one and small print in the
    other.

    Args:
        image: (H, W) or RGB (H, W, 3) uint8.

    Returns:
        One entry a line, in the picture's pixels, ordered by row, then column; unreadable finds are included with their
        low score.
    """
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)
    height, width = image.shape[:2]
    natural = min(1.0, LONGEST_SIDE_PX / max(height, width))
    enlarged = min(max(natural, ENLARGED_SIDE_PX / min(height, width)), LARGEST_ENLARGEMENT)
    enlarged = min(enlarged, 2 * LONGEST_SIDE_PX / max(height, width))
    found: list[TextBox] = []
    for scale in dict.fromkeys((natural, enlarged)):
        for box in read_at(colour, scale):
            merge(found, box)
    return sorted(found, key=lambda text: (text.box[1], text.box[0]))


def read_at(colour: np.ndarray, scale: float) -> list[TextBox]:
    """Read a picture at one scale.

    Args:
        colour: (H, W, 3) uint8.
        scale: Enlargement before reading.

    Returns:
        The finds in the picture's own pixels.
    """
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = colour if scale == 1 else cv2.resize(colour, None, fx=scale, fy=scale, interpolation=method)
    found = reader()(scaled, use_det=True, use_cls=False, use_rec=True)
    if getattr(found, "boxes", None) is None or getattr(found, "txts", None) is None:
        return []
    texts = []
    for corners, words, score in zip(found.boxes, found.txts, found.scores, strict=True):
        corners = np.asarray(corners, float).reshape(-1, 2) / scale
        box = (*corners.min(axis=0), *corners.max(axis=0))
        texts.append(TextBox(tuple(float(v) for v in box), float(score), sum(c.isalnum() for c in words)))
    return texts


def merge(found: list[TextBox], new: TextBox) -> None:
    """Add a find to a list unless the list has it; of two that overlap by most of the smaller, both stay when unlike.

    Args:
        found: The finds so far; changed in place.
        new: A further find.
    """
    for k, old in enumerate(found):
        shared_width = min(old.box[2], new.box[2]) - max(old.box[0], new.box[0])
        shared_height = min(old.box[3], new.box[3]) - max(old.box[1], new.box[1])
        if shared_width <= 0 or shared_height <= 0:
            continue
        if shared_width * shared_height >= 0.8 * max(area(old.box), area(new.box)):
            found[k] = max(old, new, key=lambda text: text.score)
            return
    found.append(new)


def area(box: tuple[float, float, float, float]) -> float:
    """Area of an xyxy box, square px."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
