"""The masked autoencoder, whole: choose tokens, encode the visible ones, decode the targets, compare."""

from dataclasses import dataclass

import torch
from torch import nn

from usfm.model.vit import Encoder, encoder_shape, patchify
from usfm.pretrain.decoders import DECODERS
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import Counts, draw, prior
from usfm.pretrain.settings import Recipe
from usfm.pretrain.targets import TARGETS
from usfm.pretrain.targets.contract import aim


@dataclass(frozen=True)
class Output:
    """What one forward pass gives; of several scales the one whose cells are patches, but for the loss.

    Attributes:
        loss: scalar: over the scales, the sum of the mean error of the targets and their numbers.
        errors: (B, M) mean error (squared, or absolute) of each target, detached.
        predictions: (B, M, P); targets: (B, M, P), what they should be.
        ids_visible: (B, V) grid indices; ids_target: (B, M).
        seen: (B, C, H, W) float images, 0 to 255, as the encoder had them.
    """

    loss: torch.Tensor
    errors: torch.Tensor
    predictions: torch.Tensor
    targets: torch.Tensor
    ids_visible: torch.Tensor
    ids_target: torch.Tensor
    seen: torch.Tensor


class MaskedAutoencoder(nn.Module):
    """Any recipe of this family: an encoder, a decoder, a way to choose tokens, and a target.

    Source: He et al. 2022. The loss is the mean over targets of the mean squared difference of their pixels: MAE's
    masked mean, since every image has the same number of targets. Decoders of several scales have one such mean each.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        shape = encoder_shape(
            recipe.model.name, image_size=recipe.model.image_size or None, in_chans=recipe.model.in_chans
        )
        self.encoder = Encoder(shape)
        self.target = TARGETS[recipe.target.kind]
        self.decoder = DECODERS[recipe.decoder.kind](
            recipe.decoder, shape, lambda cell: self.target.length(cell, shape.in_chans)
        )
        if shape.depth not in self.decoder.taps:
            self.encoder.norm.requires_grad_(False)  # nothing goes through it: it stays 1 and 0

    def forward(
        self,
        images: torch.Tensor,
        view: View,
        counts: Counts,
        uniform: torch.Tensor,
        progress: float,
        seen: torch.Tensor | None = None,
        counts_for: torch.Tensor | None = None,
    ) -> Output:
        """One pass.

        Args:
            images: (B, C, H, W) float, 0 to 255, augmented; the targets are cut out of them.
            view: the same samples as the priors see them.
            counts: how many tokens of each kind.
            uniform: (NOISES, B, L) in [0, 1), all the randomness there is.
            progress: 0 to 1, how far the run is.
            seen: as `images`, for the encoder, where it sees something else.
            counts_for: (B,) how much each image counts in the loss; None for alike.

        Returns:
            Loss, predictions, targets, errors and the tokens of each kind.

        Raises:
            ValueError: the decoder predicts at no scale of the encoder's patch.
        """
        encoder, settings, clean = self.encoder, self.recipe.selection, self.encoder.normalise(images)
        seen = images if seen is None else seen
        patches = patchify(clean if seen is images else encoder.normalise(seen), encoder.shape.patch)
        with torch.no_grad():
            with torch.autocast(images.device.type, enabled=False):  # the draw is the same whatever the precision
                tokens = encoder.embed(patches.float()) if counts.grown else None
                p, inside = prior(view, settings), view.inside(settings.tau)
                ids_visible, ids_target = draw(
                    p, inside, counts, uniform, settings, tokens=tokens, progress=progress, grid=view.grid
                )
                aimed = self._aims(clean, ids_target)
        had = ids_visible
        if settings.hide == "mean":
            patches, had = blanked(patches, ids_visible, encoder.shape.in_chans), everywhere(patches)
        outputs = list(encoder.encode(encoder.embed(patches, had), taps=self.decoder.taps))
        predictions = self.decoder(outputs, had, ids_target)
        loss, shown = torch.zeros((), device=images.device), None
        for cell, prediction, (target, weights) in zip(self.decoder.cells, predictions, aimed, strict=True):
            away = prediction.float() - target.float()
            errors = (away.square() if self.recipe.target.error == "square" else away.abs()).mean(-1)
            own = errors if counts_for is None else errors * counts_for.unsqueeze(1)
            mean = own.mean() if weights is None else (own * weights).sum() / weights.sum().clamp(min=1e-6)
            loss = mean if len(aimed) == 1 else loss + mean
            if cell == encoder.shape.patch:
                shown = (errors.detach(), prediction, target)
        if shown is None:
            raise ValueError(f"the decoder predicts no cells of {encoder.shape.patch} px")
        return Output(loss, *shown, ids_visible, ids_target, seen)

    def _aims(self, clean: torch.Tensor, ids_target: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        prepared, patch = self.target.prepare(clean), self.encoder.shape.patch
        return [aim(self.target, prepared, ids_target, patch, cell) for cell in self.decoder.cells]


def blanked(patches: torch.Tensor, ids_visible: torch.Tensor, channels: int) -> torch.Tensor:
    """Fill the patches that are not visible with the mean of their image, channel by channel.

    Args:
        patches: (B, L, p * p * C), the channel fastest.
        ids_visible: (B, V).
        channels: C.

    Returns:
        (B, L, p * p * C). Source: USFM's public code.
    """
    mean = patches.unflatten(2, (-1, channels)).mean((1, 2)).repeat(1, patches.shape[2] // channels).unsqueeze(1)
    seen = torch.zeros(patches.shape[:2], device=patches.device).scatter(1, ids_visible, 1.0) > 0
    return torch.where(seen.unsqueeze(-1), patches, mean.expand_as(patches))


def everywhere(patches: torch.Tensor) -> torch.Tensor:
    """Indices of all patches: (B, L, P) -> (B, L) int64."""
    return torch.arange(patches.shape[1], device=patches.device).expand(len(patches), -1)
