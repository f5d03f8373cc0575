"""The sections of a recipe: every knob once, with its unit and range."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

from usfm.config import Knob
from usfm.engine.augmentation.names import NAMES

FOLDER = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class About:
    """What a reader needs to know before running it."""

    what: Annotated[str, Knob("what the method does")] = ""
    cost: Annotated[str, Knob("what a run costs, and on what")] = ""
    expect: Annotated[str, Knob("what comes out; not yet measured is honest")] = ""
    source: Annotated[str, Knob("paper and code")] = ""
    differs: Annotated[str, Knob("where we differ from the source, and why")] = ""


@dataclass(frozen=True)
class Model:
    """The encoder."""

    name: Annotated[str, Knob("encoder, by its timm name")] = "vit_base_patch16_224"
    image_size: Annotated[int, Knob("side of the training crop; 0 = the number in the name", unit="px", low=0)] = 0
    in_chans: Annotated[int, Knob("1 (gray) or 3 (gray three times, or colour)", low=1, high=3)] = 1


@dataclass(frozen=True)
class Augment:
    """What moves image, region and geometry together: a random crop, flips and rotation, or a named set."""

    kind: Annotated[
        str,
        Knob(
            "crop (the numbers below), or a set of `finetune --augment`, which takes their place",
            choices=("crop", *NAMES),
        ),
    ] = "crop"
    crop_low: Annotated[float, Knob("smallest share of the frame's area that a crop takes", low=0.01, high=1)] = 0.2
    crop_high: Annotated[float, Knob("largest share", low=0.01, high=1)] = 1.0
    hflip: Annotated[float, Knob("probability of a left-right flip", low=0, high=1)] = 0.5
    vflip: Annotated[float, Knob("probability of a top-bottom flip", low=0, high=1)] = 0.0
    rotate_deg: Annotated[float, Knob("largest rotation to either side", unit="deg", low=0, high=180)] = 0.0
    scan: Annotated[
        float,
        Knob(
            "probability that a curved sector is laid straight, or a straight one bent, by its geometry", low=0, high=1
        ),
    ] = 0.0
    retries: Annotated[
        int,
        Knob(
            "crop again, at most so often, where fewer patches are inside the region than are drawn from",
            low=0,
            high=20,
        ),
    ] = 0


@dataclass(frozen=True)
class Selection:
    """Which tokens the encoder sees and which the decoder reconstructs."""

    prior: Annotated[
        str, Knob("priors to draw by, joined by +: random, texture, smooth, grid or beam (polar), gaussian")
    ] = "random"
    geometric_weight: Annotated[
        float, Knob("lambda of eq. 14: weight of grid, beam or gaussian beside texture", low=0, high=1)
    ] = 0.3
    region: Annotated[bool, Knob("draw inside the acoustic region only")] = False
    visible: Annotated[float, Knob("visible tokens, as a share of the candidates", low=0.01, high=0.99)] = 0.25
    targets: Annotated[float, Knob("reconstructed tokens, as a share of the candidates", low=0.01, high=1)] = 0.75
    max_targets: Annotated[int, Knob("most targets an image; 0 = no limit", low=0)] = 0
    tau: Annotated[float, Knob("coverage from which a patch counts as inside", low=0, high=1)] = 0.1
    texture: Annotated[
        str,
        Knob("texture score", choices=("gradient", "hog", "std", "laplacian", "uniform")),
    ] = "gradient"
    temperature: Annotated[float, Knob("of the texture softmax; negative prefers smooth patches")] = 1.0
    depth_mean: Annotated[float, Knob("mu of eq. 8: preferred depth", low=0, high=1)] = 0.45
    depth_width: Annotated[float, Knob("sigma of eq. 8", low=0.01)] = 0.2
    angle_power: Annotated[float, Knob("k of eq. 9", low=0.1)] = 3.0
    apex_band: Annotated[
        float, Knob("share of rows that fix the centre line; 1 = all of the component", low=0.01, high=1)
    ] = 1.0
    gaussian_width: Annotated[float, Knob("sigma of the gaussian prior, as a share of the grid", low=0.01)] = 0.25
    expansion: Annotated[
        str, Knob("how the second half of the visible tokens is found", choices=("none", "progressive"))
    ] = "none"
    stages: Annotated[str, Knob("ends of near, near-far, far, far-random, as shares of the run")] = "0.467,0.5,0.967,1"
    candidates: Annotated[str, Knob("drawn anew each epoch, or fixed for an image", choices=("fresh", "fixed"))] = (
        "fresh"
    )
    targets_from: Annotated[
        str, Knob("targets are among the hidden tokens, or among all of them", choices=("hidden", "all"))
    ] = "hidden"
    hide: Annotated[
        str,
        Knob(
            "hidden patches are dropped, so that the encoder is spared them, or filled with the image's mean",
            choices=("drop", "mean"),
        ),
    ] = "drop"
    block: Annotated[int, Knob("side of the blocks that are seen or hidden together", unit="patches", low=1)] = 1
    order: Annotated[
        str,
        Knob(
            "tokens in the order in which they were drawn, or inverse: the ranks of that order taken for tokens, as "
            "UltraFedFM's public code does",
            choices=("drawn", "inverse"),
        ),
    ] = "drawn"
    short: Annotated[
        str,
        Knob(
            "when the region has too few patches: others from outside, or its own again", choices=("outside", "repeat")
        ),
    ] = "outside"

    @property
    def by_beam(self) -> bool:
        """Whether a prior asks for the fitted geometry."""
        return "beam" in [name.strip() for name in self.prior.split("+")]


@dataclass(frozen=True)
class Decoder:
    """How the targets are predicted."""

    kind: Annotated[
        str,
        Knob(
            "self (attention over all tokens), cross (of the targets to the visible ones), direct (cross, straight to "
            "the encoder's output), weighted (direct, to mixtures of all blocks), local (four, on as many scales), "
            "linear (each token to its own patch; needs selection.hide = mean)"
        ),
    ] = "self"
    width: Annotated[int, Knob("width", low=4)] = 512
    depth: Annotated[int, Knob("blocks", low=1)] = 8
    heads: Annotated[int, Knob("attention heads", low=1)] = 16
    positions: Annotated[
        str, Knob("position of a visible token for the cross decoder", choices=("grid", "order", "none"))
    ] = "grid"


@dataclass(frozen=True)
class TargetSettings:
    """What is predicted."""

    kind: Annotated[
        str,
        Knob(
            "pixels as they are, normalised (each patch by itself), hog (orientations of a patch's gradients) or "
            "hog-cells (of the whole image's, by cell)"
        ),
    ] = "normalised"
    error: Annotated[
        str, Knob("of a number: its square, or its absolute difference", choices=("square", "absolute"))
    ] = "square"


@dataclass(frozen=True)
class Degrade:
    """How the encoder's input is made worse than the target."""

    kind: Annotated[
        str, Knob("none, blur (Gaussian), mixed (motion, blur, salt and pepper), or rings (frequencies taken out)")
    ] = "none"
    probability: Annotated[float, Knob("share of the images", low=0, high=1)] = 1.0
    sigma_px: Annotated[float, Knob("of the Gaussian", unit="px of the sample", low=0.1, high=20)] = 1.1
    rings: Annotated[float, Knob("share of the spectrum's rings that are taken out", low=0, high=1)] = 0.3


@dataclass(frozen=True)
class Balance:
    """How often the frames of a group come."""

    by: Annotated[
        str,
        Knob(
            "groups of which each gets its share of the batches, however large it is",
            choices=("none", "dataset", "patient"),
        ),
    ] = "none"
    power: Annotated[
        float,
        Knob("a group's share goes with its size to this power: 0 = all alike, 0.5 = square root, 1 = as it is",
             low=0, high=1),
    ] = 0.0  # fmt: skip
    cap: Annotated[int, Knob("frames of a group that count, with power = 1; 0 = all", low=0)] = 0


@dataclass(frozen=True)
class Replay:
    """What a run keeps of the one that it goes on from (--init RUN)."""

    share: Annotated[float, Knob("of each batch that is of the old store (--replay)", low=0, high=0.95)] = 0.25
    keep_decoder: Annotated[bool, Knob("start with that run's decoder where it fits")] = True
    keep_moments: Annotated[bool, Knob("start with its optimiser's moments where the whole model fits")] = True


@dataclass(frozen=True)
class Optim:
    """AdamW on a warm-up and a half cosine."""

    base_lr: Annotated[float, Knob("learning rate per 256 images of batch", low=0)] = 1.5e-4
    lr: Annotated[float, Knob("peak learning rate; 0 = base_lr * batch / 256", low=0)] = 0.0
    min_lr: Annotated[float, Knob("learning rate at the end", low=0)] = 0.0
    weight_decay: Annotated[float, Knob("decay, not on one-dimensional parameters", low=0)] = 0.05
    beta1: Annotated[float, Knob("first moment", low=0, high=1)] = 0.9
    beta2: Annotated[float, Knob("second moment", low=0, high=1)] = 0.95
    warmup: Annotated[float, Knob("warm-up, as a share of the run", low=0, high=1)] = 0.05
    clip: Annotated[float, Knob("largest gradient norm; 0 = no clipping", low=0)] = 0.0
    ema: Annotated[float, Knob("decay of the averaged weights; 0 = none", low=0, high=1)] = 0.0


@dataclass(frozen=True)
class Run:
    """How long, and what is kept."""

    epochs: Annotated[float, Knob("passes over the store", low=0)] = 800
    steps: Annotated[int, Knob("steps; 0 = by epochs", low=0)] = 0
    batch_size: Annotated[int, Knob("images a step, over all devices", low=1)] = 4096
    checks: Annotated[int, Knob("times in a run that the held-out loss is taken and pictures are made", low=1)] = 20
    saves: Annotated[int, Knob("times in a run that a checkpoint is written", low=1)] = 20
    keep: Annotated[int, Knob("older checkpoints to keep besides last and best", low=0)] = 0
    held_out: Annotated[float, Knob("share of sources held out for the reconstruction loss", low=0, high=0.5)] = 0.02
    folds: Annotated[int, Knob("hold out one of so many parts of the patients instead; 0 = no", low=0)] = 0
    fold: Annotated[int, Knob("which part, from 0", low=0)] = 0
    prune: Annotated[
        float,
        Knob(
            "share of the frames learnt well that a pass leaves out, until 7/8 of the run (InfoBatch)", low=0, high=0.9
        ),
    ] = 0.0


@dataclass(frozen=True)
class Recipe:
    """One method, with every constant."""

    about: About = field(default_factory=About)
    model: Model = field(default_factory=Model)
    augment: Augment = field(default_factory=Augment)
    selection: Selection = field(default_factory=Selection)
    decoder: Decoder = field(default_factory=Decoder)
    target: TargetSettings = field(default_factory=TargetSettings)
    degrade: Degrade = field(default_factory=Degrade)
    balance: Balance = field(default_factory=Balance)
    replay: Replay = field(default_factory=Replay)
    optim: Optim = field(default_factory=Optim)
    run: Run = field(default_factory=Run)

    def as_dict(self) -> dict:
        """Nested plain values: what `recipe.toml` of a run holds."""
        return asdict(self)


def names() -> list[str]:
    """The recipes that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))
