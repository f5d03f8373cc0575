"""The picture of the augmentations in the docs shows every operation and every set."""

import inspect
from pathlib import Path

import pytest

from usfm.engine.augmentation import levels, moves, tones
from usfm.engine.augmentation.names import NAMES

DRAWN = (Path(__file__).parents[3] / "docs" / "pictures.py").read_text()
NO_PICTURE = {"saturate", "daubechies"}
"""Colour only; the filter behind denoising."""


PLACES = ("rescan", "reshaped", "exchanged", "about", "affine")


@pytest.mark.parametrize("module", [tones, levels])
def test_every_change_of_gray_values_and_of_place_is_drawn(module):
    ours = [each for each in vars(module).values() if inspect.isfunction(each) and each.__module__ == module.__name__]
    own = {value.__name__ for value in ours if not value.__name__.startswith("_")} - NO_PICTURE
    assert len(own) > 6
    kind = module.__name__.rpartition(".")[2]
    assert not [name for name in own if f"{kind}.{name}(" not in DRAWN]
    assert all(hasattr(moves, name) and f"moves.{name}(" in DRAWN for name in PLACES)


def test_every_set_is_drawn():
    assert not [name for name in NAMES if f'"{name}"' not in DRAWN]
