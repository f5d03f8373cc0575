"""Ultralytics' trainer, dataset and validator on frames of a store, without what they do behind one's back."""

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from ultralytics.data.dataset import YOLODataset
from ultralytics.models.yolo.detect import DetectionTrainer, DetectionValidator
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils import nms

from usfm.engine.prepared import Prepared
from usfm.errors import WorkError
from usfm.tasks.detect.learner import BoxLearner
from usfm.tasks.detect.measures import MOST
from usfm.tasks.detect.yolo.job import How
from usfm.tasks.detect.yolo.networks import Encoded

LEAST = 0.001
"""Scores below are no boxes, as in ultralytics' own validation."""


@dataclass(frozen=True)
class Work:
    """What a trainer is given beside its settings.

    Attributes:
        frames: of the store, prepared.
        learner: knows their boxes.
        build: makes the network, once the generators are seeded.
        train, validation: rows of the store.
        how: the training.
        say: is told the number of an epoch and its figures.
    """

    frames: Prepared
    learner: BoxLearner
    build: Callable[[], nn.Module]
    train: np.ndarray
    validation: np.ndarray
    how: How
    say: Callable[[int, dict[str, float]], None]


class Frames(YOLODataset):
    """Frames of a store as ultralytics' dataset, from memory.

    Args:
        work: frames and boxes.
        rows: of the store.
        size: side of a frame, px.
        hyp: settings of the trainer.
        train: whether frames are augmented.
    """

    def __init__(self, work: Work, rows: np.ndarray, size: int, hyp, train: bool):
        self.work, self.rows = work, rows
        data = {"names": dict(enumerate(work.learner.names)), "channels": work.frames.entry.in_chans}
        super().__init__(
            img_path="store", imgsz=size, augment=train, hyp=hyp, batch_size=work.how.batch_size, pad=0.0, data=data
        )

    def _numbers(self, img_path) -> list[str]:
        """Names that stand for the rows; nothing is read by them."""
        return [str(row) for row in self.rows]

    def _boxes(self) -> list[dict]:
        """Boxes as centre, width and height in shares of the prepared frame."""
        height, width = self.work.frames.entry.image_size
        labels = []
        for row in self.rows:
            boxes, kinds = self.work.learner.known(int(row))
            boxes = boxes.reshape(-1, 4) / np.array([width, height] * 2, np.float32)
            centred = np.concatenate([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], axis=1)
            labels.append({
                "im_file": str(row), "shape": (height, width), "cls": kinds[:, None].astype(np.float32),
                "bboxes": centred.astype(np.float32), "segments": [], "keypoints": None, "normalized": True,
                "bbox_format": "xywh",
            })  # fmt: skip
        return labels

    get_img_files, get_labels = _numbers, _boxes

    def build_transforms(self, hyp):
        """Its own, told that all frames are in memory: a mosaic draws from all of them."""
        self.cache = "ram"
        return super().build_transforms(hyp)

    def load_image(self, i: int, rect_mode: bool = True, resize_short: bool = False):
        """A prepared frame.

        Args:
            i: position in the rows.
            rect_mode: of ultralytics; prepared frames have their size already.
            resize_short: the same.

        Returns:
            (H, W, C) uint8 with blue first, and its size twice.
        """
        picture = self.work.frames.read(self.rows[i : i + 1])[0].numpy().transpose(1, 2, 0)
        shape = picture.shape[:2]
        return np.ascontiguousarray(picture[..., ::-1]), shape, shape


class Validator(DetectionValidator):
    """Its validator, whose suppression of doubles has no time limit: at the limit it drops the rest of a batch."""

    def postprocess(self, preds) -> list[dict[str, torch.Tensor]]:
        """Raw outputs -> boxes of each frame, surest first."""
        return [{"bboxes": one[:, :4], "conf": one[:, 4], "cls": one[:, 5], "extra": one[:, 6:]}
                for one in suppressed(preds)]  # fmt: skip


def suppressed(preds) -> list[torch.Tensor]:
    """Raw outputs -> (k, 6) of each frame: left, top, right, bottom, score, class."""
    return nms.non_max_suppression(preds, LEAST, 0.7, multi_label=True, max_det=MOST, max_time_img=math.inf)


@torch.no_grad()
def boxes_of(model: DetectionModel, frames: Prepared, rows: np.ndarray, device: torch.device) -> np.ndarray:
    """What a network says of rows that it sees together.

    Args:
        model: in evaluation mode; its head for training is not used.
        frames: as the network takes them.
        rows: (n,) of the store.
        device: of the network.

    Returns:
        (n, 100, 6), `heads.FIELDS`, px of the prepared frames, NaN for none.
    """
    model.end2end = False
    height, width = frames.entry.image_size
    out = np.full((len(rows), MOST, 6), np.nan, np.float32)
    for k, one in enumerate(suppressed(model(frames.read(rows).to(device).float() / 255))):
        boxes = one.cpu().numpy()
        boxes[:, :4] = boxes[:, :4].clip(0, [width, height] * 2)
        out[k, : len(boxes)] = boxes
    return out


class Trainer(DetectionTrainer):
    """Ultralytics' trainer of detectors.

    Args:
        overrides: its settings.
        work: frames, network and listener.
    """

    def __init__(self, overrides: dict, work: Work):
        self.work, self.kept, self.best_epoch, self._pipelines = work, {}, 0, 0
        super().__init__(overrides=overrides)

    def _data(self) -> dict:
        """Rows instead of paths; without validation frames the last epoch is checked on those of the training."""
        names, work = dict(enumerate(self.work.learner.names)), self.work
        val = work.validation if len(work.validation) else work.train
        return {"train": work.train, "val": val, "names": names, "nc": len(names),
                "channels": work.frames.entry.in_chans}  # fmt: skip

    def setup_model(self) -> None:
        """The network, made here rather than loaded or downloaded."""
        self.model = self.work.build()
        self.fixed = {name for name, each in self.model.named_parameters() if not each.requires_grad}

    def build_dataset(self, img_path, mode="train", batch=None) -> Frames:
        """Frames of the store.

        Args:
            img_path: rows.
            mode: train or val.
            batch: of ultralytics.

        Returns:
            The dataset.
        """
        return Frames(self.work, img_path, self.args.imgsz, self.args, mode == "train")

    def _validator(self) -> Validator:
        """Its validator, without its files."""
        return Validator(self.test_loader, save_dir=self.save_dir, args=copy(self.args), _callbacks=self.callbacks)

    get_dataset, get_validator = _data, _validator

    def build_optimizer(self, model, name="AdamW", lr=0.001, momentum=0.9, decay=1e-5, iterations=1e5):
        """AdamW; an encoder of usfm's has its layer decay, and what it keeps fixed stays fixed.

        Args:
            model: the network.
            name: AdamW.
            lr: peak learning rate.
            momentum: first beta.
            decay: weight decay.
            iterations: of ultralytics.

        Returns:
            The optimiser.
        """
        if not isinstance(model, Encoded):
            return super().build_optimizer(model, name, lr, momentum, decay, iterations)
        groups = []
        for name, each in model.named_parameters():
            each.requires_grad_(each.requires_grad and name not in self.fixed)
            if not each.requires_grad:
                continue
            own = name.removeprefix("model.0.")
            inside = own != name
            plain = each.ndim < 2 or (inside and model.network.undecayed(own))
            rate = lr * (model.network.factor(own, self.work.how.layer_decay) if inside else 1.0)
            groups.append({"params": [each], "lr": rate, "weight_decay": 0.0 if plain else decay,
                           "param_group": "bn" if plain else "weight"})  # fmt: skip
        return torch.optim.AdamW(groups, lr=lr, betas=(momentum, 0.999))

    def _build_train_pipeline(self) -> None:
        self._pipelines += 1
        if self._pipelines > 1:  # ultralytics halves the batch and goes on
            raise WorkError(f"a batch of {self.work.how.batch_size} frames does not fit into the memory of the device; "
                            "give a smaller --batch-size")  # fmt: skip
        super()._build_train_pipeline()

    def _model_train(self) -> None:
        super()._model_train()
        if self.work.how.frozen:
            self.model.get_submodule("model.0").eval()  # its statistics stay too

    def _handle_nan_recovery(self, epoch: int) -> bool:
        if self.loss is not None and not bool(torch.isfinite(self.loss).all()):
            raise WorkError(f"the loss is no number in epoch {epoch + 1}; give a smaller --lr")
        return False

    def save_metrics(self, metrics: dict) -> None:
        """Tell the listener instead of writing a table."""
        loss = sum(value for name, value in metrics.items() if name.startswith("train/"))
        figures = {"loss": float(loss)}
        if len(self.work.validation):
            figures["val_map"] = float(metrics["metrics/mAP50-95(B)"])
        self.work.say(self.epoch + 1, figures)

    def save_model(self) -> bool:
        """Keep the averaged weights of the best epoch, or of the last one where no frames choose."""
        if not len(self.work.validation) or self.fitness == self.best_fitness or not self.kept:
            weights = self.ema.ema.state_dict()
            self.kept = {name: value.detach().cpu().clone().contiguous() for name, value in weights.items()}
            self.best_epoch = self.epoch + 1
        return False

    def final_eval(self) -> None:
        """Nothing: boxes are predicted by `found`."""

    @torch.no_grad()
    def found(self, rows: np.ndarray) -> np.ndarray:
        """What the kept weights say of rows: (n, 100, 6), `heads.FIELDS`, px of the prepared frames, NaN for none."""
        model = self.ema.ema.float().eval()
        model.load_state_dict(self.kept)
        out = np.empty((len(rows), MOST, 6), np.float32)
        for at in range(0, len(rows), self.work.how.batch_size):
            some = rows[at : at + self.work.how.batch_size]
            out[at : at + len(some)] = boxes_of(model, self.work.frames, some, self.device)
        return out
