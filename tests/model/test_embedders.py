import argparse

import numpy as np
import pytest
import torch

from usfm.errors import RequestError
from usfm.model import embedders, spec
from usfm.model.vit import build_encoder
from usfm.store import tables

NANO = "random:vit_nano_patch16_64"


def _frames(n=7, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [(64, 64), (40, 90), (90, 40, 3), (256, 256), (20, 20)]
    return [rng.integers(0, 256, shapes[k % len(shapes)]).astype(np.uint8) for k in range(n)]


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_vectors_do_not_depend_on_the_batch(batch_size):
    embedder = embedders.load(NANO, device="cpu")
    whole = embedder.embed(_frames(), 7)
    assert whole.shape == (7, embedder.dim)
    assert whole.dtype == np.float32
    assert np.abs(embedder.embed(_frames(), batch_size) - whole).max() < 1e-5


def test_random_follows_the_seed_and_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = (embedders.load(NANO, device="cpu", seed=s).embed(_frames(2)) for s in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_random_is_a_tiny_vit():
    embedder = embedders.load("random", device="cpu")
    assert (embedder.dim, embedder.image_size, embedder.in_chans) == (192, (224, 224), 1)
    assert embedder.identity["model"] == spec.RANDOM_MODEL


@pytest.mark.parametrize("shape", [(60, 60), (30, 60), (60, 30), (300, 200), (224, 224), (37, 113)])
def test_a_letterbox_cuts_nothing_and_keeps_the_aspect(shape):
    out = embedders.letterbox(np.full(shape, 255, np.uint8), (224, 224))
    assert out.shape == (224, 224)
    height, width = (out > 127).any(1).sum(), (out > 127).any(0).sum()
    assert max(height, width) == 224
    assert height / width == pytest.approx(shape[0] / shape[1], rel=0.05)


def test_a_letterbox_into_a_rectangle():
    assert embedders.letterbox(np.zeros((50, 80, 3), np.uint8), (64, 128)).shape == (64, 128, 3)


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_checkpoint_file_gives_the_encoders_own_features(tmp_path, wrapped):
    encoder = build_encoder("vit_nano_patch16_64", in_chans=3).eval()
    weights = encoder.state_dict()
    extra = {"mask_token": torch.zeros(1, 1, 8), "decoder_blocks.0.norm1.weight": torch.ones(8)}
    whole = {"model": {**weights, **extra}, "epoch": 3, "args": argparse.Namespace(lr=1.0)} if wrapped else weights
    torch.save(whole, tmp_path / "mae.pth")
    embedder = embedders.load(str(tmp_path / "mae.pth"), device="cpu")
    frames = _frames(3)
    with torch.inference_mode():
        expected = encoder.features(encoder.normalise(torch.from_numpy(embedder.prepare(frames)))).numpy()
    assert np.abs(embedder.embed(frames) - expected).max() < 1e-5
    assert embedder.name == "mae"
    assert str(tmp_path) not in str(embedder.identity)


def test_pooling_is_part_of_the_identity():
    made = {pool: embedders.load(NANO, device="cpu", pool=pool) for pool in embedders.POOLS}
    vectors = {pool: embedder.embed(_frames(3)) for pool, embedder in made.items()}
    assert len({str(embedder.identity) for embedder in made.values()}) == 3
    assert not np.allclose(vectors["mean"], vectors["cls"])
    assert np.allclose(vectors["meanstd"][:, :64], vectors["mean"])
    assert (vectors["meanstd"][:, 64:] >= 0).all()
    assert {pool: embedder.dim for pool, embedder in made.items()} == {"mean": 64, "cls": 64, "meanstd": 128}


def test_vectors_are_read_back_by_frame_id(tmp_path):
    ids, vectors = np.array(["a:0", "a:1", "b:0"], object), np.arange(6, dtype=np.float32).reshape(3, 2)
    tables.write(tmp_path / "f.h5", embedders.FEATURES_FORMAT, {"frame_id": ids, "vectors": vectors}, {})
    embedder = embedders.load(f"vectors:{tmp_path / 'f.h5'}")
    assert np.array_equal(embedder.lookup(["b:0", "a:0"]), vectors[[2, 0]])
    with pytest.raises(RequestError, match="1 of 2 frames have no vector"):
        embedder.lookup(["a:0", "c:9"])
    with pytest.raises(RequestError, match="come from a file"):
        embedder.embed(_frames(1))


@pytest.mark.parametrize(
    "spec, says",
    [
        ("", "give an encoder"),
        ("runs/none", "no such run directory"),
        ("tim:vit", "did you mean 'timm'"),
        ("vectors:none.h5", "no such file"),
        ("timm:vit_tiny_patch16_225", "timm has no such model"),
        ("timm:vit_tiny_patch16_224@none.pth", "no such checkpoint"),
        ("random:resnot50", "unknown model"),
    ],
)
def test_a_wrong_spec_is_one_sentence(spec, says):
    with pytest.raises(RequestError, match=says):
        embedders.load(spec, device="cpu")


def test_a_folder_without_weights_and_a_broken_file_are_refused(tmp_path):
    with pytest.raises(RequestError, match="no run directory"):
        embedders.load(str(tmp_path), device="cpu")
    (tmp_path / "x.pth").write_bytes(b"junk")
    with pytest.raises(RequestError, match="cannot be read as a checkpoint"):
        embedders.load(str(tmp_path / "x.pth"), device="cpu")


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(RequestError, match="devices of this kind"):
        embedders.load(NANO, device="cuda:63")


def test_timm_with_weights_from_a_file(tmp_path):
    import timm

    model = timm.create_model("vit_tiny_patch16_224", num_classes=5).eval()
    torch.save(model.state_dict(), tmp_path / "w.pth")
    embedder = embedders.load(f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}", device="cpu")
    frames = _frames(2)
    x = torch.from_numpy(embedder.prepare(frames)) / 255
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.inference_mode():
        expected = model.forward_features((x - mean) / std)[:, 1:].mean(1).numpy()
    assert np.abs(embedder.embed(frames) - expected).max() < 1e-5
    torch.save({"head.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(RequestError, match="choose the model that the file was made for"):
        embedders.load(f"timm:vit_tiny_patch16_224@{tmp_path / 'other.pth'}", device="cpu")


@pytest.mark.parametrize(
    "columns, says",
    [
        ({"vectors": np.ones((2, 3))}, "no column 'frame_id'"),
        ({"frame_id": ["a", "b"]}, "no column 'vectors'"),
        ({"frame_id": ["a", "b"], "vectors": np.ones(2)}, "expected n texts in frame_id"),
        ({"frame_id": ["a", "b"], "vectors": np.ones((3, 2))}, "expected n texts in frame_id"),
        ({"frame_id": ["a", "b"], "vectors": ["x", "y"]}, "expected n texts in frame_id"),
        ({"frame_id": np.arange(2), "vectors": np.ones((2, 3))}, "expected n texts in frame_id"),
        ({"frame_id": ["a", "a"], "vectors": np.ones((2, 3))}, "1 of its frame_ids occur more than once"),
    ],
)
def test_vectors_that_do_not_fit_are_one_sentence(tmp_path, columns, says):
    tables.write(tmp_path / "v.h5", embedders.FEATURES_FORMAT, columns, {})
    with pytest.raises(RequestError, match=says):
        embedders.load(f"vectors:{tmp_path / 'v.h5'}")
