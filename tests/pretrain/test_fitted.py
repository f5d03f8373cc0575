"""A recipe fits the store where nobody said otherwise."""

import pytest

from usfm.config import Request
from usfm.model.vit import encoder_shape
from usfm.pretrain import recipe as recipes
from usfm.pretrain.config import Config
from usfm.pretrain.fitted import fitted
from usfm.pretrain.run import run

NAMES = [name for name in recipes.names() if not name.endswith("-published")]


@pytest.mark.parametrize("frames", [1, 2, 7, 10, 31, 500, 4_999, 5_000, 49_999, 50_000, 2_000_000])
@pytest.mark.parametrize("name", NAMES)
def test_every_store_has_a_run(name, frames):
    own = recipes.load(name)
    fit = fitted(own, name, frames)
    got = fit.recipe
    width = encoder_shape(got.model.name).embed_dim
    assert 1 <= got.run.batch_size <= min(frames, own.run.batch_size)
    assert width <= encoder_shape(own.model.name).embed_dim
    assert width <= (192 if frames < 5_000 else 384 if frames < 50_000 else 768)
    assert got.decoder.width % got.decoder.heads == 0
    assert got.decoder.width <= own.decoder.width
    assert got.decoder.depth <= own.decoder.depth
    if frames >= 12 * own.run.batch_size and frames >= 50_000:
        assert (got, fit.reasons) == (own, ())
    assert recipes.from_tables(got.as_dict(), "fitted") == got


@pytest.mark.parametrize("frames", [1, 500, 60_000])
@pytest.mark.parametrize("name", ["polarmae-published", "my.toml"])
def test_published_recipes_and_files_say_everything(name, frames):
    own = recipes.load("polarmae-published")
    assert fitted(own, name, frames).recipe is own


def test_what_the_user_says_stands():
    own = recipes.load("polarmae", ("batch_size=500", "lr=1e-3", "decoder.width=64", "decoder.heads=4"))
    got = fitted(own, "polarmae", 500, given=("batch_size", "lr", "width", "heads", "epochs")).recipe
    assert (got.run.batch_size, got.optim.lr, got.decoder.width, got.decoder.heads) == (500, 1e-3, 64, 4)
    assert got.run.steps == 0
    large = recipes.load("polarmae", ("model.name=vit_large_patch16_224",))
    assert fitted(large, "polarmae", 500, given=("name",)).recipe.model.name == "vit_large_patch16_224"


def test_the_rate_falls_with_the_root_of_the_batch():
    own = recipes.load("mae")
    got = fitted(own, "mae", 500).recipe
    assert got.optim.lr == pytest.approx(1.5e-4 * 16 * (got.run.batch_size / 4096) ** 0.5, rel=1e-2)


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_a_batch_divides_into_processes_and_parts(parts):
    assert fitted(recipes.load("mae"), "mae", 500, parts=parts).recipe.run.batch_size % parts == 0


@pytest.mark.parametrize("frames", [1, 3, 10])
@pytest.mark.parametrize("name", NAMES)
def test_tiny_stores_train_with_every_recipe(name, frames, make_store, tmp_path, monkeypatch):
    monkeypatch.setattr("usfm.pretrain.sheets.draw_sheet", lambda *arguments: None)
    store = make_store(tmp_path / "s.h5", clips=1, frames=frames)
    tiny = ("model.name=vit_nano_patch16_64", "model.image_size=64", "decoder.width=32", "decoder.heads=2")
    summary = run(
        Config(recipe=name, set=(*tiny, "decoder.depth=1", "run.steps=2", "run.checks=1", "run.saves=1")),
        Request(inputs=(store,), out=str(tmp_path / "run"), device="cpu"),
    )
    assert summary["steps"] == 2
