"""`--head yolo` without ultralytics: what is refused in one sentence, and who imports it."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import usfm
from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.finetune.config import Config
from usfm.finetune.run import run as finetune
from usfm.finetune.settings import Tuning
from usfm.model import embedders
from usfm.predict import asked as asking
from usfm.tasks import directory, trained
from usfm.tasks.detect.yolo import process
from usfm.tasks.detect.yolo.job import Ask, How, Job, how_of

NANO, STOCK = "random:vit_nano_patch16_64", "yolo:yolo26n.yaml"


def options(encoder=NANO, given=(), **more):
    return {**vars(Tuning()), "encoder": encoder, "protocol": "full", "accumulate": None, "given": given, **more}


def test_only_its_own_process_imports_ultralytics():
    imports = re.compile(r"^\s*(from|import) ultralytics\b", re.MULTILINE)
    found = {path.name for path in Path(usfm.__file__).parent.rglob("*.py") if imports.search(path.read_text())}
    assert found == {"child.py", "networks.py", "trainer.py"}


def test_without_the_extra_it_is_named(squares, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    request = Request(inputs=(str(squares()),), out=str(tmp_path / "run"), device="cpu")
    for encoder in (NANO, STOCK):
        with pytest.raises(RequestError, match=r"--head yolo needs the extra 'detect'.*pip install '\.\[detect\]'"):
            finetune(Config(task="detect", encoder=encoder, head="yolo", folds=2), request)


def test_a_run_of_theirs_is_not_asked_without_the_extra(tmp_path, monkeypatch):
    found = SimpleNamespace(class_names=("a",))
    monkeypatch.setattr(asking, "read", lambda path: (None, found))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    directory.write_card(tmp_path, {"kind": "finetune", "encoder": {}, "yolo": {"ultralytics": "8.4.190"}})
    with pytest.raises(RequestError, match="needs the extra 'detect'"):
        asking.asked(str(tmp_path))


def test_not_under_torchrun(squares, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RequestError, match="one process of its own; run it without torchrun"):
        finetune(
            Config(task="detect", encoder=NANO, head="yolo"), Request(inputs=(str(squares()),), out=str(tmp_path / "r"))
        )


def test_a_network_of_theirs_belongs_to_their_head(squares, tmp_path):
    with pytest.raises(RequestError, match="train it with --head yolo"):
        finetune(Config(task="detect", encoder=STOCK), Request(inputs=(str(squares()),), out=str(tmp_path / "r")))
    with pytest.raises(RequestError, match="is a whole detector, no encoder"):
        embedders.load(STOCK, device="cpu")


@pytest.mark.parametrize(
    "asked, precision, words",
    [
        (options(protocol="lora"), "fp32", "--protocol lora has no meaning with --head yolo; take --protocol full or"),
        (options(STOCK, protocol="frozen"), "fp32", "on a network of ultralytics; take --protocol full"),
        (options(augment="strong"), "fp32", "--augment strong has no meaning"),
        (options(accumulate=2), "fp32", "--accumulate has no meaning"),
        (options(), "fp16", "take bf16 or fp32"),
        (options(given=("mixup",)), "fp32", "'mixup' has no meaning with --head yolo"),
        (options(STOCK, given=("layer_decay",)), "fp32", "'layer_decay' has no meaning with --head yolo on a network"),
    ],
)
def test_settings_without_a_meaning(asked, precision, words):
    with pytest.raises(RequestError, match=words):
        how_of(asked, 2, precision)


def test_what_is_told_is_what_was_asked():
    how = how_of(options(given=("lr", "layer_decay"), lr=0.01, layer_decay=0.5, augment="none"), 2, "fp32")
    assert (how.lr, how.layer_decay, how.augmented) == (0.01, 0.5, False)
    assert how_of(options(STOCK), 1, "bf16").lr == pytest.approx(0.002), "what ultralytics takes for short trainings"


def job(folder) -> Job:
    how = How(1, 0, 2, 1e-3, 0.0, 0.1, 0.0, 1.0, 0.0, True, "fp32", False)
    made = Job((str(folder / "s.h5"),), ("a",), (0,), (0, 1), (), (2,), NANO, "mean", "auto", False, 64, 0, "cpu", how)
    made.write(folder)
    return made


def test_a_job_is_read_as_it_was_written(tmp_path):
    assert job(tmp_path) == Job.read(tmp_path)
    asked = Ask(("s.h5",), "run", 2, {"0": [1, 4], "a/b": []}, "cpu")
    asked.write(tmp_path)
    assert asked == Ask.read(tmp_path)


def test_a_process_without_a_result_is_told_with_its_last_words(tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MODULE", "usfm.no_such_module")
    with pytest.raises(WorkError, match=r"without a result \(.*No module named usfm.no_such_module.*ultralytics.log"):
        process.run(tmp_path, 1, "fold 0")


def test_it_ends_when_the_process_that_started_it_is_gone():
    code = ("import threading, time; from usfm.tasks.detect.yolo.child import _end_with_parent as end; "
            "threading.Thread(target=end, daemon=True).start(); time.sleep(60)")  # fmt: skip
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    child.stdin.close()
    assert child.wait(30) == 1


def test_the_heads_of_a_run_of_theirs_are_not_built_in_this_process(tmp_path):
    directory.write_card(tmp_path, {"kind": "finetune", "yolo": {"ultralytics": "8.4.190"}})
    with pytest.raises(RequestError, match="ultralytics trained it"):
        trained.of_run(tmp_path, None, "0")
