"""Weights out and in: every wrapping, the 95 % rule, and a checkpoint for readers at every moment."""

import argparse
import errno
import os

import pytest
import torch
from safetensors.torch import load_file

from usfm.errors import RequestError
from usfm.model import checkpoint, weights
from usfm.model.vit import build_encoder
from usfm.store import whole


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return build_encoder("vit_nano_patch16_64", depth=2, in_chans=3).eval()


def wrappings(state):
    yield "raw.pt", state
    yield "model.pth", {"model": state}
    yield "training.pth", {"model": state, "epoch": 3, "args": argparse.Namespace(lr=1e-3, name="x")}
    yield "ddp.pth", {"state_dict": {f"module.{k}": v for k, v in state.items()}}
    yield "decoder.pth", {"model": {**state, "mask_token": torch.zeros(1, 1, 8), "decoder_pred.weight": torch.zeros(2)}}
    crossmae = {k: v for k, v in state.items() if not k.startswith("norm.")}
    yield "nonorm.pth", {"model": {**crossmae, "wfm.linear.weight": torch.zeros(4, 3)}}


@pytest.mark.parametrize("case", range(6))
def test_reads_every_wrapping(tmp_path, encoder, case):
    name, content = list(wrappings(encoder.state_dict()))[case]
    torch.save(content, tmp_path / name)
    loaded, card, report = checkpoint.load_encoder(tmp_path / name)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.allclose(loaded(images), encoder(images), atol=1e-5)
    assert card == {}
    assert report.missing == (("norm.weight", "norm.bias") if name == "nonorm.pth" else ())


def test_code_in_a_file_is_refused(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("never",))

    torch.save({"model": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(RequestError, match="cannot be read"):
        checkpoint.load_encoder(tmp_path / "trap.pth")


def test_damaged_and_missing_files(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"not weights")
    for path in (tmp_path / "bad.safetensors", tmp_path / "nowhere", tmp_path):
        with pytest.raises(RequestError):
            checkpoint.load_encoder(path)


def test_a_file_without_any_one_tensor_is_refused(encoder):
    """Whichever it is: none is so small that it could be left as it started."""
    whole = encoder.state_dict()
    for name in whole:
        state = {k: v for k, v in whole.items() if k != name}
        with pytest.raises(RequestError, match=r"only 2[0-9] of 30"):
            weights.load_into(build_encoder("vit_nano_patch16_64", depth=2, in_chans=3), state)
        with pytest.raises(RequestError, match="NaN"):
            weights.load_into(encoder, {**whole, name: torch.full_like(whole[name], float("nan"))})


@pytest.mark.parametrize("wanted", [1, 3])
def test_channels_fold_exactly_for_gray(tmp_path, wanted):
    torch.manual_seed(1)
    source = build_encoder("vit_nano_patch16_64", depth=1, in_chans=4 - wanted).eval()
    checkpoint.save(tmp_path / "last", source.state_dict(), source.shape)
    loaded, _, report = checkpoint.load_encoder(tmp_path / "last", in_chans=wanted)
    frames = torch.randint(0, 256, (2, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.allclose(loaded(loaded.normalise(frames)), source(source.normalise(frames)), atol=1e-4)
    assert any("folded" in text for text in report.adapted)


def test_other_image_size_resamples_positions(tmp_path, encoder):
    checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape)
    loaded, _, report = checkpoint.load_encoder(tmp_path, image_size=96)
    assert loaded.pos_embed.shape == (1, 37, 64)
    assert any("resampled" in text for text in report.adapted)


@pytest.mark.parametrize("can_exchange", [True, False])
def test_a_reader_finds_a_complete_checkpoint_at_every_moment(tmp_path, encoder, monkeypatch, can_exchange):
    """Looked for after every call that changes a name, and never changed by looking."""
    first = {name: torch.full_like(value, 3.0) for name, value in encoder.state_dict().items()}
    checkpoint.save(tmp_path / "last", first, encoder.shape)
    seen = []

    def look(call):
        def told(*args):
            done = call(*args)
            before = sorted(path.name for path in tmp_path.iterdir())
            seen.append(load_file(checkpoint.locate(tmp_path)[0])["norm.bias"][0].item())
            assert sorted(path.name for path in tmp_path.iterdir()) == before
            return done

        return told

    monkeypatch.setattr(whole, "exchange", look(whole.exchange) if can_exchange else lambda a, b: False)
    monkeypatch.setattr(whole.os, "rename", look(whole.os.rename))
    other = {name: torch.full_like(value, 7.0) for name, value in encoder.state_dict().items()}
    checkpoint.save(tmp_path / "last", other, encoder.shape)
    assert seen == ([7.0] if can_exchange else [3.0, 7.0])
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def test_a_save_that_fails_leaves_the_one_before_and_nothing_else(tmp_path, encoder, monkeypatch):
    checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape)
    monkeypatch.setattr(torch, "save", lambda *args: (_ for _ in ()).throw(RuntimeError("file write failed")))
    with pytest.raises(OSError):
        checkpoint.save(tmp_path / "last", encoder.state_dict(), encoder.shape, state={})
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert [path.name for path in (tmp_path / "last").iterdir()] == ["encoder.safetensors"]


def test_another_patch_size_is_refused_however_few_parameters_it_has(encoder):
    other = build_encoder("vit_nano_patch8_32", depth=2, in_chans=3)
    state = {**encoder.state_dict(), "patch_embed.proj.weight": torch.zeros(64, 3, 8, 8)}
    assert weights.load_into(other, state).matched == 1
    big = build_encoder("vit_tiny_patch8_32", in_chans=1)
    state = {**big.state_dict(), "patch_embed.proj.weight": torch.zeros(192, 1, 16, 16)}
    with pytest.raises(
        RequestError, match=r"\(192, 1, 8, 8\) in vit_tiny_patch8_32 and \(192, 1, 16, 16\) in the file"
    ):
        weights.load_into(big, state)


def test_a_file_without_biases_is_refused():
    big = build_encoder("vit_tiny_patch16_32")
    state = {k: v for k, v in big.state_dict().items() if not k.endswith("qkv.bias")}
    with pytest.raises(RequestError, match=r"qkv\.bias .* not in the file"):
        weights.load_into(big, state)


def test_beit_is_refused_and_localmims_last_norm_is_taken(tmp_path, encoder):
    beit = {**encoder.state_dict(), "rel_pos_bias.relative_position_bias_table": torch.zeros(732, 12)}
    torch.save(beit, tmp_path / "beit.pth")
    with pytest.raises(RequestError, match="BEiT"):
        checkpoint.load_encoder(tmp_path / "beit.pth")
    state = {k: v for k, v in encoder.state_dict().items() if not k.startswith("norm.")}
    state |= {f"norm.{i}.{k}": torch.full((64,), float(i)) for i in range(4) for k in ("weight", "bias")}
    torch.save({"model": state}, tmp_path / "localmim.pth")
    loaded, _, report = checkpoint.load_encoder(tmp_path / "localmim.pth")
    assert report.matched == 1
    assert (loaded.norm.weight == 3).all()


def test_a_run_means_its_last_and_best_can_be_named(tmp_path, encoder):
    for name in ("best", "last"):
        checkpoint.save(tmp_path / name, encoder.state_dict(), encoder.shape)
    assert checkpoint.locate(tmp_path)[0].parent.name == "last"
    assert checkpoint.locate(tmp_path / "best")[0].parent.name == "best"


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_disk_that_fills_up_while_a_state_is_written_is_the_systems_own_error(tmp_path, monkeypatch, size):
    """The writer of `torch.save` raises an error of its own on top, in words that differ from write to write."""
    state, real, calls = {"step": 3, "weights": torch.zeros(size)}, os.write, []

    def write(fd, data):
        calls.append(1)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, bytes(data)[:40_000])  # the system may take less than it is given

    monkeypatch.setattr("usfm.model.checkpoint.os.write", write)
    failing = 0
    checkpoint.save_plain(state, tmp_path / "a.pt")
    assert torch.equal(torch.load(tmp_path / "a.pt", weights_only=True)["weights"], state["weights"])
    for failing in range(1, len(calls) + 1):  # noqa: B007  read by `write`
        calls.clear()
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            checkpoint.save_plain(state, tmp_path / "b.pt")
