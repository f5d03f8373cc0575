"""`usfm encoders`: the list, and what is said of one file."""

import json

import pytest
import torch

from usfm.cli.main import main
from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.encoders import listed, run
from usfm.inspect.encoders_config import Config
from usfm.model.families import FAMILIES
from usfm.model.vit import build_encoder


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    torch.save({"model": build_encoder("vit_nano_patch16_32", in_chans=3).state_dict()}, tmp_path / "deblur.pth")
    return str(tmp_path / "deblur.pth")


def test_the_list_is_the_table(capsys):
    found = run(Config(), Request())["families"]
    assert [row["name"] for row in found] == list(FAMILIES)
    assert json.loads(json.dumps(found)) == listed()
    shown = capsys.readouterr().out
    assert all(family.title in shown for family in FAMILIES.values())


def test_a_file_is_described_as_it_would_be_used(weights, capsys):
    (found,) = run(Config(), Request(inputs=(weights,)))["encoders"]
    assert (found["dim"], found["heads"], found["blur_px"], found["resize"]) == (64, 2, 1.1, "letterbox")
    assert found["bytes"] > 10_000
    assert found["licence"] == FAMILIES["deblurmae"].licence
    assert "CC-BY-NC" in capsys.readouterr().out


def test_what_is_not_here_is_one_sentence(tmp_path, capsys):
    with pytest.raises(RequestError, match="no such"):
        run(Config(), Request(inputs=(str(tmp_path / "missing.pth"),)))
    with pytest.raises(SystemExit) as end:
        main(["encoders", str(tmp_path / "missing.pth")])
    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
