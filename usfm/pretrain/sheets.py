"""Reconstruction sheets: what was seen, what was asked, what came back, and what was likely to be drawn."""

from pathlib import Path

import numpy as np
import torch

from usfm.model.vit import patchify, take, unpatchify
from usfm.pictures.sheet import contact_sheet
from usfm.pretrain.selection.draw import prior
from usfm.pretrain.targets import hog_glyphs

COLUMNS = ("frame", "prior", "visible", "targets", "reconstruction")


def draw_sheet(job, model, rows: np.ndarray, path: Path) -> None:
    """One line a frame: the frame, the prior, the visible patches, the targets, and the targets painted by the model.

    Args:
        job: the PretrainJob.
        model: in evaluation mode.
        rows: of the store.
        path: PNG to write.
    """
    output, images, view = job.look(model, rows)
    encoder, target = model.encoder, job.recipe.target.kind
    patch, grid = encoder.shape.patch, encoder.shape.grid
    with torch.autocast(images.device.type, enabled=False):
        patches = torch.nn.functional.unfold(images[:, :1], patch, stride=patch).transpose(1, 2).float()
        heat = prior(view, job.recipe.selection)
    painted = _painted(encoder, target, output, images)
    gray = torch.full_like(patches, 40.0)
    seen = _put(gray, output.ids_visible, take(patches, output.ids_visible))
    asked = _put(gray, output.ids_target, take(patches, output.ids_target))
    answer = _put(seen, output.ids_target, painted)
    maps = [unpatchify(each, patch, grid)[:, 0] for each in (seen, asked, answer)]
    warm = (heat / heat.amax(1, keepdim=True)).view(-1, *grid).cpu().numpy()
    cells, captions = [], []
    for i in range(len(rows)):
        block = np.kron(warm[i], np.ones((patch, patch)))
        cells += [_picture(images[i, 0]), block, *(_picture(each[i]) for each in maps)]
        captions += [f"{name} {rows[i]}" if name == "frame" else name for name in COLUMNS]
    contact_sheet(cells, captions, columns=len(COLUMNS), path=path)


def _painted(encoder, target: str, output, images: torch.Tensor) -> torch.Tensor:
    """The predictions as pictures of patches: (B, M, patch * patch), 0 to 255."""
    predicted = output.predictions.float()
    if target == "hog":
        return hog_glyphs(predicted, encoder.shape.patch) * 200
    if target == "normalised":
        truth = take(_normalised(encoder, images), output.ids_target)
        predicted = predicted * (truth.var(-1, keepdim=True) + 1e-6).sqrt() + truth.mean(-1, keepdim=True)
    first = predicted.unflatten(-1, (-1, encoder.shape.in_chans))[..., 0]
    return (first * encoder.std[0, 0] + encoder.mean[0, 0]) * 255


def _normalised(encoder, images: torch.Tensor) -> torch.Tensor:
    return patchify(encoder.normalise(images), encoder.shape.patch).float()


def _put(canvas: torch.Tensor, ids: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return canvas.scatter(1, ids.unsqueeze(-1).expand(-1, -1, canvas.shape[-1]), values.to(canvas.dtype))


def _picture(values: torch.Tensor) -> np.ndarray:
    return values.clamp(0, 255).round().to(torch.uint8).cpu().numpy()
