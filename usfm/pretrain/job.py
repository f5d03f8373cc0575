"""Pretraining as the loop sees it: a loss for a batch, and held-out figures that any two moments can be compared by."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from usfm.engine.augmentation.sets import DRAWS
from usfm.engine.counter import uniforms
from usfm.engine.crops import whole
from usfm.engine.data import Batch, Pixels, spread
from usfm.engine.optim import Group
from usfm.engine.prune import Pruned, gathered
from usfm.engine.scan import exchanged
from usfm.engine.stream import Stream
from usfm.model import checkpoint
from usfm.pretrain.degradations import DEGRADATIONS
from usfm.pretrain.mae import MaskedAutoencoder, Output
from usfm.pretrain.selection.contract import View
from usfm.pretrain.selection.draw import NOISES, Counts
from usfm.pretrain.selection.polar import grid_coordinates
from usfm.pretrain.settings import Recipe
from usfm.pretrain.views import Regions, Views
from usfm.seeding import torch_seed

PRUNING = "pruning"
"""Entry of a checkpoint's state."""
CHECK_BATCH, CHECK_FRAMES, DEPTH_BINS, SHEET_ROWS = 32, 512, 5, 8


class PretrainJob:
    """A recipe on a store.

    Args:
        recipe: resolved.
        model: on its device.
        stream: of the training rows.
        pixels: reads frames.
        regions: the store's, or None.
        held_out: rows of the store for the held-out loss; may be empty.
        steps: of the whole run.
        seed: of all draws.
        figures: folder for pictures, or None for none.
        probe: figures of an encoder on labelled frames, None for none.
        old_held_out: rows whose loss tells what the run forgets; may be empty.
    """

    def __init__(
        self,
        recipe: Recipe,
        model: MaskedAutoencoder,
        stream: Stream,
        pixels: Pixels,
        regions: Regions | None,
        *,
        held_out: np.ndarray,
        steps: int,
        seed: int,
        figures: Path | None = None,
        probe=None,
        old_held_out: np.ndarray | None = None,
    ):
        self.recipe, self.model, self.stream, self.pixels = recipe, model, stream, pixels
        self.pruning = stream.order if isinstance(stream.order, Pruned) else None
        self.regions = regions if recipe.selection.region else None
        shape = model.encoder.shape
        self.degradation = DEGRADATIONS[recipe.degrade.kind]
        self.views = Views(recipe, shape.grid, shape.image_size, regions)
        self.tokens = shape.grid[0] * shape.grid[1]
        self.held_out = spread(pixels.store, held_out, CHECK_FRAMES)
        old = held_out[:0] if old_held_out is None else old_held_out
        self.old_held_out = spread(pixels.store, old, CHECK_FRAMES)
        self.steps, self.seed, self.figures, self.probe = steps, seed, figures, probe

    # ------------------------------------------------------------ training

    def loss(self, net: nn.Module, batch: Batch, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of one part of a batch; all draws depend on the seed and the step, whatever the part.

        Args:
            net: the model, wrapped as the strategy wants it.
            batch: one part of a step.
            step: steps taken before.

        Returns:
            The loss, and nothing more to log.
        """
        with torch.autocast(batch.frames.device.type, enabled=False):
            images, view = self.augmented(batch, step)
        counts = Counts.of(batch.plan.candidates, self.recipe.selection)
        uniform = self._uniform(len(batch.plan.rows), "select", step)[:, batch.part]
        if self.recipe.selection.candidates == "fixed":
            key = torch_seed(self.seed, "candidates")
            rows = batch.plan.rows[batch.part]
            fixed = uniforms(key, rows, np.zeros_like(rows), self.tokens).astype(np.float32)
            uniform[0] = self.pixels.send(fixed)
        seen = self._degraded(images, len(batch.plan.rows), batch.part, "degrade", step)
        if self.pruning is None:
            return net(images, view, counts, uniform, step / self.steps, seen).loss, {}
        rows = batch.plan.rows[batch.part]
        worth = self.pixels.send(self.pruning.weights(rows, batch.plan.epochs[batch.part]))
        output = net(images, view, counts, uniform, step / self.steps, seen, worth)
        for first, losses in gathered(batch.part.start, output.errors.mean(1)):
            self.pruning.record(step, first, batch.plan.rows[first : first + len(losses)], losses)
        return output.loss, {}

    def augmented(self, batch: Batch, step: int) -> tuple[torch.Tensor, View]:
        """A part of a batch as the recipe shows it; the draws of a named set belong to a sample and a pass.

        Args:
            batch: the part.
            step: steps taken before.

        Returns:
            Images (B, C, h, w), 0 to 255, and the same as the priors see it.
        """
        if self.recipe.augment.kind == "crop":
            return self.views.make(self._exchanged(batch, step), batch.crops, batch.regions)
        rows, epochs = batch.plan.rows[batch.part], batch.plan.epochs[batch.part]
        uniform = uniforms(torch_seed(self.seed, "augment"), rows, epochs, DRAWS)
        return self.views.by_set(batch.frames, uniform, batch.regions)

    def _exchanged(self, batch: Batch, step: int) -> torch.Tensor:
        """The frames of a part, some as another probe would show them where the recipe says so."""
        share = self.recipe.augment.scan
        if not share or self.views.regions is None:
            return batch.frames
        chosen = self._random((len(batch.plan.rows),), "scan", step)[batch.part] < share
        return exchanged(batch.frames, self.views.regions.geometry[batch.regions], chosen)

    def _degraded(self, images: torch.Tensor, n: int, part: slice, *names: str | int) -> torch.Tensor:
        """What the encoder sees of some of the n images of a step: worse ones where the recipe says so."""
        draws = self.degradation.draws(*images.shape[2:])
        if not draws:
            return images
        with torch.autocast(images.device.type, enabled=False):
            return self.degradation.worse(images, self._random((n, draws), *names)[part], self.recipe.degrade)

    def describe(self, batch: Batch) -> dict:
        """What the log says about a batch, known without asking the device."""
        counts = Counts.of(batch.plan.candidates, self.recipe.selection)
        return {
            "epoch": round((batch.plan.step + 1) / self.stream.steps_per_epoch(), 4),
            "candidates": counts.candidates,
            "visible": counts.visible,
            "targets": counts.targets,
        }

    def group(self, name: str) -> Group:
        """Every parameter by the run's settings."""
        return Group()

    def write(self, folder: Path, kept: Mapping, trained: Mapping, state: dict) -> None:
        """Write a checkpoint: the encoder by itself, and all that is needed to go on.

        Args:
            folder: of the checkpoint.
            kept: the weights to use, averaged where the run averages.
            trained: the weights as the optimiser left them.
            state: what the loop needs to go on.
        """
        encoder = {name.removeprefix("encoder."): v for name, v in kept.items() if name.startswith("encoder.")}
        more = {} if self.pruning is None else {PRUNING: self.pruning.state(state["step"])}
        checkpoint.save(folder, encoder, self.model.encoder.shape, model=trained, state={**state, **more})

    def go_on(self, folder: Path) -> None:
        """Take what a checkpoint says of pruned passes; for a run that resumes.

        Raises:
            RequestError: it is damaged, or says nothing of them.
        """
        if self.pruning is None:
            return
        try:
            self.pruning.go_on(checkpoint.load_state(folder)[1][PRUNING])
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise checkpoint.incomplete(folder, f"its pruned passes do not fit: {type(error).__name__}") from None

    def _uniform(self, n: int, *names: str | int) -> torch.Tensor:
        return self._random((NOISES, n, self.tokens), *names)

    def _random(self, shape: tuple[int, ...], *names: str | int) -> torch.Tensor:
        generator = torch.Generator(self.pixels.device).manual_seed(torch_seed(self.seed, *names))
        return torch.rand(shape, generator=generator, device=self.pixels.device)

    # ------------------------------------------------------------ watching

    def look(self, model: MaskedAutoencoder, rows: np.ndarray) -> tuple[Output, torch.Tensor, object]:
        """Run whole frames through the model with fixed masks.

        Args:
            model: with the weights to look at.
            rows: (n,) of the store.

        Returns:
            What the model gave, the images (n, C, H, W) and their view.
        """
        crops = whole(len(rows), self.stream.frame)
        candidates, place = self.tokens, np.full(len(rows), -1)
        if self.regions is not None:
            place = self.regions.rows[rows]
            coverage = self.regions.areas.coverage(place, crops, self.stream.grid)
            candidates = self.stream.candidates((coverage >= self.recipe.selection.tau).sum((1, 2)))
        send = self.pixels.send
        with torch.autocast(self.pixels.device.type, enabled=False):
            images, view = self.views.make(self.pixels.read(rows), send(crops.stacked()), send(place))
        counts = Counts.of(candidates, self.recipe.selection)
        counts = Counts(counts.candidates, counts.visible, 0, counts.targets)  # growth would follow the weights
        noise = self._uniform(len(rows), "held out", int(rows[0]))
        seen = self._degraded(images, len(rows), slice(None), "degrade held out", int(rows[0]))
        return model(images, view, counts, noise, 0.0, seen), images, view

    def check(self, model: MaskedAutoencoder, step: int) -> dict:
        """The held-out reconstruction loss (`score`), by depth too, how many dimensions are in use, and pictures.

        Args:
            model: with the weights to be judged.
            step: steps taken; it names the picture.

        Returns:
            Name -> figure; `score` is lacking where nothing is held out.
        """
        from usfm.pretrain.sheets import draw_sheet, draw_tokens

        rows = self._by_valid(self.held_out)
        figures = self._measured(model, rows) if len(rows) else {}
        figures.update(self.check_old(model))
        if self.probe is not None:
            figures.update(self.probe(model.encoder))
        if self.figures is not None:
            shown = rows if len(rows) else self.stream.rows
            pick = spread(self.pixels.store, np.sort(shown), SHEET_ROWS)
            draw_sheet(self, model, pick, self.figures / f"reconstruction-{step:07d}.png")
            draw_tokens(self, model, pick, self.figures / "tokens.png")
        return figures

    def check_old(self, model: MaskedAutoencoder) -> dict:
        """The held-out loss of the old store's frames; {} where there are none."""
        if not len(self.old_held_out):
            return {}
        return {"old_held_out_loss": self._measured(model, self._by_valid(self.old_held_out))["held_out_loss"]}

    def _measured(self, model: MaskedAutoencoder, rows: np.ndarray) -> dict:
        """Loss of some rows, by depth too, and how many dimensions their features use."""
        from usfm.pretrain.watch import rank_me

        total, by_depth, features = 0.0, torch.zeros(2, DEPTH_BINS), []
        for start in range(0, len(rows), CHECK_BATCH):
            part = rows[start : start + CHECK_BATCH]
            output, images, view = self.look(model, part)
            total += output.loss.item() * len(part)
            by_depth += depth_profile(output, view, self.recipe.selection.tau)
            given = output.seen if self.degradation.downstream else images
            features.append(model.encoder.features(model.encoder.normalise(given)).float().cpu())
        loss = total / len(rows)
        profile = [s / n if n else None for s, n in zip(*by_depth.tolist(), strict=True)]
        return {
            "score": loss,
            "held_out_loss": loss,
            "held_out_loss_by_depth": [None if value is None else round(value, 5) for value in profile],
            "rank_me": rank_me(torch.cat(features)),
        }

    def _by_valid(self, rows: np.ndarray) -> np.ndarray:
        """Rows by valid patches, so that frames checked together have a K in common."""
        if self.regions is None or not len(rows):
            return rows
        crops = whole(len(rows), self.stream.frame)
        coverage = self.regions.areas.coverage(self.regions.rows[rows], crops, self.stream.grid)
        return rows[np.argsort((coverage >= self.recipe.selection.tau).sum((1, 2)), kind="stable")]


def depth_profile(output: Output, view, tau: float) -> torch.Tensor:
    """Sum of target errors and their number by fifth of the region's depth: (2, DEPTH_BINS).

    Args:
        output: of the model, for a batch.
        view: of the same batch.
        tau: coverage from which a patch counts as inside the region.

    Returns:
        (2, DEPTH_BINS) on the host: sums of errors, and numbers of targets.
    """
    depth, _, counted = grid_coordinates(view, tau, 1.0)
    at = (depth.gather(1, output.ids_target) * DEPTH_BINS).long().clamp(max=DEPTH_BINS - 1)
    known = counted.gather(1, output.ids_target).float()
    sums = torch.zeros(2, DEPTH_BINS, device=at.device)
    sums[0].scatter_add_(0, at.flatten(), (output.errors * known).flatten())
    sums[1].scatter_add_(0, at.flatten(), known.flatten())
    return sums.cpu()
