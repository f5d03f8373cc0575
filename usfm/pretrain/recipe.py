"""Recipes: what a method is, as one TOML file each; the file's name is the recipe's name."""

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from usfm.config import did_you_mean, override, resolve
from usfm.errors import RequestError
from usfm.pretrain.settings import FOLDER, Recipe, Selection, names
from usfm.toml import read_toml

LATER = {
    "selection": ("targets_from", "order", "hide", "block"),
    "target": ("error",),
    "degrade": ("kind", "probability", "sigma_px", "rings"),
    "augment": ("kind", "scan", "retries"),
    "run": ("folds", "fold", "prune"),
    "balance": ("by", "power", "cap"),
    "replay": ("share", "keep_decoder", "keep_moments"),
}
"""Fields that came after the first runs were written: at their defaults they say nothing that such a run does not."""


def from_tables(tables: dict, where: str) -> Recipe:
    """Check nested tables against the schema: unknown section or key, type, choice and range.

    Args:
        tables: section -> key -> value.
        where: they come from, for errors.

    Returns:
        The recipe; what is not given has its default.

    Raises:
        RequestError: with the nearest known name.
    """
    kinds = get_type_hints(Recipe)
    parts = {}
    for section, table in tables.items():
        if section not in kinds or not isinstance(table, dict):
            raise RequestError(f"{where}: a recipe has no section '{section}'{did_you_mean(section, kinds)}")
        known = [item.name for item in fields(kinds[section])]
        for key in table:
            if key not in known:
                raise RequestError(f"{where}: unknown setting '{key}' in [{section}]{did_you_mean(key, known)}")
        parts[section] = resolve(kinds[section], f"pretrain, recipe [{section}]", None, table)
    recipe = Recipe(**parts)
    _check(recipe.selection, where)
    if recipe.augment.scan and recipe.selection.region:
        raise RequestError(f"{where}: augment.scan moves the frame away from its region; it needs region = false")
    if recipe.augment.kind != "crop" and (recipe.augment.scan or recipe.augment.retries):
        raise RequestError(
            f"{where}: augment.scan and augment.retries belong to the crop; with augment.kind = {recipe.augment.kind} "
            "set both to 0"
        )
    _check_parts(recipe, where)
    return recipe


def _check_parts(recipe: Recipe, where: str) -> None:
    """See that the parts that a recipe names are there; last, since their tables bring PyTorch with them."""
    from usfm.pretrain.decoders import DECODERS
    from usfm.pretrain.degradations import DEGRADATIONS
    from usfm.pretrain.selection import SELECTIONS
    from usfm.pretrain.targets import TARGETS

    for name in recipe.selection.prior.split("+"):
        _one_of("prior", name.strip(), SELECTIONS, where)
    _one_of("decoder", recipe.decoder.kind, DECODERS, where)
    _one_of("target", recipe.target.kind, TARGETS, where)
    _one_of("degradation", recipe.degrade.kind, DEGRADATIONS, where)
    if recipe.run.prune and recipe.balance.by != "none":
        raise RequestError(f"{where}: run.prune chooses frames by their loss, and balance.by by their group; take one")
    if recipe.decoder.kind == "linear" and recipe.selection.hide != "mean":
        raise RequestError(
            f"{where}: decoder.kind = linear predicts only patches that the encoder has tokens for; add "
            "selection.hide=mean, or take another decoder"
        )


def _one_of(what: str, name: str, table: Iterable[str], where: str) -> None:
    if name not in table:
        near = did_you_mean(name, table)
        raise RequestError(f"{where}: no {what} is called '{name}'{near}; there are {', '.join(table)}")


def settings_of(recipe: Recipe) -> dict:
    """What of a recipe makes two runs the same: all but its texts, and `LATER` fields only where they say something."""
    tables = {name: dict(table) for name, table in recipe.as_dict().items() if name != "about"}
    plain = Recipe().as_dict()
    for section, later in LATER.items():
        kept = {k: v for k, v in tables[section].items() if k not in later or v != plain[section][k]}
        tables[section] = kept
    return {name: table for name, table in tables.items() if table}


def _check(selection: Selection, where: str) -> None:
    """What no single knob can say."""
    try:
        ends = [float(end) for end in selection.stages.split(",")]
    except ValueError:
        ends = []
    if len(ends) != 4 or ends != sorted(ends) or ends[0] < 0 or ends[-1] > 1:
        raise RequestError(
            f"{where}: stages is '{selection.stages}'; write four rising shares of the run, as 0.4,0.5,0.9,1"
        )
    if selection.by_beam and not selection.region:
        raise RequestError(f"{where}: prior = beam needs region = true, since geometry belongs to regions")
    if selection.block > 1 and (selection.region or selection.expansion != "none" or selection.order != "drawn"):
        raise RequestError(
            f"{where}: selection.block = {selection.block} draws over the whole frame at once; it needs "
            "region = false, expansion = none and order = drawn"
        )
    if selection.hide == "mean" and selection.short == "repeat":
        raise RequestError(f"{where}: hide = mean needs short = outside, since a patch that is seen is not filled")
    if selection.temperature == 0:
        raise RequestError(f"{where}: temperature is 0; take a small positive number for the sharpest softmax")


def load(name: str, assignments: tuple[str, ...] = ()) -> Recipe:
    """Read a recipe by name or file, and change some of its fields.

    Args:
        name: "polarmae", or the path of a .toml file (such as another run's recipe.toml).
        assignments: "section.key=value", or "key=value" where only one section has the key.

    Returns:
        The recipe.

    Raises:
        RequestError: no such recipe, section or key; a value of the wrong type or out of range.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not path.is_file():
        if name.endswith(".toml"):
            raise RequestError(f"{name}: no such recipe file")
        raise RequestError(f"no recipe is called '{name}'{did_you_mean(name, names())}; there are {', '.join(names())}")
    tables = read_toml(path, "recipe file")
    full = from_tables(tables, str(path)).as_dict()
    return from_tables(override(full, [_qualified(each, full) for each in assignments]), "--set")


def _qualified(assignment: str, tables: dict) -> str:
    key, equals, value = assignment.partition("=")
    if "." in key or not equals:
        return assignment
    owners = [section for section, table in tables.items() if key.strip() in table]
    if len(owners) > 1:
        choices = " or ".join(f"{owner}.{key.strip()}" for owner in owners)
        raise RequestError(f"--set {assignment}: several sections have '{key.strip()}'; write {choices}")
    if not owners:
        known = [name for table in tables.values() for name in table]
        raise RequestError(f"--set {assignment}: no recipe field is called '{key.strip()}'{did_you_mean(key, known)}")
    return f"{owners[0]}.{key.strip()}={value}"
