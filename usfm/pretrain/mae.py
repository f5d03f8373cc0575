"""The masked autoencoder, whole: choose tokens, encode the visible ones, decode the targets, compare."""

from dataclasses import dataclass

import torch
from torch import nn

from usfm.model.vit import Encoder, encoder_shape, patchify, take
from usfm.pretrain.decoders import DECODERS
from usfm.pretrain.recipe import Recipe
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import Counts, draw, prior
from usfm.pretrain.targets import TARGETS


@dataclass(frozen=True)
class Output:
    """What one forward pass gives.

    Attributes:
        loss: scalar, mean squared error over targets and their pixels.
        errors: (B, M) mean squared error of each target, detached.
        predictions: (B, M, P); targets: (B, M, P), what they should be.
        ids_visible: (B, V) grid indices; ids_target: (B, M).
    """

    loss: torch.Tensor
    errors: torch.Tensor
    predictions: torch.Tensor
    targets: torch.Tensor
    ids_visible: torch.Tensor
    ids_target: torch.Tensor


class MaskedAutoencoder(nn.Module):
    """Any recipe of this family: an encoder, a decoder, a way to choose tokens, and a target.

    Source: He et al. 2022. The loss is the mean over targets of the mean squared difference of their pixels: MAE's
    masked mean, since every image has the same number of targets.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        shape = encoder_shape(
            recipe.model.name, image_size=recipe.model.image_size or None, in_chans=recipe.model.in_chans
        )
        self.encoder = Encoder(shape)
        self.target = TARGETS[recipe.target.kind]
        d, out_dim = recipe.decoder, self.target.length(shape.patch, shape.in_chans)
        self.decoder = DECODERS[d.kind](
            shape.embed_dim, shape.grid, out_dim, width=d.width, depth=d.depth, heads=d.heads, positions=d.positions
        )

    def forward(
        self, images: torch.Tensor, view: View, counts: Counts, uniform: torch.Tensor, progress: float
    ) -> Output:
        """One pass.

        Args:
            images: (B, C, H, W) float, 0 to 255, augmented.
            view: the same samples as the priors see them.
            counts: how many tokens of each kind.
            uniform: (NOISES, B, L) in [0, 1), all the randomness there is.
            progress: 0 to 1, how far the run is.
        """
        patches = patchify(self.encoder.normalise(images), self.encoder.shape.patch)
        settings = self.recipe.selection
        with torch.no_grad():
            with torch.autocast(images.device.type, enabled=False):  # the draw is the same whatever the precision
                tokens = self.encoder.embed(patches.float()) if counts.grown else None
                p, inside = prior(view, settings), view.inside(settings.tau)
                ids_visible, ids_target = draw(p, inside, counts, uniform, settings, tokens=tokens, progress=progress)
                target = self.target.values(take(patches, ids_target), self.encoder.shape.patch)
        memory = self.encoder.encode(self.encoder.embed(patches, ids_visible))
        prediction = self.decoder(memory, ids_visible, ids_target)
        errors = (prediction.float() - target.float()).square().mean(-1)
        return Output(errors.mean(), errors.detach(), prediction, target, ids_visible, ids_target)
