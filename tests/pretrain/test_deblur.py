"""An encoder that learnt on blurred frames gets blurred frames wherever it is used."""

import json

import numpy as np
import pytest
import torch

from usfm.config import Request
from usfm.errors import RequestError
from usfm.model import embedders
from usfm.model.blur import gaussian
from usfm.model.checkpoint import load_encoder
from usfm.pretrain.config import Config
from usfm.pretrain.run import run

FRAMES = [np.random.default_rng(k).integers(0, 256, (64, 64), np.uint8) for k in range(2)]


@pytest.fixture(scope="module")
def deblurred(store_path, tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("deblur") / "run"
    changes = (*tiny, "steps=2", "checks=1", "saves=1")
    run(Config(recipe="deblurmae", set=changes), Request(inputs=(store_path,), out=str(out), device="cpu"))
    return out


def test_the_card_says_the_blur_and_the_embedder_follows_it(deblurred):
    card = json.loads((deblurred / "card.json").read_text())
    assert card["blur_px"] == 1.1
    embedder = embedders.load(str(deblurred), device="cpu")
    assert embedder.identity["blur_px"] == 1.1
    encoder = load_encoder(deblurred)[0]
    batch = torch.from_numpy(embedder.prepare(FRAMES)).float()
    with torch.no_grad():
        wanted = encoder.features(encoder.normalise(gaussian(batch, 1.1))).numpy()
    assert np.abs(embedder.embed(FRAMES) - wanted).max() < 1e-5


@pytest.mark.parametrize("blur", ["much", -1, 1e9, True])
def test_a_card_with_another_blur_is_refused(deblurred, blur, tmp_path):
    import shutil

    shutil.copytree(deblurred, tmp_path / "run")
    card = json.loads((tmp_path / "run" / "card.json").read_text())
    (tmp_path / "run" / "card.json").write_text(json.dumps({"recipe": card["recipe"], "blur_px": blur}))
    with pytest.raises(RequestError, match="blur"):
        embedders.load(str(tmp_path / "run"), device="cpu")
