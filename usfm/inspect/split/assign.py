"""Give every frame of a store its part, or its fold."""

from dataclasses import dataclass, replace

import numpy as np

from usfm import console
from usfm.config import did_you_mean
from usfm.errors import RequestError
from usfm.inspect.split.config import Config, shares
from usfm.quantities import counted
from usfm.screening.groups import Groups
from usfm.screening.together import kept_together, look_alike, shows_something
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks.deal import deal
from usfm.tasks.splits import published

FOLD = "fold"
"""Column of /sources that says in which fold the frames of a source are tested."""

_LAST = ("test", "val", "train")
"""Where a patient goes of whom a split that is there says two things: to the part that is trained on least."""


@dataclass(frozen=True)
class Sides:
    """Where each frame of a store is.

    Attributes:
        split: (N,) object, "train", "val", "test" or "".
        fold: (N,) object, name of the fold that tests it, or ""; None where there are no folds.
        groups: what stays together.
        kept: frames whose part the store or a file said.
        stratum: (N,) int, what the parts hold in equal shares.
        names: of the strata.
        unmatched: entries of a published split without a frame.
    """

    split: np.ndarray
    fold: np.ndarray | None
    groups: Groups
    kept: int
    stratum: np.ndarray
    names: list[str]
    unmatched: int = 0

    @property
    def parts(self) -> np.ndarray:
        """(N,) object: the fold of each frame, or its part where there are no folds."""
        return self.split if self.fold is None else np.where(self.fold == "", self.split, self.fold)


def assign(store: Store, config: Config, seed: int, features: np.ndarray | None) -> Sides:
    """Split a store.

    Args:
        store: The input.
        config: The settings.
        seed: Of the lots.
        features: (N, D) visual features where near-duplicates stay together, else None.

    Returns:
        Where each frame is.

    Raises:
        RequestError: No such column, fewer groups than parts, or a published split that does not fit.
    """
    groups = _together(store, config, features)
    stratum, names = _strata(store, config.stratify)
    if config.splits:
        return _published(store, config, groups, stratum, names)
    kept = _kept(store, config)
    side = np.where(kept, store.split(), "").astype(object)
    fixed = _spread(side, groups)
    free = np.flatnonzero(fixed == "")
    empty = Sides(fixed, None, groups, int(kept.sum()), stratum, names)
    if config.folds is not None:
        fold = np.full(len(store), "", object)
        part = _dealt(store, groups, stratum, free, [1 / config.folds] * config.folds, stream(seed, "split"))
        fold[free] = np.array([str(k) for k in range(config.folds)], object)[part]
        split = np.where(fixed == "", "train" if (fixed != "").any() else "", fixed).astype(object)
        return replace(empty, split=split, fold=fold)
    if not len(free):
        console.warn(f"{store.paths[0]}: every frame has a split already, which stays; --keep none deals anew")
        return empty
    wanted = shares(config)
    due = {name: max(0.0, share * len(store) - int((fixed == name).sum())) for name, share in wanted.items()}
    total = sum(due.values()) or 1.0
    part = _dealt(store, groups, stratum, free, [one / total for one in due.values()], stream(seed, "split"))
    split = fixed.copy()
    split[free] = np.array(list(wanted), object)[part]
    return replace(empty, split=split)


def _together(store: Store, config: Config, features: np.ndarray | None) -> Groups:
    also = []
    if config.by not in ("patient", "exam"):
        also.append(_column(store, "--by", config.by))
    elif config.by == "exam":
        also.append(store.of_frames("exam"))
    groups = kept_together(store, also)
    if features is not None:
        alike = look_alike(features, groups.code, config.threshold, shown=shows_something(features))
        before = len(groups.names)
        near = np.array([f"like {one}" for one in alike.tolist()], object)
        groups = kept_together(store, [*also, near])
        if len(groups.names) < before:
            console.say(f"near-duplicates join {before:,} groups to {len(groups.names):,}")
    if groups.without_patient and config.by in ("patient", "exam"):
        console.warn(
            f"{groups.without_patient:,} of {len(store):,} frames have no patient: their exam or clip stays on one "
            "side, but two of one patient may not; give patients to 'usfm extract' with --manifest or --group"
        )
    return groups


def _column(store: Store, flag: str, name: str) -> np.ndarray:
    """A column of the sources by frame, as text."""
    if name not in store.source_columns:
        hint = did_you_mean(name, store.source_columns) or f"; there are {', '.join(store.source_columns)}"
        raise RequestError(f"{flag} {name}: the sources of {store.paths[0]} have no such column{hint}")
    values = np.array([str(one) for one in store.of_frames(name)], object)
    if not (values != "").any():
        raise RequestError(f"{flag} {name}: the column is empty in {store.paths[0]}.")
    return values


def _strata(store: Store, name: str) -> tuple[np.ndarray, list[str]]:
    """Number of each frame's stratum, and the names of all."""
    if name == "none":
        return np.zeros(len(store), np.int64), [""]
    if name == "class":
        values = np.array([*store.class_names, ""], object)[store.labels_class()]
    else:
        values = _column(store, "--stratify", name)
    names, number = np.unique(values.astype(str), return_inverse=True)
    if name != "class" and len(names) > max(50, len(store) // 20):
        raise RequestError(f"--stratify {name}: {len(names):,} values are no classes; choose a column with few values.")
    return number.reshape(-1), names.tolist()


def _kept(store: Store, config: Config) -> np.ndarray:
    """Which frames keep the part that the store brings, (N,) bool."""
    own = np.asarray(store.split(), object)
    fresh = config.fractions is not None or config.folds is not None or config.by_duplicates
    keep = config.keep or ("none" if fresh else "all")
    if keep == "none" and config.keep is None and (own != "").any():
        console.warn(
            f"{store.paths[0]}: brings a split for {counted(int((own != '').sum()), 'frame')}, which is replaced; "
            "--keep all or --keep test respects it"
        )
    return np.zeros(len(store), bool) if keep == "none" else own == "test" if keep == "test" else own != ""


def _spread(side: np.ndarray, groups: Groups) -> np.ndarray:
    """Give frames without a part that of their group; frames that have one keep it."""
    found = side.copy()
    of_group = np.full(len(groups.names), "", object)
    for word in (*sorted(set(side.tolist()) - {*_LAST, ""}), *reversed(_LAST)):
        of_group[groups.code[side == word]] = word
    open_ = found == ""
    found[open_] = of_group[groups.code[open_]]
    return found


def _dealt(store: Store, groups: Groups, stratum: np.ndarray, free: np.ndarray, fractions: list[float],
           rng: np.random.Generator) -> np.ndarray:  # fmt: skip
    """The part of each free frame, by number."""
    _, code = np.unique(groups.code[free], return_inverse=True)
    count, wanted = int(code.max(initial=-1)) + 1, sum(one > 0 for one in fractions)
    if count < wanted:
        joined = (
            f"; the first that go together, by equal or near-duplicate frames or --by: {_few(groups)}"
            if groups.joined
            else ""
        )
        raise RequestError(
            f"{store.paths[0]}: its frames make {counted(count, 'group')} of patients or clips that stay together, "
            f"too few for {wanted} parts{joined}."
        )
    return deal(code, stratum[free], fractions, rng)[code]


def _few(groups: Groups) -> str:
    return ", ".join(name if len(name) < 60 else name[:57] + "..." for name in groups.joined[0][:2])


def _published(store: Store, config: Config, groups: Groups, stratum: np.ndarray, names: list[str]) -> Sides:
    found = published(store, config.splits)
    if found.unmatched:
        console.warn(
            f"{', '.join(config.splits)}: {found.unmatched:,} of {found.entries:,} entries stand for no frame of "
            f"{store.paths[0]}"
        )
    fold = found.fold
    split = np.full(len(store), "", object) if fold is not None else found.parts["split"]
    if fold is not None:
        source = store.column("source")
        pairs = np.unique(np.stack([source, np.unique(fold.astype(str), return_inverse=True)[1].reshape(-1)]), axis=1)
        if len(np.unique(pairs[0])) < pairs.shape[1]:
            raise RequestError(
                f"{', '.join(config.splits)}: puts frames of one source into different folds, which a column of the "
                "sources cannot hold; give the file to finetune --splits instead."
            )
    without = int((split == "").sum() if fold is None else (fold == "").sum())
    if without:
        console.warn(f"{without:,} of {counted(len(store), 'frame')} are in no part of {', '.join(config.splits)}")
    return Sides(split, fold, groups, len(store) - without, stratum, names, found.unmatched)
