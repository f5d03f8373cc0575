"""What a reconstruction sheet shows: truth and prediction in the form that the loss compares."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from usfm.model.vit import patchify, take
from usfm.pretrain import recipe as recipes
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts
from usfm.pretrain.sheets import COLUMNS, draw_sheet, pictured
from usfm.pretrain.targets import TARGETS
from usfm.pretrain.targets.hog import hog, hog_glyphs


def looked(target, channels, n=3):
    torch.manual_seed(0)
    changes = ("model.name=vit_nano_patch16_64", "decoder.width=32", "decoder.depth=1", "decoder.heads=2")
    recipe = recipes.load("mae", (*changes, f"target.kind={target}", f"in_chans={channels}"))
    model = MaskedAutoencoder(recipe).eval()
    images = (torch.rand(n, 1, 64, 64) * 255).expand(-1, channels, -1, -1)
    view = View(images[:, :1], torch.ones(n, 16), (4, 4))
    with torch.no_grad():
        output = model(images, view, Counts.of(16, recipe.selection), torch.rand(NOISES, n, 16), 0.0)
    return model, images, view, output


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("target", TARGETS)
def test_truth_is_the_frame_itself_and_prediction_the_models(target, channels):
    model, images, _, output = looked(target, channels)
    true, predicted = pictured(model.encoder, model.target, output, images)
    assert true.shape == predicted.shape == (*output.ids_target.shape, 256)
    if target == "hog":
        patches = take(patchify(model.encoder.normalise(images), 16), output.ids_target)
        assert torch.allclose(true, hog_glyphs(hog(patches, 16), 16) * 200)
    elif model.target.unit:
        assert torch.allclose(true, take(patchify(images[:, :1], 16), output.ids_target), atol=0.05)
    exact = SimpleNamespace(targets=output.targets, predictions=output.targets, ids_target=output.ids_target)
    assert torch.equal(*pictured(model.encoder, model.target, exact, images))
    assert not torch.allclose(true, predicted, atol=1)


def test_a_sheet_names_its_columns_frames_and_sources(tmp_path, monkeypatch):
    model, images, view, output = looked("hog", 1)
    job = SimpleNamespace(
        look=lambda model, rows: (output, images, view),
        recipe=model.recipe,
        pixels=SimpleNamespace(store=SimpleNamespace(column=lambda name: np.array([4, 4, 7, 9]))),
    )
    shown = {}

    def sheet(cells, captions, columns, path, title):
        shown.update(cells=cells, captions=captions, columns=columns, title=title)

    monkeypatch.setattr("usfm.pretrain.sheets.contact_sheet", sheet)
    draw_sheet(job, model, np.array([0, 2, 3]), tmp_path / "sheet.png")
    assert shown["columns"] == len(COLUMNS)
    assert shown["captions"][:: len(COLUMNS)] == ["frame 0, source 4", "frame 2, source 7", "frame 3, source 9"]
    assert "orientations" in shown["title"]
    frame, _, visible, truth, prediction, difference = shown["cells"][:6]
    assert frame.shape == (64, 64)
    for patch in range(16):
        block = np.s_[patch // 4 * 16 :, patch % 4 * 16 :]
        block = tuple(slice(part.start, part.start + 16) for part in block)
        if patch in output.ids_visible[0]:
            assert np.array_equal(visible[block], frame[block])
        assert (truth[block].any() or prediction[block].any()) == (patch in output.ids_target[0])
        assert patch in output.ids_target[0] or not difference[block].any()


def test_a_title_is_wrapped_above_the_pictures(tmp_path):
    from usfm.pictures.sheet import contact_sheet

    plain = contact_sheet([np.zeros((8, 8), np.uint8)] * 2, cell_px=64)
    titled = contact_sheet(
        [np.zeros((8, 8), np.uint8)] * 2, cell_px=64, title="many words " * 12, path=tmp_path / "a.png"
    )
    assert titled.shape[0] > plain.shape[0] + 2 * 15
    assert titled.shape[1] == plain.shape[1]
    assert np.array_equal(titled[-plain.shape[0] :], plain)
    with Image.open(tmp_path / "a.png") as written:
        assert written.size == titled.shape[1::-1]
