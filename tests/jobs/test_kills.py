"""Real commands, killed with all their processes at a drawn call or moment, end well when they are typed again."""

import random
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bench" / "faulty"))
import commands


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """The bench's commands on a few stills, one run undisturbed; the whole bench kills all of them, many times."""
    folder = tmp_path_factory.mktemp("kills")
    known = {
        "extract": commands.Case("extract clips --out raw.h5 --workers 2", ("clips",), "raw.h5"),
        "sector": commands.Case("sector --in raw.h5 --size 64 --out sector.h5 --workers 2", ("raw.h5",), "sector.h5"),
    }
    trials = commands.Trials(folder / "trials", known=known)
    (trials.made / "clips").mkdir()
    for number in range(6):
        still = np.random.default_rng(number).integers(0, 256, (64, 80), np.uint8)
        cv2.imwrite(str(trials.made / "clips" / f"{number}.png"), still)
    trials.prepare()
    return trials


@pytest.mark.parametrize("fault", ["call", "moment"])
@pytest.mark.parametrize("name", ["extract", "sector"])
def test_a_command_that_was_killed_loses_nothing_and_is_typed_again(trials, name, fault):
    assert trials.trial(name, fault, random.Random(f"{name} {fault}")) == []
