"""How a network is trained for a task: one line a knob."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated

from usfm.config import Knob, as_dict, override, resolve
from usfm.engine.augmentation.names import NAMES
from usfm.errors import RequestError
from usfm.trials import fields_of


@dataclass(frozen=True)
class Tuning:
    """A training of a network on labels; used by the protocols frozen, lora and full."""

    epochs: Annotated[int, Knob("passes over the training frames", low=1)] = 50
    batch_size: Annotated[int, Knob("frames a step, over all processes", low=2, unit="frames")] = 32
    lr: Annotated[float | None, Knob("learning rate; else 1e-3 * batch / 256 (full), 1e-3 (frozen), 5e-4 (lora)")] = (
        None
    )
    min_lr: Annotated[float, Knob("learning rate at the end", low=0)] = 1e-6
    warmup: Annotated[float, Knob("share of the training in which the rate rises", low=0, high=1)] = 0.1
    weight_decay: Annotated[float, Knob("of AdamW, not on biases and norms", low=0)] = 0.05
    layer_decay: Annotated[float, Knob("learning rate of a layer, in that of the layer above it", low=0, high=1)] = 0.75
    drop_path: Annotated[float, Knob("share of residual branches left out in the last block", low=0, high=0.9)] = 0.1
    smoothing: Annotated[float, Knob("label smoothing", low=0, high=0.9)] = 0.1
    mixup: Annotated[float, Knob("alpha of mixup; 0 = none", low=0)] = 0.0
    cutmix: Annotated[float, Knob("alpha of cutmix; 0 = none", low=0)] = 0.0
    clip: Annotated[float, Knob("largest norm of the gradient; 0 = any", low=0)] = 0.0
    ema: Annotated[float, Knob("decay of averaged weights; 0 = none", low=0, high=1)] = 0.0
    patience: Annotated[int, Knob("epochs without a better validation score that end a fold; 0 = never", low=0)] = 0
    augment: Annotated[str, Knob("set of augmentations", choices=NAMES)] = "standard"
    rank: Annotated[int, Knob("of LoRA's updates", low=1)] = 8
    alpha: Annotated[float, Knob("LoRA's updates are multiplied by alpha / rank")] = 16.0
    blocks: Annotated[int, Knob("last blocks that LoRA changes; 0 = all", low=0)] = 0
    steps: Annotated[int, Knob("of the training, in place of epochs; 0 = by epochs", low=0)] = 0
    cross_entropy: Annotated[float, Knob("weight of the cross-entropy (segment)", low=0)] = 1.0
    dice: Annotated[float, Knob("weight of Dice's loss (segment)", low=0)] = 1.0
    width: Annotated[int, Knob("channels inside the decoder (segment); 0 = as suits the encoder", low=0)] = 0
    taps: Annotated[
        tuple[int, ...], Knob("blocks whose maps the head takes, from 1, ascending (segment); else four", low=1)
    ] = ()


LATER = ("steps", "cross_entropy", "dice", "width", "taps")
"""Settings that runs of earlier versions did not have; they make another run only where they say something."""


def identity(tuning: Tuning) -> dict:
    """The settings that make another training.

    Args:
        tuning: the settings.

    Returns:
        JSON values.
    """
    plain = as_dict(Tuning())
    return {name: value for name, value in as_dict(tuning).items() if name not in LATER or value != plain[name]}


def tuning_of(assignments: Sequence[str], **given: object) -> Tuning:
    """The settings of a training.

    Args:
        assignments: "key=value", from ``--set``; they win.
        given: settings that have a flag of their own; None where it was not given.

    Returns:
        Each within its range.

    Raises:
        RequestError: an unknown key, a wrong type or a value out of range.
    """
    known = {name: value for name, value in given.items() if value is not None}
    table = {**asdict(Tuning()), **known}
    tuning = resolve(Tuning, "finetune", None, override(table, [_listed(one) for one in assignments]))
    if tuning.steps and ("epochs" in known or "epochs" in fields_of(assignments)):
        raise RequestError("steps and epochs both say how long to train; leave one out")
    if not tuning.cross_entropy + tuning.dice:
        raise RequestError("--set cross_entropy and dice are both 0, so there is no loss; give one of them a weight")
    if list(tuning.taps) != sorted(set(tuning.taps)):
        raise RequestError("--set taps: name blocks once each, in ascending order, such as taps=3,6,9,12")
    return tuning


def _listed(assignment: str) -> str:
    """Write "taps=3,6,9,12" as TOML writes a list."""
    key, _, text = assignment.partition("=")
    return f"{key}=[{text}]" if key.strip() == "taps" and text and "[" not in text else assignment
