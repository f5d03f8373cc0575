"""Settings of ``usfm pretrain``; everything else about a run stands in its recipe."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.trials import Trial, fields_of, trials


def _recipes() -> list[str]:
    from usfm.pretrain.settings import names  # not needed to start up

    return names()


RECIPE, TRAINING, SEARCH, WATCHING, SPEED = "Recipe", "Training", "Search", "Watching", "Speed"


@dataclass(frozen=True)
class Config:
    """Settings of ``usfm pretrain``."""

    recipe: Annotated[
        str,
        Knob(
            "recipe by name (mae, polarmae, debug, ...) or a .toml file",
            panel=RECIPE,
            metavar="NAME|FILE",
            offers=_recipes,
        ),
    ] = "polarmae"
    set: Annotated[
        tuple[str, ...], Knob("change any recipe field, may be repeated", panel=RECIPE, metavar="KEY=VALUE")
    ] = ()
    model: Annotated[
        str | None, Knob("encoder (default: the recipe's, smaller for a small store)", panel=TRAINING, metavar="NAME")
    ] = None
    epochs: Annotated[
        float | None,
        Knob("passes over the store (default: the recipe's, fewer for a small store)", low=0, panel=TRAINING),
    ] = None
    batch_size: Annotated[
        int | None,
        Knob(
            "images a step, over all devices (default: the recipe's, or an eighth of the frames)", low=1, panel=TRAINING
        ),
    ] = None
    accumulate: Annotated[
        int, Knob("parts that a step's batch is worked in, one after another", low=1, panel=TRAINING)
    ] = 1
    lr: Annotated[
        float | None,
        Knob("peak learning rate (default: the recipe's, lower for a fitted batch)", low=0, panel=TRAINING),
    ] = None
    init: Annotated[
        str | None,
        Knob("start from this run or checkpoint file instead of random weights", panel=TRAINING, metavar="SPEC"),
    ] = None
    replay: Annotated[
        str | None,
        Knob("old store of which each batch has a share, so that --init forgets less", panel=TRAINING, metavar="STORE"),
    ] = None
    balance: Annotated[
        str | None,
        Knob(
            "let each of these groups come equally often (default: the recipe's, most often none)",
            choices=("none", "dataset", "patient"),
            panel=TRAINING,
        ),
    ] = None
    sweep: Annotated[
        tuple[str, ...],
        Knob(
            "train once for each value of a recipe field, may be repeated (product); the lowest held-out loss is named",
            panel=SEARCH,
            metavar="KEY=A,B",
        ),
    ] = ()
    folds: Annotated[
        int | None,
        Knob("train each trial once for each of so many parts of the patients, held out in turn", low=2, panel=SEARCH),
    ] = None
    precision: Annotated[
        str,
        Knob("arithmetic; auto is bf16 where the device has it", choices=("auto", "bf16", "fp16", "fp32"), panel=SPEED),
    ] = "auto"
    compile: Annotated[
        bool | None, Knob("compile the transformer blocks (default: on a GPU)", panel=SPEED, content=False)
    ] = None
    cache: Annotated[
        str,
        Knob(
            "where frames wait; auto is the GPU if they fit",
            choices=("auto", "gpu", "ram", "none"),
            panel=SPEED,
            content=False,
        ),
    ] = "auto"
    probe: Annotated[
        str | None,
        Knob("labelled store for a kNN and a linear probe on the way", panel=WATCHING, content=False, metavar="STORE"),
    ] = None
    log: Annotated[
        tuple[str, ...],
        Knob("also log to tensorboard or wandb (offline); csv is always written", panel=WATCHING, content=False),
    ] = ()
    profile: Annotated[
        bool, Knob("time each part of a step and say where it goes", panel=WATCHING, content=False, flag="--profile")
    ] = False


def given_fields(config: Config) -> list[str]:
    """Fields of the recipe that the command line says, by the last part of their names."""
    flags = {"name": config.model, "batch_size": config.batch_size, "lr": config.lr, "epochs": config.epochs}
    return [name for name, value in flags.items() if value is not None] + fields_of(config.set)


def trials_of(config: Config) -> list[Trial]:
    """The trials of a command.

    Raises:
        RequestError: as for `usfm.trials.trials`; or folds are swept.
    """
    return trials(config.sweep, [*given_fields(config), "fold", "folds"])


def check(config: Config) -> None:
    """Refuse a recipe that is not there or is no recipe, before torch is loaded.

    Raises:
        RequestError: as for `recipe.load`.
    """
    from usfm.pretrain.recipe import load

    for trial in trials_of(config):
        load(config.recipe, (*config.set, *trial.changes))
