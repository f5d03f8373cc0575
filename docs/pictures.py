"""Draw the picture of the augmentations: each operation once on a frame, then samples of the named sets.

usfm simulate --out clips --clips 0 --stills 4 --patients 2 --duplicates 0 --scene soft --probe convex
usfm extract clips --out raw.h5; usfm clean raw.h5 --out clean.h5; usfm sector clean.h5 --out sector.h5
python docs/pictures.py sector.h5 docs/images/augmentation.jpg
"""

import math
import sys

import numpy as np
import torch

from usfm.engine.augmentation import levels, moves, tones
from usfm.engine.augmentation.moves import Move
from usfm.engine.augmentation.sets import DRAWS, augment
from usfm.engine.counter import uniforms
from usfm.engine.prepared import Prepared
from usfm.model.network import Entry
from usfm.pictures.sheet import contact_sheet
from usfm.store.reader import Store

SIDE_PX, CELL_PX, COLUMNS = 224, 132, 6
SAMPLES = 3


def about_centre(rows: list[list[float]]) -> Move:
    """A linear change of place about the middle of the frame."""
    middle = torch.full((1, 2), (SIDE_PX - 1) / 2)
    return moves.about(torch.tensor([rows]), middle)


def places(sector: torch.Tensor) -> dict[str, Move]:
    """Each change of place at one strength.

    Args:
        sector: (1, 7), fitted.

    Returns:
        Caption -> change.
    """
    on, sin, cos = torch.tensor([True]), math.sin(math.radians(25)), math.cos(math.radians(25))
    shaped = moves.reshaped(sector, torch.tensor([0.7]))
    other = moves.exchanged(sector, torch.tensor([0.7]), torch.tensor([1.5]))
    deep = moves.about(1.5 * torch.eye(2)[None], moves.fixed_point(sector, SIDE_PX))
    return {
        "convexity of 0.7": moves.rescan(sector, shaped, on),
        "another probe": moves.rescan(sector, other, on),
        "depth: zoom of 1.5": deep,
        "mirror": about_centre([[1.0, 0.0], [0.0, -1.0]]),
        "rotation of 25 degrees": about_centre([[cos, -sin], [sin, cos]]),
        "shift of 0.15": moves.affine(torch.eye(2)[None], torch.tensor([[0.0, 0.15 * SIDE_PX]])),
        "shear of 0.27": about_centre([[1.0, 0.0], [0.27, 1.0]]),
        "crop, enlarged": about_centre([[1.6, 0.0], [0.0, 1.6]]),
    }


def changed(view: moves.View) -> dict[str, torch.Tensor]:
    """Each change of gray values at one strength.

    Args:
        view: the frame, unmoved.

    Returns:
        Caption -> (1, 1, H, W).
    """
    x, one, seed = view.images, lambda value: torch.tensor([value]), torch.tensor([7])
    return {
        "wavelet denoising": tones.denoised(x, one(3.0), 2),
        "CLAHE": tones.equalised(x, one(6.0)),
        "gamma 0.6": tones.gamma(x, one(0.6)),
        "gamma 1.6": tones.gamma(x, one(1.6)),
        "brightness 1.35": tones.bright(x, one(1.35)),
        "contrast 1.4": tones.contrast(x, one(1.4), view.inside),
        "speckle": tones.speckled(x, seed, one(7.0), view.beams),
        "noise of 2.5 levels": tones.noisy(x, seed, one(2.5)),
        "noise of 25 levels": tones.noisy(x, seed, one(25.0)),
        "levels stretched": levels.stretched(x, view.inside),
        "levels made even": levels.flattened(x, view.inside),
        "two bits": levels.posterised(x, one(2.0)),
        "solarised from 100": levels.solarised(x, one(100.0)),
        "shadows lifted by 60": levels.lifted(x, one(60.0)),
        "sharpness 3": levels.sharpened(x, one(3.0)),
        "a rectangle of noise": levels.erased(x, seed, one(0.08), one(0.8), one(0.5), one(0.5)),
        "salt and pepper": tones.peppered(x, seed, one(0.005), one(0.005)),
    }


def drawn(store: Store) -> tuple[list[torch.Tensor], list[str]]:
    """All pictures of the first frame that has a fitted sector, and what they show.

    Args:
        store: of frames with sectors.

    Returns:
        (1, 1, H, W) each, and their captions.
    """
    entry = Entry("", {}, (SIDE_PX, SIDE_PX), 1, (0.5,), (0.5,))
    rows = np.arange(len(store))
    frames = Prepared(store, rows, entry, torch.device("cpu"))
    sectors, regions = frames.scene(rows)
    row = int(torch.isfinite(sectors).all(1).nonzero()[0, 0])
    sector, region = sectors[row : row + 1], None if regions is None else regions[row : row + 1]
    frame, size = frames.read(rows[row : row + 1]), entry.image_size
    pictures, captions = [frame.float()], ["as stored"]
    for caption, move in places(sector).items():
        pictures.append(moves.moved(frame, [move], size, geometry=sector, regions=region).images)
        captions.append(caption)
    still = augment("none", frame, np.zeros((1, DRAWS)), size, geometry=sector, regions=region)
    for caption, image in changed(still).items():
        pictures.append(torch.where(still.inside.unsqueeze(1), image, still.images))
        captions.append(caption)
    for name in ("standard", "augus-o", "augus-d", "two-of-best", "randaugment"):
        for k in range(SAMPLES):
            numbers = uniforms(k, rows[row : row + 1], np.array([k]), DRAWS)
            pictures.append(augment(name, frame, numbers, size, geometry=sector, regions=region).images)
            captions.append(f"set {name}")
    return pictures, captions


if __name__ == "__main__":
    pictures, captions = drawn(Store.open((sys.argv[1],)))
    shown = [one[0, 0].round().clamp(0, 255).byte().numpy() for one in pictures]
    contact_sheet(shown, captions, COLUMNS, CELL_PX, sys.argv[2])
