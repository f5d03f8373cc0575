"""Which tokens are visible and which are reconstructed: priors to draw by, and how they are drawn."""

from usfm.pretrain.selection.contract import Prior
from usfm.pretrain.selection.gaussian import gaussian
from usfm.pretrain.selection.polar import beam, grid
from usfm.pretrain.selection.random import random
from usfm.pretrain.selection.smooth import smooth
from usfm.pretrain.selection.texture import texture

SELECTIONS: dict[str, Prior] = {
    "random": random,
    "texture": texture,
    "smooth": smooth,
    "grid": grid,
    "beam": beam,
    "gaussian": gaussian,
}
GEOMETRIC = ("grid", "beam", "gaussian")
