"""Hand a network that was trained on labels to ONNX: frames in, probabilities out, all folds in one file."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from usfm import console
from usfm.config import Request, content_dict
from usfm.errors import RequestError, WorkError
from usfm.inspect.export import MARK, TOLERANCE, key_of
from usfm.inspect.export_config import Config
from usfm.jobs.outputs import check_free, up_to_date
from usfm.model import lora
from usfm.model.card import CARD, card_of
from usfm.model.network import Entry, Network
from usfm.provenance import digest, file_sha256
from usfm.store.whole import place, whole_file
from usfm.tasks import directory, trained
from usfm.tasks import read as predictions_of

OUTPUT = "probabilities"
TASKS = ("classify", "segment")


def is_run(path: Path) -> bool:
    """Whether a path is a run of ``usfm finetune``."""
    return path.is_dir() and (path / CARD).is_file() and card_of(path).get("kind") == "finetune"


class Answers:
    """How a network's outputs become probabilities: `usfm.tasks.learner.Head`.

    Args:
        task: classify or segment.
        classes: names, with the background where there is one.
        options: of the run: head, width and taps.
        several: whether classes may overlap.
    """

    def __init__(self, task: str, classes: int, options: dict[str, Any], several: bool):
        self.task, self.classes, self.options, self.several = task, classes, options, several

    def head(self, network: Network) -> nn.Module:
        """The head of the task, as the run has it."""
        if self.task == "classify":
            from usfm.tasks.classify.learner import Linear

            return Linear(network.dim, self.classes)
        from usfm.tasks.segment.learner import Pixels

        taps = tuple(int(tap) - 1 for tap in self.options.get("taps") or ())
        form, width = str(self.options.get("head") or ""), int(self.options.get("width") or 0)
        return Pixels(network, form, self.classes, width, taps)

    def decode(self, outputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Probabilities, (B, classes) or (B, classes, H, W)."""
        return {OUTPUT: outputs.float().sigmoid() if self.several else outputs.float().softmax(1)}


class FoldsToAnswers(nn.Module):
    """The mean of what the networks of all folds say."""

    def __init__(self, models: Sequence[nn.Module], answers: Answers):
        super().__init__()
        self.models, self.answers = nn.ModuleList(models), answers

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Frames (n, H, W) or (n, 3, H, W), 0 to 255 -> probabilities (n, classes) or (n, classes, H, W)."""
        values = frames.float()
        values = values.unsqueeze(1) if frames.ndim == 3 else values
        said = [self.answers.decode(model(values))[OUTPUT] for model in self.models]
        return torch.stack(said).mean(0)


def run(config: Config, request: Request) -> dict:
    """Export the networks of a run of classify or segment to ONNX.

    uint8 frames in, any number of them: (n, H, W) where the network reads gray, (n, 3, H, W) where it reads colour, of
    the network's size. Channels, blur, mean and std are part of the graph; what is not (size, resize rule, windows) is
    written beside it as the entry `preprocessing`. Out come probabilities, the mean of all folds: (n, K), or
    (n, K, H, W) for masks.

    Args:
        config: how to export.
        request: common options; `inputs` names the run, `out` the file.

    Returns:
        The summary, with `difference`: the largest between the run's probabilities and those of the file read back.

    Raises:
        RequestError: no such run, a run that keeps no such network, or the output is in the way.
        WorkError: what was read back does not give the same.
    """
    started, source = time.monotonic(), Path(request.inputs[0])
    out = Path(request.out or f"{source.name}.onnx")
    if out.suffix != ".onnx":
        raise RequestError(f"--out {out}: an export to onnx ends in .onnx")
    card = card_of(source, task=str, protocol=str, folds=list)
    _refuse_unfit(config, source, card)
    folds = [str(line.get("fold")) for line in card["folds"] if isinstance(line, dict)]
    key = digest(["export", content_dict(config), file_sha256(source / CARD)])
    summary = {"command": "export", "out": str(out), "to": config.to, "frames_in": None, "frames_out": None}
    summary |= {"dropped": None, "rejected": None, "sources": None, "frames_per_s": None, "folds": len(folds)}
    if request.dry_run:
        check_free(out, request.overwrite, key_of)
        console.say(f"would write {out} from the {len(folds)} networks of {source}")
        return summary | {"out": None, "dry_run": True, "seconds": 0.0}
    if up_to_date(out, key, request.overwrite, key_of):
        return summary | {"difference": None, "seconds": 0.0, "up_to_date": True}
    model, entry, about = networks(source, card, folds)
    try:
        place(out).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(out) as part:
            difference = written(model, entry, about | {MARK: key}, part)
            if not difference <= TOLERANCE:
                raise WorkError(f"{out} was not written: read back, its probabilities differ by {difference:.2g}")
            up_to_date(out, key, request.overwrite, key_of)  # what has taken the name meanwhile is not replaced
    except OSError as error:
        raise WorkError(f"{out}: cannot be written ({error.strerror})") from None
    console.say(f"{out}: read back, probabilities differ by at most {difference:.1e}")
    return summary | {"difference": difference, "seconds": round(time.monotonic() - started, 3)}


def _refuse_unfit(config: Config, source: Path, card: dict) -> None:
    """See that a run has networks that can be exported, and that no setting of encoders was given.

    Raises:
        RequestError: it has none, or one was.
    """
    task, protocol = card["task"], card["protocol"]
    if task not in TASKS:
        raise RequestError(f"{source}: --to onnx takes runs of {' and '.join(TASKS)}, and this is one of {task}")
    if protocol not in ("frozen", "lora", "full"):
        raise RequestError(
            f"{source}: --protocol {protocol} keeps a probe and no network; give its encoder to 'usfm export'"
        )
    if config.which != "auto" or config.pool != "mean":
        flag = "--pool" if config.which == "auto" else "--which"
        raise RequestError(f"{flag} is for encoders, and {source} is a run of {task}; leave it out")


def networks(source: Path, card: dict, folds: Sequence[str]) -> tuple[FoldsToAnswers, Entry, dict[str, str]]:
    """The networks of a run's folds as one, and what whoever uses it has to know.

    Args:
        source: run directory.
        card: of it.
        folds: their names.

    Returns:
        The networks, how frames enter them, and entries for the file, JSON where they are no words.

    Raises:
        RequestError: the run is damaged.
    """
    _, held = predictions_of(source)
    recipe, tuning, kind = directory.recipe_of(source), card.get("tuning") or {}, str(held.facts.get("mask_kind", ""))
    answers = Answers(card["task"], len(held.class_names), recipe | tuning, kind == "bits")
    models = [trained.of_run(source, answers, fold) for fold in folds]
    if not models:
        raise RequestError(f"{source}: holds no trained fold; make the run again")
    for each in models:
        lora.merge(each.network)
    entry = models[0].network.entry
    told = {"px": list(entry.image_size), "channels": entry.in_chans, "dtype": "uint8", "resize": entry.resize}
    told |= {name: recipe[name] for name in ("window", "overlap") if recipe.get(name) is not None}
    about = {"task": card["task"], "classes": json.dumps(list(held.class_names)), "mask_kind": kind,
             "folds": json.dumps(list(folds)), "preprocessing": json.dumps(told)}  # fmt: skip
    return FoldsToAnswers(models, answers).eval(), entry, about


@torch.no_grad()
def written(model: FoldsToAnswers, entry: Entry, about: dict[str, str], part: Path) -> float:
    """Write the file and read it back.

    Args:
        model: in evaluation mode.
        entry: how frames enter it.
        about: entries for the file.
        part: where to.

    Returns:
        The largest difference of a probability, over noise and a black frame.
    """
    import onnx
    import onnxruntime

    shape = entry.image_size if entry.in_chans == 1 else (entry.in_chans, *entry.image_size)
    noise = np.random.default_rng(0).integers(0, 256, (3, *shape), np.uint8)
    noise[2] = 0
    frames = torch.from_numpy(noise)
    program = torch.onnx.export(model, (frames,), dynamo=True, verbose=False, input_names=["frames"],
                                output_names=[OUTPUT],
                                dynamic_shapes={"frames": {0: torch.export.Dim("n")}})  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    program.save(str(part), external_data=False)
    made = onnx.load(str(part))
    for name, value in about.items():
        made.metadata_props.add(key=name, value=value)
    onnx.save(made, str(part))
    session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])
    given = [(session.run(None, {"frames": noise[:n]})[0], model(frames[:n]).numpy()) for n in (1, 3)]
    return max(float(np.abs(np.asarray(got) - wanted).max()) for got, wanted in given)
