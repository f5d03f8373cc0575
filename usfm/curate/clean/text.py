"""Where text is: the RapidOCR reader, with the models of its own wheel, one thread, no network and no words kept."""

import logging
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

LONGEST_SIDE_PX = 1600
"""Larger pictures are shrunk before reading: print is large there."""

ENLARGED_SIDE_PX, LEAST_ENLARGEMENT, LARGEST_ENLARGEMENT = (480, 640), 1.25, 4.0
"""The second look enlarges a picture until its shorter side has 480 px, at most four times; but by a quarter at least
where that leaves it under 640 px."""

LEAST_DETECTION = 0.5
LEAST_RECOGNITION = 0.6
"""Certainty (0 to 1) of a text line; a single character needs `LEAST_SINGLE` to count inside the region."""

LEAST_SINGLE = 0.9


TALLEST_SHARE = 0.12
TALLEST_PX = 40.0
"""A line of print is no taller than this share of the picture's shorter side, or than this many px (and half the side):
a fetal head is no letter O. A single character must be half as tall to count as read."""


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

    The detector looks twice, at the picture as it is and enlarged: it finds large print in the one and small print in
    the other. Each line that it finds is read once.

    Args:
        image: (H, W) or RGB (H, W, 3) uint8.

    Returns:
        One entry a line, in the picture's pixels, ordered by row, then column; unreadable finds are included with their
        low score.
    """
    colour = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)
    height, width = image.shape[:2]
    natural = min(1.0, LONGEST_SIDE_PX / max(height, width))
    enlarged = max(natural, min(enlargement(height, width), 2 * LONGEST_SIDE_PX / max(height, width)))
    found: list[TextBox] = []
    for scale in dict.fromkeys((natural, enlarged)):
        scaled = resized(colour, scale)
        for corners in detect(scaled):
            left, top, right, bottom = (float(v) for v in (*corners.min(axis=0) / scale, *corners.max(axis=0) / scale))
            box = (left, top, right, bottom)
            thickness = min(right - left, bottom - top)
            if thickness > tallest(height, width) or any(same_line(box, old.box) for old in found):
                continue
            score, characters = recognise(scaled, corners)
            if characters <= 1 and thickness > 0.5 * tallest(height, width):
                score = 0.0
            found.append(TextBox(box, score, characters))
    return sorted(found, key=lambda text: (text.box[1], text.box[0]))


def enlargement(height: int, width: int) -> float:
    """By how much the second look enlarges a picture of this size.

    Args:
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        Output pixels per input pixel, 4 at most.

    >>> enlargement(60, 80), enlargement(240, 320), enlargement(400, 500), enlargement(600, 800), enlargement(800, 1000)
    (4.0, 2.0, 1.25, 1.0666666666666667, 0.8)
    """
    least, most = (side / min(height, width) for side in ENLARGED_SIDE_PX)
    return min(max(least, min(LEAST_ENLARGEMENT, most)), LARGEST_ENLARGEMENT)


def tallest(height: int, width: int) -> float:
    """How tall a line of text may be in a picture of this size, px.

    Args:
        height: of the picture, px.
        width: of the picture, px.

    Returns:
        The height, px.

    >>> tallest(60, 60), tallest(300, 400), tallest(1000, 1400)
    (30.0, 40.0, 120.0)
    """
    side = min(height, width)
    return min(0.5 * side, max(TALLEST_PX, TALLEST_SHARE * side))


def resized(colour: np.ndarray, scale: float) -> np.ndarray:
    """The picture at another scale, at least 32 px a side.

    Args:
        colour: uint8 (H, W, 3).
        scale: output pixels per input pixel.

    Returns:
        uint8 (h, w, 3).
    """
    if scale == 1:
        return colour
    size = [max(32, round(side * scale)) for side in colour.shape[1::-1]]
    return cv2.resize(colour, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def detect(colour: np.ndarray) -> list[np.ndarray]:
    """Corners of the text lines in a BGR picture: one (4, 2) float array a line, x and y in px."""
    found = reader()(colour, use_det=True, use_cls=False, use_rec=False)
    boxes = getattr(found, "boxes", None)
    return [] if boxes is None else [np.asarray(corners, np.float32).reshape(4, 2) for corners in boxes]


def recognise(colour: np.ndarray, corners: np.ndarray) -> tuple[float, int]:
    """Read one line: the recogniser's certainty (0 to 1) and how many letters and digits it read.

    Args:
        colour: BGR picture.
        corners: (4, 2), clockwise from the top left.

    Returns:
        The certainty, and the number of letters and digits.
    """
    top, right = np.linalg.norm(corners[1] - corners[0]), np.linalg.norm(corners[2] - corners[1])
    width, height = max(8, round(float(top))), max(8, round(float(right)))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(corners, flat)
    line = cv2.warpPerspective(colour, warp, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if height > 1.5 * width:
        line = np.rot90(line)
    found = reader()(np.ascontiguousarray(line), use_det=False, use_cls=False, use_rec=True)
    words, scores = getattr(found, "txts", None), getattr(found, "scores", None)
    if not words or not scores:
        return 0.0, 0
    return float(scores[0]), sum(character.isalnum() for character in words[0])


def same_line(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    """Whether two boxes are one line: they share 70 % of the larger one, or all but a rim of the new one is covered.

    Args:
        a: xyxy of the new box.
        b: xyxy of a box found before.

    Returns:
        Whether they are one line.
    """
    shared = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    smaller = min(area(a), area(b))
    return shared >= 0.7 * max(area(a), area(b)) or (shared >= 0.9 * area(a) and smaller == area(a))


def area(box: tuple[float, float, float, float]) -> float:
    """Area of an xyxy box, square px."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
