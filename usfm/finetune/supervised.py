"""A network trained on labels, as the engine's loop sees it: any task, any encoder, whole or in part."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from usfm.engine.augmentation.sets import DRAWS, augment
from usfm.engine.counter import uniforms
from usfm.engine.data import Batch
from usfm.engine.device import autocast, is_out_of_memory
from usfm.engine.optim import Group
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.finetune.mixing import mix
from usfm.finetune.settings import Tuning
from usfm.model import checkpoint, lora
from usfm.model.network import Network
from usfm.model.vit import Encoder
from usfm.seeding import stream, torch_seed
from usfm.tasks import trained
from usfm.tasks.learner import Learner
from usfm.tasks.trained import Model

CHECK_BATCH = 32


def build(network: Network, learner: Learner, protocol: str, tuning: Tuning, seed: int) -> Model:
    """A model that is ready to be trained.

    Args:
        network: with its weights; changed in place.
        learner: of the task.
        protocol: frozen (head only), lora (small matrices, norms and head) or full.
        tuning: its drop_path, rank, alpha and blocks.
        seed: of the head's and the matrices' first weights.

    Returns:
        The model, on the CPU.

    Raises:
        RequestError: lora, and the network has no transformer blocks.
    """
    how = trained.Changed(protocol, tuning.drop_path, tuning.rank, tuning.alpha, tuning.blocks)
    return trained.build(network, learner, how, seed)


class Supervised:
    """A training on labels: `usfm.engine.step.Job`.

    Args:
        model: on its device.
        learner: of the task.
        frames: prepared frames of the store.
        tuning: how.
        validation: rows by which the best moment is chosen; may be empty.
        seed: of all draws.
    """

    def __init__(
        self, model: Model, learner: Learner, frames: Prepared, tuning: Tuning, validation: np.ndarray, seed: int
    ):
        self.model, self.learner, self.frames, self.tuning = model, learner, frames, tuning
        self.validation, self.seed = validation, seed
        self._key = torch_seed(seed, "augment")
        self._decayed = 1.0 if model.frozen else tuning.layer_decay

    def loss(self, net: nn.Module, batch: Batch, step: int) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """The loss of one part of a batch; augmentations belong to a frame and an epoch, mixing and drops to the step.

        Args:
            net: the model, wrapped as the strategy wants it.
            batch: one part of a step.
            step: steps taken before.

        Returns:
            The loss, and nothing more to log.
        """
        with torch.autocast(batch.frames.device.type, enabled=False), torch.no_grad():
            images, truth = self.view(batch)
            rng = stream(self.seed, "mix", step, batch.part.start)
            mixed, share = mix(images, rng, self.tuning.mixup, self.tuning.cutmix)
            assert truth is not None  # the feed of a training has the learner's
            other = self.learner.mixed(truth, share) if share < 1 else None
        if other is not None:
            images, truth = mixed, other
        torch.manual_seed(torch_seed(self.seed, "drop", step, batch.part.start))  # paths are dropped by this generator
        return self.learner.loss(net(images), truth), {}

    def view(self, batch: Batch):
        """Augmented frames of a batch and their truth."""
        rows, epochs = batch.plan.rows[batch.part], batch.plan.epochs[batch.part]
        uniform = uniforms(self._key, rows, epochs, DRAWS)
        geometry, regions = self.frames.scene(rows)
        size = self.frames.entry.image_size
        view = augment(
            self.tuning.augment, batch.frames, uniform, size, geometry=geometry, regions=regions, truth=batch.truth
        )
        return view.images, view.truth

    def check(self, model: Model, step: int) -> dict:
        """Figures of the validation frames; none where there are none.

        Args:
            model: with the weights to be judged.
            step: steps taken.

        Returns:
            Name -> figure, among them `score`.
        """
        if not len(self.validation):
            return {}
        return self.learner.score(self.predict(model, self.validation), self.validation)

    @torch.no_grad()
    def predict(self, model: Model, rows: np.ndarray, precision: str = "fp32") -> dict[str, np.ndarray]:
        """What a model says of frames of the store, as they are.

        Args:
            model: with its weights.
            rows: (n,) of the store.
            precision: fp32, bf16 or fp16.

        Returns:
            Name -> (n, ...), as the learner decodes it; of every window where frames are seen through windows.

        Raises:
            RequestError: it says NaN or infinite numbers.
        """
        training, parts, samples = model.training, [], self.frames.samples(rows)
        model.eval()
        at, size = 0, CHECK_BATCH
        while at < len(samples):
            try:
                frames = self.frames.read(samples[at : at + size])
                with autocast(precision, self.frames.device):
                    outputs = model(frames.float())
                self._refuse_infinite(outputs)
                parts.append({name: value.cpu().numpy() for name, value in self.learner.decode(outputs).items()})
            except (RuntimeError, MemoryError) as error:
                if size == 1 or not is_out_of_memory(error):
                    raise
                size //= 2  # a training of few large frames has less memory than this takes
                continue
            at += size
        model.train(training)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}

    def _refuse_infinite(self, outputs: object) -> None:
        """NaN would pass through probabilities, masks and measures in silence; for some tasks it stands for nothing."""
        if not isinstance(outputs, torch.Tensor) or getattr(self.learner, "padded", False):
            return
        bad = int((~outputs.isfinite()).flatten(1).any(1).sum())
        if bad:
            raise RequestError(
                f"the network gives NaN or infinite numbers for {bad} of {len(outputs)} frames that it is asked about; "
                "take a smaller --lr, --precision fp32, or another encoder"
            )

    def group(self, name: str) -> Group:
        """Layer decay by the network's layers; no weight decay on positions, class tokens and LoRA's matrices."""
        own = name.removeprefix("network.")
        if own == name:
            return Group()
        plain = self.model.network.undecayed(own) or ".parametrizations." in own
        return Group(self.model.network.factor(own, self._decayed), 0.0 if plain else None)

    def write(
        self, folder: Path, kept: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor], state: dict
    ) -> None:
        """Write a checkpoint; an encoder of ours lies by itself too, with LoRA's updates merged.

        Args:
            folder: of the checkpoint.
            kept: the weights to use, averaged where the training averages.
            trained: the weights as the optimiser left them.
            state: what the loop needs to go on.
        """
        body, prefix = self.model.network.body, "network.body."
        if not isinstance(body, Encoder):
            checkpoint.save(folder, None, None, model=trained, state=state)
            return
        own = {name.removeprefix(prefix): value for name, value in kept.items() if name.startswith(prefix)}
        checkpoint.save(folder, lora.plain(own, body), body.shape, model=trained, state=state)
