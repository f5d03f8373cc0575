"""What the networks of a `--head yolo` run say of any frames, as the command sees it; ultralytics runs in a process."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from usfm.errors import RequestError
from usfm.model import checkpoint
from usfm.model.spec import YOLO
from usfm.store.reader import Store
from usfm.tasks import directory, trained
from usfm.tasks.detect.yolo import process
from usfm.tasks.detect.yolo.job import AT_ONCE, Ask
from usfm.tasks.detect.yolo.stock import Stock, entry_of, installed, stock_of

if TYPE_CHECKING:  # it brings PyTorch with it
    from usfm.model.network import Entry, Network


class Asker:
    """See `usfm.tasks.learner.Asker`.

    Args:
        run: directory of a run that ultralytics trained.
        classes: how many it knows.

    Raises:
        RequestError: ultralytics is not installed, or the run is damaged.
    """

    said = "boxes"

    def __init__(self, run: Path, classes: int):
        installed()
        self.run, self.classes = run, classes
        folds = sorted(path.name for path in (run / directory.NETWORKS).iterdir() if path.is_dir())
        if not folds:
            raise RequestError(f"{run}: keeps no networks that could be asked; make the run again")
        self.entry = network_of(run, folds[0])[0]

    @contextmanager
    def answers(self, store: Store, rows: Mapping[str, np.ndarray], device: str) -> Iterator[dict[str, np.ndarray]]:
        """Ask the network of each fold; see `usfm.tasks.learner.Asker`.

        Args:
            store: of the frames.
            rows: fold -> (n,) rows of the store.
            device: as PyTorch names it.

        Yields:
            Fold -> (n, 100, 6), `heads.FIELDS`, px of the prepared frames; NaN for no box.

        Raises:
            RequestError: a fold has no weights, or they are of another network.
        """
        for fold in rows:
            weights_of(self.run, fold)
        with tempfile.TemporaryDirectory(prefix="usfm-ask-") as name:
            folder = Path(name)
            Ask(
                stores=tuple(str(Path(path).resolve()) for path in store.paths),
                run=str(self.run.resolve()),
                classes=self.classes,
                folds={fold: some.tolist() for fold, some in rows.items() if len(some)},
                device=device,
            ).write(folder)
            batches = sum(-(-len(some) // AT_ONCE) for some in rows.values())
            process.run(folder, batches, f"asking {self.run.name}", unit="batches", kept=False)
            asked = [fold for fold in rows if len(rows[fold])]
            yield {fold: np.load(folder / Ask.answer(k), mmap_mode="r") for k, fold in enumerate(asked)}


def weights_of(run: Path, fold: str) -> Path:
    """The file with the weights of a fold.

    Args:
        run: directory.
        fold: its name.

    Returns:
        The file.

    Raises:
        RequestError: there is none.
    """
    file = run / directory.NETWORKS / fold / checkpoint.MODEL
    if not file.is_file():
        raise RequestError(f"{file.parent}: holds no {file.name}, so nothing can be asked; make the run again")
    return file


def network_of(run: Path, fold: str) -> "tuple[Entry, Network | Stock]":
    """The network that the weights of a fold fit into.

    Args:
        run: directory.
        fold: its name.

    Returns:
        How frames enter it, and an encoder of usfm's or one of ultralytics' networks without weights.

    Raises:
        RequestError: the run is damaged, or ultralytics has no such network any more.
    """
    card = directory.card_of(run, seed=int, encoder=dict)
    encoder = card["encoder"]
    if encoder.get("kind") != YOLO:
        made = trained.network_of(run, run / directory.NETWORKS / fold, card)
        return made.entry, made
    size = encoder.get("image_size")
    if not isinstance(size, list) or not size or type(size[0]) is not int or size[0] < 1:
        raise RequestError(f"{run}: its card names no size of a frame; make the run again")
    stock = stock_of(f"{YOLO}:{encoder.get('model')}")
    return entry_of(stock, size[0], str(encoder.get("resize")), card["seed"]), stock
