"""Exports give the features of the run in the programs they are for."""

import json
import os

import numpy as np
import pytest
import torch

from usfm.config import Request
from usfm.errors import RequestError
from usfm.inspect.export import run
from usfm.inspect.export_config import Config
from usfm.model import checkpoint
from usfm.model.vit import build_encoder

PARTS: dict[str, tuple[int, ...]] = {"weight": (8,), "bias": ()}


@pytest.fixture(scope="module", params=[1, pytest.param(3, marks=pytest.mark.slow)])
def trained(request, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("run")
    encoder = build_encoder("vit_nano_patch16_64", depth=2, in_chans=request.param)
    torch.nn.init.normal_(encoder.norm.weight, 1, 0.1)
    decoder = {"decoder.mask_token": torch.zeros(1, 1, 8), "decoder.decoder_embed.weight": torch.zeros(8, 64)}
    decoder |= {f"decoder.decoder_pred.{k}": torch.zeros(256 * request.param, *n) for k, n in PARTS.items()}
    model = {**{f"encoder.{k}": v for k, v in encoder.state_dict().items()}, **decoder}
    checkpoint.save(folder / "last", encoder.state_dict(), encoder.shape, model=model)
    (folder / "card.json").write_text(json.dumps({"settings": {"recipe": {"target": {"kind": "normalised"}}}}))
    return folder, encoder.eval()


def frames():
    return np.random.default_rng(1).integers(0, 256, (5, 64, 64), np.uint8)


def export(folder, out, to, which="auto", **request):
    return run(Config(to=to, which=which), Request(inputs=(str(folder),), out=str(out), **request))


def vectors(encoder):
    with torch.no_grad():
        return encoder.features(encoder.normalise(torch.from_numpy(frames()))).numpy()


def check_entry(note, encoder):
    """Whoever has the export knows how frames enter it."""
    assert np.allclose(note["mean"], encoder.mean.flatten().numpy())
    assert np.allclose(note["std"], encoder.std.flatten().numpy())
    assert (note["px"], note["channels"]) == ([64, 64], encoder.shape.in_chans)
    assert (note["resize"], note["pool"]) == ("letterbox", "mean")


def test_timm(trained, tmp_path):
    from safetensors.torch import load_file
    from timm.models.vision_transformer import VisionTransformer

    folder, encoder = trained
    summary = export(folder, tmp_path / "e.safetensors", "timm")
    assert summary["difference"] < 1e-5
    note = json.loads((tmp_path / "e.safetensors.json").read_text())
    check_entry(note, encoder)
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
    assert np.abs(vectors(again) - vectors(encoder)).max() < 3e-6


def test_onnx(trained, tmp_path):
    import onnx
    import onnxruntime

    folder, encoder = trained
    export(folder, tmp_path / "e.onnx", "onnx")
    told = {each.key: each.value for each in onnx.load(tmp_path / "e.onnx").metadata_props}
    check_entry(json.loads(told["preprocessing"]), encoder)
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


@pytest.mark.parametrize("to, suffix", [("timm", "safetensors"), ("mae", "pth"),
                                        pytest.param("onnx", "onnx", marks=pytest.mark.slow)])  # fmt: skip
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


def mae_class(px, patch, chans, dim, depth, heads, width):
    """A network with the names and the arithmetic of MAE's encoder, and its decoder's last layer."""
    import torch.nn as nn
    from timm.models.vision_transformer import VisionTransformer

    class Whole(VisionTransformer):
        def __init__(self):
            super().__init__(px, patch, chans, 0, "", dim, depth, heads)
            self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
            self.decoder_embed = nn.Linear(dim, width)
            self.decoder_pred = nn.Linear(width, patch**2 * chans)

    return Whole().eval()


def run_of(folder, name, chans, average, kind="pixels", fill=0.5, out=None):
    """A checkpoint of a run whose decoder's tensors are full of one number, averaged ones of its negative."""
    encoder = build_encoder("vit_nano_patch16_64", depth=2, in_chans=chans).eval()
    out = 256 * chans if out is None else out
    sizes = {"mask_token": (1, 1, 8), "decoder_embed.weight": (8, 64), "decoder_embed.bias": (8,)}
    sizes |= {"decoder_pred.weight": (out, 8), "decoder_pred.bias": (out,)}
    both = {f"decoder.{k}": torch.full(v, fill) for k, v in sizes.items()}
    kept = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    model, state = {**kept, **both}, {"average": None}
    if average:
        state = {"average": {"steps": 3, "weights": {**kept, **{k: -v for k, v in both.items()}}}}
        model = {**{k: v + 1 for k, v in kept.items()}, **both}
    checkpoint.save(folder / name, encoder.state_dict(), encoder.shape, model=model, state=state)
    (folder / "card.json").write_text(json.dumps({"settings": {"recipe": {"target": {"kind": kind}}}}))
    return encoder


@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize("chans", [1, 3])
def test_maes_own_class_has_the_features_and_a_decoder_of_the_same_checkpoint_and_kind(tmp_path, chans, average):
    run_of(tmp_path, "last", chans, average, fill=0.25)
    encoder = run_of(tmp_path, "best", chans, average, fill=0.75)
    export(tmp_path, tmp_path / "e.pth", "mae", which="best")
    kept = torch.load(tmp_path / "e.pth", weights_only=True)
    model = mae_class(64, 16, 3, 64, 2, 2, 8)
    model.load_state_dict(kept["model"])
    entered = json.loads(kept["usfm"])["preprocessing"]
    mean, std = (torch.tensor(entered[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    images = (torch.from_numpy(frames()).float()[:, None].expand(-1, 3, -1, -1) / 255 - mean) / std
    with torch.no_grad():
        assert np.abs(model(images)[:, 1:].mean(1).numpy() - vectors(encoder)).max() < 3e-6
    assert (model.mask_token == (-0.75 if average else 0.75)).all()
    gray = (model.decoder_pred(torch.ones(8)).view(256, 3) * std.flatten() + mean.flatten()).detach()
    assert (gray - gray[:, :1]).abs().max() < 1e-6 or chans == 3  # the same gray in each channel


@pytest.mark.parametrize("case", ["orientations", "another encoder", "no decoder"])
def test_a_decoder_that_maes_class_cannot_read_is_left_out_and_it_is_told(tmp_path, capsys, case):
    encoder = run_of(tmp_path, "last", 1, False, *(("hog", 0.5, 36) if case == "orientations" else ()))
    if case == "another encoder":
        other = {name: value + 1 for name, value in encoder.state_dict().items()}
        model = {**{f"encoder.{k}": v for k, v in other.items()}, "decoder.mask_token": torch.zeros(1, 1, 8)}
        checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape, model=model)
    elif case == "no decoder":
        checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape)
    export(tmp_path, tmp_path / "e.pth", "mae")
    assert set(torch.load(tmp_path / "e.pth", weights_only=True)["model"]) == set(encoder.state_dict())
    assert "decoder" in capsys.readouterr().err


@pytest.mark.parametrize("to, suffix", [("timm", "safetensors"), ("mae", "pth")])
def test_an_export_is_an_encoder_of_its_own_and_has_the_mode_of_the_umask(tmp_path, to, suffix):
    from usfm.model import embedders

    old = os.umask(0o027)
    try:
        encoder = build_encoder("vit_tiny_patch16_32", embed_dim=80, depth=1, num_heads=5).eval()
        checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape, model={}, state={})
        export(tmp_path, tmp_path / f"e.{suffix}", to)
    finally:
        os.umask(old)
    made = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o640}
    one, other = (embedders.load(str(path), device="cpu") for path in (tmp_path, tmp_path / f"e.{suffix}"))
    assert np.abs(one.embed(list(frames())) - other.embed(list(frames()))).max() < 3e-6
    assert other.identity["heads"] == 5


def test_an_encoder_of_blurred_frames_says_that_the_export_does_not_blur(tmp_path, capsys):
    encoder = build_encoder("vit_nano_patch16_64", depth=1)
    (tmp_path / "run").mkdir()
    checkpoint.save(tmp_path / "run" / "last", encoder.state_dict(), encoder.shape)
    (tmp_path / "run" / "card.json").write_text(json.dumps({"blur_px": 1.1}))
    export(tmp_path / "run", tmp_path / "e.safetensors", "timm")
    assert "sigma 1.1 px" in capsys.readouterr().err
