"""Whatever is in the card of a run, each command that opens the run gets it as it was written, or says one sentence."""

import json
import os
import shutil
import signal
from contextlib import suppress

import pytest

from usfm.config import Request
from usfm.engine import record
from usfm.errors import RequestError
from usfm.inspect import info
from usfm.inspect.config import Config
from usfm.model import card, checkpoint, embedders, progress
from usfm.model.vit import build_encoder

CARD = {"command": "pretrain", "recipe": "mae", "status": "complete", "steps": 9, "settings": {"inputs": "a"},
        "result": {"steps": 9, "loss": 0.5}, "encoder": {"name": "vit"}, "seconds": 1.5}  # fmt: skip

READERS = {
    "progress": progress.of,
    "encoder": lambda run: embedders.load(str(run), device="cpu"),
    "random": lambda run: embedders.load(f"random:{run}", device="cpu"),
    "record": lambda run: record.look(run, "pretrain"),
    "info": lambda run: info.run(Config(), Request(inputs=(str(run),))),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "a"
    folder.mkdir()
    encoder = build_encoder("vit_nano_patch16_64", depth=1)
    checkpoint.save(folder / "last", encoder.state_dict(), encoder.shape)
    return folder


def _text(**entries):
    return json.dumps({**CARD, **entries})


SPOILT = {
    "nothing": "",
    "half": _text()[:40],
    "a list": "[1, 2]",
    "a number": "7",
    "null": "null",
    "a text": '"card"',
    "no UTF-8": b'{"command": "\xff"}',
    "half a character": '{"command": "\\ud800", "status": "complete", "settings": {}}',
    "NaN": _text(seconds=float("nan")),
    "a number beyond all": '{"status": "complete", "settings": {}, "seconds": 1e999}',
    "a number of 5,000 digits": '{"status": "complete", "settings": {}, "steps": ' + "9" * 5000 + "}",
    "deep": '{"status": ' + "[" * 100_000,
    "a status of numbers": _text(status=[1]),
    "settings of text": _text(settings="none"),
    "a result of text": _text(result="good"),
    "steps of text": _text(steps="many"),
    "true steps": _text(steps=True),
    "negative steps": _text(steps=-4),
    "a recipe of numbers": _text(recipe=[7]),
    "a command of numbers": _text(command=7),
    "seconds of text": _text(seconds="long"),
    "an encoder of text": _text(encoder="vit"),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILT)
@pytest.mark.parametrize("reader", READERS)
def test_a_spoilt_card_is_one_sentence(run, reader, case):
    file, content = run / card.CARD, SPOILT[case]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(RequestError) as caught:
        READERS[reader](run)
    assert "card.json: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def in_time():
    """What waits for a pipe waits for ever."""
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("held up"))
    signal.alarm(20)
    yield
    signal.alarm(0)


@pytest.mark.parametrize("name", ["card.json", "metrics.jsonl", ".lock", "recipe.toml", "last"])
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_under_the_name_of_any_file_holds_nobody_up(run, tmp_path, reader, name, in_time):
    shutil.copytree(run / "last", tmp_path / "last")
    (tmp_path / "card.json").write_text(_text(status="running"))
    if name == "last":
        shutil.rmtree(tmp_path / name)
    else:
        (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with suppress(RequestError):
        READERS[reader](tmp_path)


@pytest.mark.parametrize("reader", READERS)
def test_a_changed_card_is_refused_and_an_older_one_without_a_digest_is_read(run, reader):
    file = run / card.CARD
    file.write_text(_text())
    READERS[reader](run)
    text = json.dumps(card.sealed(CARD))
    file.write_text(text)
    READERS[reader](run)
    file.write_text(text.replace('"steps": 9', '"steps": 8', 1))
    with pytest.raises(RequestError, match="damaged or was changed"):
        READERS[reader](run)


def test_a_card_is_read_back_as_it_was_sealed():
    whole = card.sealed({"loss": float("inf"), "rates": (1, 2.5), "path": "é"})
    assert whole == {"loss": None, "rates": [1, 2.5], "path": "é", card.DIGEST: whole[card.DIGEST]}
    assert card.sealed(whole) == whole
