"""What a decoder has to predict."""

from usfm.pretrain.targets.contract import Target
from usfm.pretrain.targets.hog import HOG, HOG_CELLS
from usfm.pretrain.targets.pixels import NORMALISED, PIXELS

TARGETS: dict[str, Target] = {"pixels": PIXELS, "normalised": NORMALISED, "hog": HOG, "hog-cells": HOG_CELLS}
