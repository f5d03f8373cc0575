"""A network with a task's head: built to be trained, written down, and built again from a run to be asked."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from usfm.engine.device import autocast
from usfm.engine.prepared import Prepared
from usfm.errors import RequestError
from usfm.model import checkpoint, header, lora
from usfm.model.network import Entry, Network, tapped
from usfm.model.sources import network
from usfm.model.vit import Encoder
from usfm.seeding import torch_seed
from usfm.tasks import directory
from usfm.tasks.learner import Head

UNKNOWN = Entry("", {}, (1, 1), 1, (0.0,), (1.0,))
"""How frames enter a network before the network is known, whose head only the task can make."""


@dataclass(frozen=True)
class Changed:
    """How a protocol changes a network before it is trained.

    Attributes:
        protocol: frozen (head only), lora (small matrices, norms and head) or full.
        drop_path: share of residual branches left out in the last block while training.
        rank: of LoRA's updates.
        alpha: they are multiplied by alpha / rank.
        blocks: last blocks that LoRA changes; 0 = all.
    """

    protocol: str
    drop_path: float = 0.0
    rank: int = lora.RANK
    alpha: float = lora.ALPHA
    blocks: int = 0


class Model(nn.Module):
    """A network and a task's head.

    Args:
        network: the encoder; a frozen one stays in evaluation mode, so that its statistics stay too.
        head: called with the network and frames.
        frozen: whether only the head is trained.
    """

    def __init__(self, network: Network, head: nn.Module, *, frozen: bool):
        super().__init__()
        self.network, self.head, self.frozen = network, head, frozen

    def forward(self, frames: torch.Tensor):
        """(B, C, H, W) of 0 to 255 -> the head's outputs."""
        return self.head(self.network, frames)

    def train(self, mode: bool = True) -> "Model":
        """Training mode, but for a frozen network."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        return self


def build(made: Network, learner: Head, how: Changed, seed: int) -> Model:
    """A model that is ready to be trained.

    Args:
        made: the network with its weights; changed in place.
        learner: of the task; makes the head.
        how: the protocol changes the network.
        seed: of the head's and the matrices' first weights.

    Returns:
        The model, on the CPU.

    Raises:
        RequestError: lora, and the network has no transformer blocks.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(torch_seed(seed, "head"))
        if how.protocol == "frozen":
            made.requires_grad_(False)
        elif how.protocol == "lora":
            lora.add(made, rank=how.rank, alpha=how.alpha, last=how.blocks)
        if how.protocol != "frozen" and how.drop_path:
            made.drop_paths(how.drop_path)
        head = learner.head(made)
    return Model(made, head, frozen=how.protocol == "frozen").train()  # networks are loaded in evaluation mode


def write_weights(model: Model, folder: Path) -> None:
    """Write a model's weights as a checkpoint that is used and not gone on with.

    Args:
        model: with its weights.
        folder: where to.
    """
    body, weights = model.network.body, model.state_dict()
    own = lora.plain(body.state_dict(), body) if isinstance(body, Encoder) else None
    checkpoint.save(folder, own, body.shape if isinstance(body, Encoder) else None, model=weights)


def use(model: Model, folder: Path) -> None:
    """Give a model the weights that a checkpoint is to be used with.

    Args:
        model: of the same network, head and protocol.
        folder: of the checkpoint.

    Raises:
        RequestError: it is damaged, or of another model.
    """
    weights, state = checkpoint.load_state(folder)
    average = state.get("average")
    try:
        model.load_state_dict(average["weights"] if average else weights)
    except (RuntimeError, KeyError, TypeError) as error:
        raise checkpoint.incomplete(folder, f"it is of another model: {type(error).__name__}") from None


def of_run(run: Path, learner: Head, fold: str) -> Model:
    """The network of one fold of a finished run, as it was at its best moment.

    An encoder of ours is built by the shape that lies beside its weights, so the run that it was pretrained in may be
    gone; another one is built by its SPEC. All weights come from the run itself.

    Args:
        run: run directory.
        learner: of the fold; makes the head.
        fold: its name.

    Returns:
        In evaluation mode, on the CPU.

    Raises:
        RequestError: the run is damaged, keeps no weights of this fold, or is one of `--head yolo`.
    """
    if "yolo" in directory.card_of(run):
        raise RequestError(
            f"{run}: ultralytics trained it (--head yolo), so only 'usfm predict' asks it; what it said of its own "
            "frames lies in predictions.h5"
        )
    card = directory.card_of(run, seed=int, encoder=dict, protocol=str, tuning=dict)
    folder, told = run / directory.NETWORKS / fold, card["tuning"]
    if not (folder / checkpoint.MODEL).is_file():
        raise RequestError(f"{folder}: holds no {checkpoint.MODEL}, so nothing can be asked; make the run again")
    how = Changed(card["protocol"], 0.0, told.get("rank", lora.RANK), told.get("alpha", lora.ALPHA),
                  told.get("blocks", 0))  # fmt: skip
    tap = card["encoder"].get("tap", 0)
    if type(tap) is not int or tap < 0:
        raise RequestError(f"{run}: its card names no block of an encoder ('{tap}'); make the run again")
    model = build(tapped(network_of(run, folder, card), tap), learner, how, card["seed"])
    weights = header.load(folder / checkpoint.MODEL)[0]
    if not isinstance(weights, dict):
        raise checkpoint.incomplete(folder, "it holds no weights by name")
    header.check_tensors(folder / checkpoint.MODEL, weights)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        what = type(error).__name__
        raise RequestError(f"{folder}: its weights are of another network ({what}); make the run again") from None
    return model.requires_grad_(False).eval()


def decoded(model: Model, head: Head, frames: Prepared, samples: np.ndarray, *, at_once: int) -> dict[str, np.ndarray]:
    """What a network says of samples.

    Args:
        model: in evaluation mode.
        head: reads its outputs.
        frames: as the network takes them.
        samples: (n,) of `frames`.
        at_once: samples that the network sees together.

    Returns:
        What `Head.decode` gives, (n, ...) each, on the host.
    """
    parts = []
    with torch.inference_mode(), autocast("fp32", frames.device):
        for at in range(0, len(samples), at_once):
            outputs = model(frames.read(samples[at : at + at_once]).float())
            parts.append({name: value.cpu().numpy() for name, value in head.decode(outputs).items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def network_of(run: Path, folder: Path, card: dict) -> Network:
    """The network that the weights of a fold fit into.

    Args:
        run: run directory.
        folder: of the fold, in it.
        card: of the run.

    Returns:
        The network; its weights are those of its SPEC, or of the fold.

    Raises:
        RequestError: the run is damaged, or its SPEC is gone.
    """
    recipe, encoder = directory.recipe_of(run), card["encoder"]
    own, resize = folder / checkpoint.ENCODER, encoder.get("resize", "auto")
    if own.is_file():
        found = network(str(own), pool=recipe["pool"], resize=resize)
        found.entry = replace(found.entry, name=str(encoder.get("name", "")), blur_px=encoder.get("blur_px", 0.0))
        return found
    return network(recipe["encoder"], seed=card["seed"], pool=recipe["pool"], resize=resize,
                   image_size=recipe.get("image_size"))  # fmt: skip
