"""The visual stage as PolarMAE's public code does it, for `--preset polarmae`: its constants and its crop."""

import dataclasses

import cv2
import numpy as np

from usfm.curate.dedup.config import Config
from usfm.errors import RequestError
from usfm.imaging.dct import dct_features, phash

CONSTANTS = {"visual_threshold": 0.9, "phash_distance": 12, "scope": "clip", "window": 0.0, "keep": "first",
             "semantic_threshold": 0.985}  # fmt: skip
"""pHash Hamming distance at most 12 and cosine at least 0.9 within a folder, the first kept; semantic 0.985 over
all."""

SIZE_PX, KEEP = 256, 32
SMALLEST_CROP_PX = 80
DARKEST = 12
TOP_SHARE = 0.13


def with_preset(config: Config) -> Config:
    """Set the constants of the preset.

    Args:
        config: As the user gave it.

    Returns:
        The settings to work with.

    Raises:
        RequestError: A setting that the preset fixes was given as well.
    """
    if config.preset is None:
        return config
    default = Config()
    for name, value in CONSTANTS.items():
        if getattr(config, name) not in (getattr(default, name), value):
            flag = "--" + name.replace("_", "-")
            raise RequestError(f"--preset {config.preset} sets {flag} to {value}; leave {flag} or the preset out")
    if config.target_keep is not None:
        raise RequestError(f"--preset {config.preset} fixes the thresholds; leave --target-keep or the preset out")
    return dataclasses.replace(config, **CONSTANTS)


def crop(image: np.ndarray) -> np.ndarray | None:
    """The published region of interest: the bounding box of the largest bright piece below the top 13 %.

    Args:
        image: (H, W) uint8.

    Returns:
        The crop, or None where it has a side under 80 px (the public code then loses the image).

    Source: PolarMAE's public code: Gaussian 5 x 5, > 12, top 13 % blank, closing 25 x 25 ellipse twice, largest outer
    contour.
    """
    bright = (cv2.GaussianBlur(image, (5, 5), 0) > DARKEST).astype(np.uint8)
    bright[: int(TOP_SHARE * len(bright))] = 0
    closed = cv2.morphologyEx(
        bright, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (25, 25)), iterations=2
    )
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    left, top, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    if min(width, height) < SMALLEST_CROP_PX:
        return None
    return image[top : top + height, left : left + width]


def published_features(images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features and hashes of the published crop.

    Args:
        images: n frames (H, W) uint8.

    Returns:
        (n, 1024) float32 features with their constant term, (n,) uint64 hashes, and (n,) bool where the crop failed.
    """
    squares, failed = [], np.zeros(len(images), bool)
    for k, image in enumerate(images):
        piece = crop(image)
        failed[k] = piece is None
        square = cv2.resize(image if piece is None else piece, (SIZE_PX, SIZE_PX))
        squares.append(cv2.GaussianBlur(square, (3, 3), 0))
    return dct_features(squares, size=SIZE_PX, keep=KEEP, emphasis=0.0, constant=True), phash(squares), failed
