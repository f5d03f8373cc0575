"""`python -m usfm.tasks.detect.yolo.child FOLDER`: trains a fold or asks networks; it alone imports ultralytics."""

import json
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from usfm import console
from usfm.errors import RequestError, UsfmError
from usfm.tasks.detect.yolo.job import ASK, AT_ONCE, BEST, FOUND, Ask, Job

OFF = ("sync", "clearml", "comet", "dvc", "hub", "mlflow", "neptune", "raytune", "tensorboard", "wandb")
"""Settings of ultralytics that send something, or log to somebody."""

PLAIN = {name: 0.0 for name in ("hsv_h", "hsv_s", "hsv_v", "degrees", "translate", "scale", "shear", "perspective",
                                "flipud", "fliplr", "mosaic", "mixup", "cutmix", "copy_paste")}  # fmt: skip


def overrides_of(job: Job, size: int, folder: Path) -> dict:
    """Settings of ultralytics' trainer: all that it would otherwise choose, send or write is told here.

    Args:
        job: the fold.
        size: side of a frame, px.
        folder: for what it insists on writing.

    Returns:
        Its overrides.
    """
    how, device = job.how, job.device
    batch = min(how.batch_size, len(job.train))
    return {
        "model": "usfm", "data": "store", "task": "detect", "mode": "train", "save_dir": str(folder / "work"),
        "exist_ok": True, "pretrained": False, "resume": False, "plots": False, "save": True, "verbose": False,
        "epochs": how.epochs, "patience": how.patience if len(job.validation) else 0, "batch": batch, "nbs": batch,
        "imgsz": size, "device": device.removeprefix("cuda:"), "workers": 4 if device.startswith("cuda") else 0,
        "seed": job.seed % 2**31, "deterministic": True, "val": bool(job.validation), "max_det": 100,
        "optimizer": "AdamW", "lr0": how.lr, "lrf": min(1.0, how.min_lr / how.lr) if how.lr else 1.0,
        "momentum": 0.9, "warmup_momentum": 0.9, "warmup_bias_lr": 0.0, "warmup_epochs": how.warmup * how.epochs,
        "weight_decay": how.weight_decay, "amp": "bf16" if how.precision == "bf16" else False, "cache": False,
        "freeze": [0] if how.frozen else None, "compile": False, **({} if how.augmented else PLAIN),
    }  # fmt: skip


def train(job: Job, folder: Path, say: Callable[[dict], None]) -> dict:
    """Train a fold and write boxes and weights into its folder.

    Args:
        job: the fold.
        folder: where to.
        say: is told each epoch.

    Returns:
        Figures of the training, JSON values.
    """
    import torch

    from usfm.engine.prepared import Prepared
    from usfm.model import checkpoint, cost
    from usfm.model.sources import network
    from usfm.model.vit import Encoder
    from usfm.store.reader import Store
    from usfm.tasks.detect.boxes import learner_of
    from usfm.tasks.detect.yolo.stock import entry_of, is_stock, stock_of

    threads = torch.get_num_threads()
    _silence()
    from usfm.tasks.detect.yolo.networks import Encoded, stock_network
    from usfm.tasks.detect.yolo.trainer import Trainer, Work

    store = Store.open(job.stores)
    train, validation, held = (np.array(rows, int) for rows in (job.train, job.validation, job.held))
    rows = np.unique(np.concatenate([train, validation, held]))
    if is_stock(job.encoder):
        stock = stock_of(job.encoder)
        entry = entry_of(stock, job.image_size, job.resize, job.seed)
        build = lambda: stock_network(stock, len(job.names))  # noqa: E731
    else:
        encoder = network(job.encoder, download=job.download, seed=job.seed, pool=job.pool, resize=job.resize,
                          image_size=job.image_size)  # fmt: skip
        entry = encoder.entry
        encoder.drop_paths(0.0 if job.how.frozen else job.how.drop_path)
        build = lambda: Encoded(encoder, len(job.names))  # noqa: E731
    frames = Prepared(store, rows, entry, torch.device("cpu"))
    learner = learner_of(store, rows, job.names, list(job.of), entry)
    told = lambda epoch, figures: say({"epoch": epoch, "figures": figures})  # noqa: E731
    work = Work(frames, learner, build, train, validation, job.how, told)
    trainer = Trainer(overrides_of(job, entry.image_size[0], folder), work)
    torch.set_num_threads(threads)  # which it has changed
    trainer.train()
    np.savez(folder / FOUND, held=trainer.found(held), validation=trainer.found(validation))
    body = trainer.ema.ema.network.body if isinstance(trainer.ema.ema, Encoded) else None
    own = (body.state_dict(), body.shape) if isinstance(body, Encoder) else (None, None)
    checkpoint.save(folder / BEST, *own, model=trainer.kept)
    shutil.rmtree(folder / "work", ignore_errors=True)
    whole = sum(each.numel() for each in trainer.model.parameters())
    some = sum(each.numel() for each in trainer.model.parameters() if each.requires_grad)
    best = float(trainer.best_fitness) if len(validation) else None
    return {"best": best, "best_epoch": trainer.best_epoch, "epochs": trainer.epoch + 1, "trained_parameters": some,
            "parameters": whole, **cost.peak(trainer.device)}  # fmt: skip


def ask(asked: Ask, folder: Path, say: Callable[[dict], None]) -> dict:
    """Ask the networks of a run and write their boxes into a folder.

    Args:
        asked: of whom, and about which rows.
        folder: where to; (n, 100, 6) float32 for each fold.
        say: is told each batch.

    Returns:
        Nothing; JSON values.

    Raises:
        RequestError: the weights are damaged or of another network.
    """
    import torch

    from usfm.engine.prepared import Prepared
    from usfm.store.reader import Store
    from usfm.tasks.detect.measures import MOST
    from usfm.tasks.detect.yolo.asking import network_of
    from usfm.tasks.detect.yolo.stock import Stock

    _silence()
    from usfm.tasks.detect.yolo.networks import Encoded, stock_network, use
    from usfm.tasks.detect.yolo.trainer import boxes_of

    store, run, device = Store.open(asked.stores), Path(asked.run), torch.device(asked.device)
    for number, (fold, listed) in enumerate(asked.folds.items()):
        entry, made = network_of(run, fold)
        model = stock_network(made, asked.classes) if isinstance(made, Stock) else Encoded(made, asked.classes)
        use(model, run, fold)
        model, rows = model.to(device).float().eval(), np.array(listed, int)
        frames = Prepared(store, rows, entry, torch.device("cpu"))
        found = np.lib.format.open_memmap(folder / asked.answer(number), "w+", np.float32, (len(rows), MOST, 6))
        for at in range(0, len(rows), AT_ONCE):
            some = rows[at : at + AT_ONCE]
            found[at : at + len(some)] = boxes_of(model, frames, some, device)
            say({"epoch": at, "figures": {}})
        found.flush()
    return {}


def _silence() -> None:
    """Import ultralytics and take away what it would call, send or write."""
    from ultralytics.utils import SETTINGS, callbacks

    SETTINGS.update({name: False for name in OFF if name in SETTINGS})
    callbacks.add_integration_callbacks = lambda instance: None


def main(folder: Path) -> int:
    """Do what the file in a folder asks for; lines of JSON go to the pipe, all else to the log."""
    voice = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    console.configure(quiet=True)
    say = lambda told: print(json.dumps(told), file=voice)  # noqa: E731
    try:
        if (folder / ASK).is_file():
            say({"result": ask(Ask.read(folder), folder, say)})
        else:
            say({"result": train(Job.read(folder), folder, say)})
    except UsfmError as error:
        say({"error": str(error), "request": isinstance(error, RequestError)})
        return 1
    return 0


def _end_with_parent() -> None:
    """Wait until the pipe from the process that started this one closes."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
