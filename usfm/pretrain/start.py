"""What a run begins with: random weights, a file's, or those of a run that it goes on from on other frames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from usfm import console
from usfm.errors import RequestError
from usfm.model import checkpoint, progress
from usfm.model.weights import grid_of, load_into, read_weights
from usfm.pretrain import recipe as recipes
from usfm.pretrain.fitted import PUBLISHED
from usfm.pretrain.mae import MaskedAutoencoder
from usfm.pretrain.settings import Recipe
from usfm.seeding import torch_seed


@dataclass(frozen=True)
class Origin:
    """A run of `usfm pretrain` that another one goes on from.

    Attributes:
        name: as typed.
        folder: the checkpoint.
        recipe: what it was trained by.
        inputs: content id of the store that it was trained on; seed: its seed.
        before: ids of stores that its own beginnings were trained on.
    """

    name: str
    folder: Path
    recipe: Recipe
    inputs: str
    seed: int
    before: tuple[str, ...] = ()


@dataclass(frozen=True)
class Start:
    """A model with its starting weights.

    Attributes:
        model: on the CPU.
        decoder: whether the decoder is the origin's.
        moments: state of the origin's optimiser; None where it does not fit.
    """

    model: MaskedAutoencoder
    decoder: bool = False
    moments: dict | None = None


def origin_of(init: str | None) -> Origin | None:
    """The run behind a SPEC; None where it is no run of `usfm pretrain`.

    Raises:
        RequestError: there is nothing, or the run's card is damaged.
    """
    if init is None:
        return None
    file, card = checkpoint.locate(init)
    settings = card.get("settings")
    if card.get("command") != "pretrain" or not settings or not isinstance(settings.get("recipe"), dict):
        return None
    recipe = recipes.from_tables(settings["recipe"], f"the run {init}")
    found = progress.of(init)
    before = () if found is None else found.before
    return Origin(init, file.parent, recipe, str(settings.get("inputs", "")), int(settings.get("seed", 0)), before)


def shaped_as(recipe: Recipe, origin: Origin | None, name: str, given: Sequence[str]) -> tuple[Recipe, list[str]]:
    """A recipe whose model is the origin's, and its decoder too where it is of the same kind.

    Args:
        recipe: of the new run.
        origin: the run that is gone on from; None changes nothing.
        name: of the recipe, as typed; published recipes and files say everything themselves.
        given: fields that the user set.

    Returns:
        The recipe, and the fields that are settled now.
    """
    if origin is None or name.endswith((PUBLISHED, ".toml")) or "name" in given:
        return recipe, []
    shape = {k: v for k, v in vars(origin.recipe.model).items() if k not in given}
    recipe, settled = replace(recipe, model=replace(recipe.model, **shape)), ["name"]
    if origin.recipe.decoder.kind == recipe.decoder.kind:
        own = {k: v for k, v in vars(origin.recipe.decoder).items() if k not in given}
        recipe, settled = replace(recipe, decoder=replace(recipe.decoder, **own)), [*settled, *own]
    return recipe, settled


def build_model(recipe: Recipe, seed: int) -> MaskedAutoencoder:
    """The model with random starting weights, by the seed.

    Args:
        recipe: resolved.
        seed: of the weights.

    Returns:
        The model, on the host.
    """
    torch.manual_seed(torch_seed(seed, "weights"))
    return MaskedAutoencoder(recipe)


def started(
    recipe: Recipe, seed: int, init: str | None = None, origin: Origin | None = None, *, tell: bool = True
) -> Start:
    """The model with its starting weights, and what else the origin has that fits; says what was taken.

    Args:
        recipe: resolved.
        seed: of the random weights.
        init: SPEC of the weights to start from; None for random ones.
        origin: the run that it names, where it names one.
        tell: whether this process speaks.

    Returns:
        The model, and what of the origin it goes on with.

    Raises:
        RequestError: the file does not hold this encoder, or a file of the run is damaged.
    """
    model = build_model(recipe, seed)
    if init is None:
        return Start(model)
    file, _ = checkpoint.locate(init)
    weights = read_weights(file)
    report = load_into(model.encoder, weights, file, grid_of(weights, file))
    if tell:
        console.say(f"start from {init}: {report}")
    if origin is None:
        return Start(model)
    start, why = _taken(model, recipe, origin)
    if tell:
        console.say(f"of {init}, {why}")
    return start


def _taken(model: MaskedAutoencoder, recipe: Recipe, origin: Origin) -> tuple[Start, str]:
    """Put the origin's decoder into a model where it fits, and say what was taken and why the rest was not."""
    fresh = Start(model)
    if not recipe.replay.keep_decoder:
        return fresh, "only the encoder is taken, as asked (keep_decoder = false)"
    if why := _differs(recipe, origin.recipe):
        return fresh, f"only the encoder is taken: {why}"
    if not all((origin.folder / name).is_file() for name in (checkpoint.MODEL, checkpoint.STATE)):
        return fresh, f"only the encoder is taken: {origin.folder} holds nothing else"
    weights, state = checkpoint.load_state(origin.folder)
    average = state.get("average")
    kept = average["weights"] if isinstance(average, dict) else weights  # the encoder's file holds the average too
    decoder = {name: value for name, value in kept.items() if name.startswith("decoder.")}
    own = {name: value.shape for name, value in model.state_dict().items()}
    if {name: value.shape for name, value in decoder.items()} != _only(own, "decoder."):
        return fresh, "only the encoder is taken: its decoder has other tensors"
    model.load_state_dict(decoder, strict=False)
    if not recipe.replay.keep_moments:
        return Start(model, True), "the encoder and the decoder are taken; the optimiser starts anew, as asked"
    if {name: value.shape for name, value in weights.items()} != own or not isinstance(state.get("optimizer"), dict):
        return Start(model, True), "the encoder and the decoder are taken; the optimiser starts anew, for another model"
    return Start(model, True, state["optimizer"]), "the encoder, the decoder and the optimiser's moments are taken"


def _differs(recipe: Recipe, old: Recipe) -> str:
    """Why a decoder of an old recipe does not serve a new one; "" where it does."""
    for what, now, before in (
        ("decoder", recipe.decoder, old.decoder),
        ("target", recipe.target, old.target),
        ("model", recipe.model, old.model),
    ):
        for key, value in vars(now).items():
            if value != getattr(before, key):
                return f"its {what}.{key} was {getattr(before, key)} and is {value} here"
    return ""


def _only(tensors: dict, prefix: str) -> dict:
    return {name: value for name, value in tensors.items() if name.startswith(prefix)}


def refuse_replay_alone(init: str | None, replay: str | None) -> None:
    """An old store is replayed beside weights that were trained on it.

    Args:
        init: SPEC of the weights to start from, or None.
        replay: path of the old store, or None.

    Raises:
        RequestError: there are no such weights.
    """
    if replay is not None and init is None:
        raise RequestError(
            "--replay keeps a run from forgetting what --init was trained on: give --init RUN too, or name the old "
            "store as a second --in"
        )
