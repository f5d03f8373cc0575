"""Reconstruction sheets: what was seen, and at the targets the truth, the prediction and their difference."""

from pathlib import Path

import numpy as np
import torch

from usfm.engine.data import Feed
from usfm.model.vit import patchify, take, unpatchify
from usfm.pictures.sheet import contact_sheet
from usfm.pretrain.selection.draw import prior
from usfm.pretrain.targets import Target

COLUMNS = ("frame", "prior", "visible", "truth", "prediction", "difference")
KEY = (
    "Each line is one frame. Prior: brighter patches are likelier to be drawn. Visible: what the encoder saw. {form} "
    "Difference: absolute difference of the two; black is none, and the brightest patch of the sheet is white."
)


TOKENS = (
    "Each frame, and its patch tokens behind the last block: their first three principal components over this sheet as "
    "red, green and blue. Patches of one colour look alike to the encoder."
)

FIRST, SHOWN = "batch.png", 8
"""The picture of the first batch, and how many frames of it are drawn."""


def draw_first(job, feed: Feed, folder: Path) -> None:
    """Frames of the first batch as stored, and below them as the recipe's set of augmentations shows them.

    Args:
        job: the PretrainJob.
        feed: gives the batch.
        folder: where `FIRST` is written.
    """
    batch = feed.make(0)[0].head(SHOWN)
    rows = [_picture(each[0]) for images in (batch.frames, job.augmented(batch, 0)[0]) for each in images]
    title = f"the first batch: stored frames above, with augment.kind = {job.recipe.augment.kind} below"
    folder.mkdir(exist_ok=True)
    contact_sheet(rows, None, len(batch.frames), 112, folder / FIRST, title=title)


def draw_sheet(job, model, rows: np.ndarray, path: Path) -> None:
    """One line a frame: frame, prior, visible patches, then truth, prediction and difference at the targets.

    Truth and prediction have the form that the loss compares: orientations stand beside orientations.

    Args:
        job: the PretrainJob.
        model: in evaluation mode.
        rows: of the store.
        path: PNG to write.
    """
    output, images, view = job.look(model, rows)
    encoder, target = model.encoder, model.target
    patch, grid = encoder.shape.patch, encoder.shape.grid
    with torch.autocast(images.device.type, enabled=False):
        patches = torch.nn.functional.unfold(output.seen[:, :1], patch, stride=patch).transpose(1, 2).float()
        heat = prior(view, job.recipe.selection)
    true, predicted = pictured(encoder, target, output, images)
    seen = _put(torch.full_like(patches, 40.0), output.ids_visible, take(patches, output.ids_visible))
    black = torch.zeros_like(patches)
    answers = [_put(black, output.ids_target, each) for each in (true, predicted)]
    away = _put(black, output.ids_target, (true.clamp(0, 255) - predicted.clamp(0, 255)).abs())
    away *= 255 / away.amax().clamp(min=1e-6)
    maps = [unpatchify(each, patch, grid)[:, 0] for each in (seen, *answers, away)]
    warm = (heat / heat.amax(1, keepdim=True)).view(-1, *grid).cpu().numpy()
    cells, captions = [], []
    sources = job.pixels.store.column("source")[rows]
    for i in range(len(rows)):
        block = np.kron(warm[i], np.ones((patch, patch)))
        cells += [_picture(images[i, 0]), block, *(_picture(each[i]) for each in maps)]
        captions += [f"frame {rows[i]}, source {sources[i]}", *COLUMNS[1:]]
    contact_sheet(cells, captions, columns=len(COLUMNS), path=path, title=KEY.format(form=target.form))


def draw_tokens(job, model, rows: np.ndarray, path: Path) -> None:
    """Each frame, and its patch tokens as colours: what the encoder takes for the same has the same colour.

    Args:
        job: the PretrainJob.
        model: in evaluation mode.
        rows: of the store.
        path: PNG to write.
    """
    output, images, _ = job.look(model, rows)
    encoder = model.encoder
    given = output.seen if job.degradation.downstream else images
    with torch.no_grad():
        tokens = encoder(encoder.normalise(given))[:, 1:].float().cpu()
    colours = coloured(tokens).unflatten(1, encoder.shape.grid).numpy()
    patch, cells = encoder.shape.patch, []
    for i in range(len(rows)):
        cells += [_picture(images[i, 0]), np.kron(colours[i], np.ones((patch, patch, 1), np.uint8))]
    contact_sheet(cells, ["frame", "tokens"] * len(rows), columns=4, path=path, title=TOKENS)


def coloured(tokens: torch.Tensor) -> torch.Tensor:
    """The first three principal components of tokens as red, green and blue.

    Args:
        tokens: (B, L, D) float32, D at least 3.

    Returns:
        uint8 (B, L, 3); the middle 96 % of each component fill the range.

    >>> near, far = torch.zeros(1, 50, 8), torch.ones(1, 50, 8)
    >>> colours = coloured(torch.cat([near, far], 1))[0, :, 0]
    >>> bool((colours[:50] == colours[0]).all()), abs(int(colours[0]) - int(colours[-1]))
    (True, 255)
    """
    flat = tokens.flatten(0, 1).double()
    flat = flat - flat.mean(0)
    _, axes = torch.linalg.eigh(flat.T @ flat)
    parts = flat @ axes[:, -3:].flip(1)
    low, high = (torch.quantile(parts, share, dim=0) for share in (0.02, 0.98))
    shares = (parts - low) / (high - low).clamp(min=1e-6)
    return (shares.clamp(0, 1) * 255).round().to(torch.uint8).unflatten(0, tokens.shape[:2])


def pictured(encoder, target: Target, output, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Targets and predictions as pictures of patches, both in one form: (B, M, patch * patch) each, 0 to about 255.

    Args:
        encoder: of the model; says patch, channels, mean and std.
        target: its kind, which knows how to draw itself.
        output: of the model, for `images`.
        images: (B, C, H, W) float, 0 to 255.

    Returns:
        The targets, and the predictions.
    """
    patch = encoder.shape.patch
    pixels = take(patchify(encoder.normalise(images), patch).float(), output.ids_target)
    drawn = []
    for values in (output.targets.float(), output.predictions.float()):
        picture, is_pixels = target.picture(values, pixels, patch)
        if is_pixels:
            first = picture.unflatten(-1, (-1, encoder.shape.in_chans))[..., 0]
            picture = (first * encoder.std[0, 0] + encoder.mean[0, 0]) * 255
        drawn.append(picture)
    return drawn[0], drawn[1]


def _put(canvas: torch.Tensor, ids: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return canvas.scatter(1, ids.unsqueeze(-1).expand(-1, -1, canvas.shape[-1]), values.to(canvas.dtype))


def _picture(values: torch.Tensor) -> np.ndarray:
    return values.clamp(0, 255).round().to(torch.uint8).cpu().numpy()
