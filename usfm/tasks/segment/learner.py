"""Segmentation as a network learns it: a decoder on its maps, cross-entropy and Dice, probabilities of each pixel."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from usfm.engine.prepared import Prepared
from usfm.engine.truth import Truth
from usfm.errors import RequestError
from usfm.model.network import Network
from usfm.tasks.predictions import ragged
from usfm.tasks.segment.heads import Head, default_head, width_of
from usfm.tasks.segment.loss import loss
from usfm.tasks.segment.measures import count, dice
from usfm.tasks.segment.moving import IGNORE, back, blended, decided, onto, packed, planes
from usfm.tasks.segment.scored import BASE

SAID = "probabilities"
MOST_AVERAGED = 2000
"""Training masks that the mean mask is made of at most, evenly spread."""


class Pixels(nn.Module):
    """A decoder on the network's maps.

    Args:
        network: whose maps it takes.
        kind: of `heads.HEADS`, or "" for the usual one.
        classes: logits of a pixel.
        width: channels inside the decoder; 0 for as many as suit the network.
        taps: of the network; () for its own choice.

    Raises:
        RequestError: it has no such tap, or too few for this head.
    """

    def __init__(self, network: Network, kind: str, classes: int, width: int = 0, taps: tuple[int, ...] = ()):
        super().__init__()
        depth = network.usual_taps[-1] + 1
        if taps and taps[-1] >= depth:
            raise RequestError(f"--set taps: there is no block {taps[-1] + 1}; this encoder has {depth}")
        shapes = network.map_shapes(taps)
        channels, strides = [one[0] for one in shapes], [round(one[1]) for one in shapes]
        self.taps = taps
        self.decoder = Head(kind or default_head(strides), channels, strides, classes, width or width_of(channels[-1]))

    def forward(self, network: Network, frames: torch.Tensor) -> torch.Tensor:
        """Logits of each pixel.

        Args:
            network: whose maps are taken.
            frames: (B, C, H, W) of 0 to 255.

        Returns:
            (B, classes, H, W).
        """
        return self.decoder(network.maps(frames, self.taps), (frames.shape[-2], frames.shape[-1]))


class MaskLearner:
    """A class, or several, for each pixel; see `Learner`.

    Args:
        frames: the store's frames as the network takes them.
        names: of the classes, the background first for `index`.
        kind: index or bits.
        train: rows of the store that are trained on, for the mean mask.
        millimetres: whether distances are in mm.
        head: of `heads.HEADS`, or "".
        width: channels inside the decoder; 0 for as many as suit the network.
        taps: of the network.
        weights: of cross-entropy and of Dice's loss.
        balanced: whether the cross-entropy weights classes by the inverse of their pixels in the training masks.
    """

    higher = True

    def __init__(
        self,
        frames: Prepared,
        names: Sequence[str],
        kind: str,
        train: np.ndarray,
        *,
        millimetres: bool = False,
        head: str = "",
        width: int = 0,
        taps: tuple[int, ...] = (),
        weights: tuple[float, float] = (1.0, 1.0),
        balanced: bool = False,
    ):
        self.frames, self.store, self.names, self.kind, self.train = frames, frames.store, tuple(names), kind, train
        self.size, self.millimetres = frames.entry.image_size, millimetres
        self.form, self.width, self.taps, self.weights = head, width, taps, weights
        self.class_weights = torch.from_numpy(self._rarity()).float() if balanced else None

    def head(self, network: Network) -> nn.Module:
        """See `Learner`: a decoder on maps of the network."""
        return Pixels(network, self.form, len(self.names), self.width, self.taps)

    def mask(self, sample: int) -> tuple[np.ndarray, np.ndarray]:
        """The truth of a frame or window in the pixels that the network sees, uint8 (h, w), and where it is known."""
        mask = self.store.label_mask(int(self.frames.row_of(np.array([sample]))[0]))
        if mask is None:
            return np.zeros(self.size, np.uint8), np.zeros(self.size, bool)
        return onto(mask, self.frames.part(int(sample)), self.size, self.kind)

    def truth(self, rows: np.ndarray) -> Truth:
        """See `Learner`: (n, h, w) classes, or (n, K, h, w) of 0 and 1 where structures overlap."""
        pairs = [self.mask(sample) for sample in rows]
        masks, seen = np.stack([mask for mask, _ in pairs]).astype(np.int64), np.stack([known for _, known in pairs])
        if self.kind == "bits":
            masks = (masks[:, None] >> np.arange(len(self.names))[:, None, None]) & 1
            seen = seen[:, None]
        return Truth(masks=np.where(seen, masks, IGNORE))

    def mixed(self, truth: Truth, share: float) -> None:
        """Masks are not mixed.

        Args:
            truth: of the batch.
            share: of each frame itself.

        Returns:
            None, so the frames are not mixed either.
        """

    def loss(self, outputs: torch.Tensor, truth: Truth) -> torch.Tensor:
        """Cross-entropy and Dice's loss in their weights.

        Args:
            outputs: (B, K, h, w) logits.
            truth: its masks.

        Returns:
            The scalar loss.
        """
        masks = torch.as_tensor(truth.masks, device=outputs.device)
        weights = None if self.class_weights is None else self.class_weights.to(outputs.device)
        entropy, overlap = self.weights
        return loss(outputs, masks, cross_entropy=entropy, dice=overlap, class_weights=weights)

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Probabilities in steps of 1 / 255, uint8 (B, K, h, w)."""
        odds = outputs.float()
        odds = odds.softmax(1) if self.kind == "index" else odds.sigmoid()
        return {SAID: (odds * 255).round().to(torch.uint8)}

    def score(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, float]:
        """Mean Dice over frames and classes without the background, in prepared pixels; windows of a frame are added.

        Args:
            decoded: of the rows.
            rows: validation rows of the store.

        Returns:
            `score` and `val_dice`.
        """
        first = 1 if self.kind == "index" else 0
        sums = np.zeros((3, len(rows), len(self.names)))
        samples = [(n, sample) for n, row in enumerate(rows) for sample in self.frames.samples(np.array([row]))]
        for at, (n, sample) in enumerate(samples):
            (truth, seen), odds = self.mask(sample), decoded[SAID][at]
            for k in range(len(self.names)):
                mine = truth == k if self.kind == "index" else (truth >> k) & 1 > 0
                said = odds.argmax(0) == k if self.kind == "index" else odds[k] >= 128
                sums[:, n, k] += (mine & said & seen).sum(), (mine & seen).sum(), (said & seen).sum()
        values = dice(*sums)[:, first:]
        each = np.array([np.nanmean(column) for column in values.T if np.isfinite(column).any()])
        mean = float(each.mean()) if len(each) else 0.0
        return {"score": mean, "val_dice": mean}

    def raw(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """See `learner.Learner`: columns of ``predictions.h5``, each mask in the frame as it was given."""
        mean, lines, masks, at = self.mean_mask(), [], [], 0
        for row in rows.tolist():
            samples = self.frames.samples(np.array([row]))
            odds, at = decoded[SAID][at : at + len(samples)], at + len(samples)
            given = self.store.label_mask(row)
            assert given is not None  # only frames with a mask are asked for
            shape, spacing = (given.shape[0], given.shape[1]), (1.0, 1.0)
            if self.millimetres:
                spacing = tuple(float(self.store.column(f"{side}_spacing_mm")[row]) for side in ("row", "col"))
            whole = blended(odds, [self.frames.part(int(sample)) for sample in samples], shape)
            said = decided(whole, self.kind)
            always = decided(back(mean, self.frames.framing(row), shape), self.kind)
            truth, seen = planes(given, len(self.names), self.kind)
            other = planes(always, len(self.names), self.kind)[0] & seen
            line = count(truth, planes(said, len(self.names), self.kind)[0], seen, spacing)
            lines.append(line | {BASE + "both": (truth & other).sum((1, 2)), BASE + "predicted": other.sum((1, 2))})
            masks.append(packed(said))
        table = {name: np.stack([np.asarray(line[name], np.float64) for line in lines]) for name in lines[0]}
        return table | {"mask": ragged(masks)}

    def _whole(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """The planes of a whole frame, fitted into the size of a sample, bool (K, h, w), and where they are known."""
        given = self.store.label_mask(int(row))
        assert given is not None  # only frames with a mask are trained on
        moved, seen = onto(given, self.frames.framing(int(row)), self.size, self.kind)
        return planes(moved, len(self.names), self.kind)[0], seen

    def _spread(self) -> np.ndarray:
        """Rows to train on, evenly spread where there are very many."""
        return self.train[
            np.unique(np.linspace(0, len(self.train) - 1, min(len(self.train), MOST_AVERAGED)).astype(int))
        ]

    def _rarity(self) -> np.ndarray:
        """(K,) inverse frequency of each class among the pixels to train on, its mean over pixels 1; 1 for none."""
        counts = np.zeros(len(self.names))
        for row in self._spread():
            truth, seen = self._whole(row)
            counts += (truth & seen).sum((1, 2))
        there = counts > 0
        return np.where(there, counts.sum() / (np.maximum(counts, 1) * there.sum()), 1.0)

    def mean_mask(self) -> np.ndarray:
        """How often each class is at each place of the training masks, all fitted into one size: (K, h, w), 0 to 1."""
        total, known = np.zeros((len(self.names), *self.size), np.float32), np.zeros(self.size, np.float32)
        for row in self._spread():
            truth, seen = self._whole(row)
            total += truth & seen
            known += seen
        return total / np.maximum(known, 1)

    def afterwards(self, decoded: Mapping[str, np.ndarray], rows: np.ndarray) -> dict:
        """See `learner.Learner`: nothing is fitted."""
        return {}
