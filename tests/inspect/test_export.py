"""Exports give the features of the run in the programs they are for."""

import json

import numpy as np
import pytest
import torch

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.export import run
from usfm.inspect.export_config import Config
from usfm.model import checkpoint
from usfm.model.vit import build_encoder


@pytest.fixture(scope="module", params=[1, 3])
def trained(request, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    encoder = build_encoder("vit_nano_patch16_64", depth=2, in_chans=request.param)
    torch.nn.init.normal_(encoder.norm.weight, 1, 0.1)
    decoder = {"decoder.mask_token": torch.zeros(1, 1, 8), "decoder.decoder_embed.weight": torch.zeros(8, 64)}
    model = {**{f"encoder.{k}": v for k, v in encoder.state_dict().items()}, **decoder}
    checkpoint.save(folder / "last", encoder.state_dict(), encoder.shape, model=model)
    return folder, encoder.eval()


def frames():
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64), np.uint8)


def export(folder, out, to, which="auto", **request):
    return run(Config(to=to, which=which), Request(inputs=(str(folder),), out=str(out), **request))


def vectors(encoder):
    with torch.no_grad():
        return encoder.features(encoder.normalise(torch.from_numpy(frames()))).numpy()


def test_timm(trained, tmp_path):
    from safetensors.torch import load_file
    from timm.models.vision_transformer import VisionTransformer

    folder, encoder = trained
    summary = export(folder, tmp_path / "e.safetensors", "timm")
    assert summary["difference"] < 1e-5
    note = json.loads((tmp_path / "e.safetensors.json").read_text())
    model = VisionTransformer(**note["arguments"]).eval()
    model.load_state_dict(load_file(tmp_path / "e.safetensors"))
    images = (torch.from_numpy(frames()).float()[:, None] / 255 - torch.tensor(note["mean"]).view(1, -1, 1, 1)) / (
        torch.tensor(note["std"]).view(1, -1, 1, 1)
    )
    with torch.no_grad():
        assert np.abs(model(images)[:, 1:].mean(1).numpy() - vectors(encoder)).max() < 1e-5


def test_mae(trained, tmp_path):
    folder, encoder = trained
    export(folder, tmp_path / "e.pth", "mae")
    kept = torch.load(tmp_path / "e.pth", weights_only=True)["model"]
    assert {"cls_token", "pos_embed", "blocks.1.mlp.fc2.weight", "mask_token", "decoder_embed.weight"} <= set(kept)
    again, _, report = checkpoint.load_encoder(tmp_path / "e.pth")
    assert report.matched == 1
    assert np.abs(vectors(again) - vectors(encoder)).max() < 1e-6


def test_onnx(trained, tmp_path):
    import onnxruntime

    folder, encoder = trained
    export(folder, tmp_path / "e.onnx", "onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "e.onnx"), providers=["CPUExecutionProvider"])
    for n in (1, 5):
        got = session.run(["vectors"], {"frames": frames()[:n]})[0]
        assert np.abs(got - vectors(encoder)[:n]).max() < 1e-4


def test_refusals(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "e.pth").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match="not made by this command"):
            export(folder, tmp_path / "e.pth", "mae", overwrite=overwrite)
    with pytest.raises(RequestError, match=r"ends in \.onnx"):
        export(folder, tmp_path / "e.pth", "onnx")
    with pytest.raises(RequestError, match="no such run"):
        export(tmp_path / "nothing", tmp_path / "f.pth", "mae")
    assert (tmp_path / "e.pth").read_text() == "mine"
    assert not list(tmp_path.glob(".*unfinished*"))


@pytest.mark.parametrize("to, suffix", [("timm", "safetensors"), ("mae", "pth"), ("onnx", "onnx")])
def test_the_same_export_is_up_to_date_and_another_needs_overwrite(trained, tmp_path, capsys, to, suffix):
    folder, _ = trained
    out = tmp_path / f"e.{suffix}"
    export(folder, out, to)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert export(folder, out, to)["up_to_date"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(RequestError, match="--overwrite"):
        export(folder, out, to, which="last")
    export(folder, out, to, which="last", overwrite=True)
    assert set(before) == {path.name for path in tmp_path.iterdir()}


def test_a_file_of_the_users_beside_the_weights_stays(trained, tmp_path):
    folder, _ = trained
    (tmp_path / "e.safetensors.json").write_text("[]")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match="did not make it"):
            export(folder, tmp_path / "e.safetensors", "timm", overwrite=overwrite)
    assert [path.name for path in tmp_path.iterdir()] == ["e.safetensors.json"]
    assert (tmp_path / "e.safetensors.json").read_text() == "[]"
