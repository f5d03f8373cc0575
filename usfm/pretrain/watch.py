"""Figures that say whether features are any good, while the run goes on."""

import numpy as np
import torch

from usfm.engine.augment import cut_images
from usfm.engine.crops import whole
from usfm.engine.data import Pixels
from usfm.model.blur import gaussian
from usfm.model.vit import Encoder
from usfm.screening.groups import group_frames
from usfm.seeding import stream
from usfm.store.reader import Store
from usfm.tasks.classify.probes import knn, linear
from usfm.tasks.folds import stratified
from usfm.tasks.metrics import balanced_accuracy, confusion


def rank_me(features: torch.Tensor) -> float:
    """How many dimensions the features use: the exponential of the entropy of their singular values.

    Args:
        features: (n, D).

    Returns:
        1 (collapsed) to min(n, D).

    Source: Garrido et al., RankMe, ICML 2023, eq. 1. We take the mean off first: without that, the features of a
    masked autoencoder all point the same way and the figure stays near 1 whatever happens.

    >>> round(rank_me(torch.eye(8)), 2)
    7.0
    """
    values = torch.linalg.svdvals(features.double() - features.double().mean(0))
    p = values / values.sum().clamp(min=1e-12) + 1e-7
    return float(torch.exp(-(p * p.log()).sum()).clamp(max=min(features.shape)))


class OnlineProbe:
    """How well frozen features tell the classes of a labelled store apart, by patient, while the run goes on.

    Half of the patients train a linear probe and vote as neighbours, the other half are asked, then the other way
    round. It only watches: no choice of the run depends on it.

    Args:
        path: a labelled store of one frame size.
        size: (rows, columns) that the encoder takes, px.
        device: where it runs.
        seed: of the split.
        limit: frames used at most, evenly over the store.
        blur_px: sigma of a blur that the encoder's frames need; 0 = none.
    """

    def __init__(
        self,
        path: str,
        size: tuple[int, int],
        device: torch.device,
        seed: int,
        limit: int = 1000,
        blur_px: float = 0.0,
    ):
        store = Store.open(path).require(fixed=True, classes=True)
        target = store.labels_class()
        rows = np.flatnonzero(target >= 0)
        rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(limit, len(rows))).astype(int))]
        clip = store.column("source")[rows].astype(str)
        self.groups = group_frames(store.of_frames("patient")[rows], clip).code
        self.target, self.classes, self.seed, self.device = target[rows], len(store.class_names), seed, device
        self.fold = stratified(self.target, self.groups, 2, stream(seed, "online probe"))
        pixels = Pixels(store, device, "none")
        crops = torch.from_numpy(whole(1, store.frame_size).stacked()).to(device)
        parts = [rows[start : start + 64] for start in range(0, len(rows), 64)]
        cut = [cut_images(pixels.read(part), crops.expand(len(part), -1), size) for part in parts]
        soft = [gaussian(images, blur_px) if blur_px else images for images in cut]
        self.images = torch.cat([images.round().byte() for images in soft])

    def __call__(self, encoder: Encoder) -> dict[str, float]:
        """Balanced accuracies of both probes."""
        parts = [encoder.features(encoder.normalise(images)) for images in self.images.split(64)]
        features = torch.cat(parts).float().cpu().numpy()
        figures = {}
        for name, probe in (("probe_knn", knn), ("probe_linear", linear)):
            predicted = np.zeros_like(self.target)
            for fold in range(2):
                train, held = self.fold != fold, self.fold == fold
                fitted = probe(features[train], self.target[train], self.groups[train], self.classes, self.seed, {})
                predicted[held] = fitted.scores(features[held]).argmax(1)
            figures[name] = round(float(balanced_accuracy(confusion(self.target, predicted, self.classes))), 4)
        return figures
