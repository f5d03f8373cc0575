"""One network for any SPEC: what a frozen encoder gives is what a trained one starts from; layers, maps, adapters."""

import numpy as np
import pytest
import torch

from usfm.engine.optim import layer_factor
from usfm.errors import RequestError
from usfm.model import embedders, lora, sources
from usfm.model import network as network_module
from usfm.model.network import Network
from usfm.model.vit import DropPath

OURS, VIT, CNN = "random:vit_nano_patch16_64", "random:timm:vit_tiny_patch16_224", "random:resnet18"
SPECS = [OURS, VIT, CNN]


@pytest.fixture(scope="module")
def made():
    return {spec: sources.network(spec, image_size=64) for spec in SPECS}


def frames(n=2, chans=1, px=64):
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (n, chans, px, px), np.uint8))


def test_a_frozen_encoder_gives_what_the_network_gives():
    network = sources.network(OURS)
    given = embedders.load(OURS, device="cpu").embed([frame[0].numpy() for frame in frames()])
    assert np.array_equal(given, network(frames()).detach().numpy())


@pytest.mark.parametrize("spec", SPECS)
def test_vectors_and_maps_have_the_sizes_that_it_says(made, spec):
    network: Network = made[spec]
    assert network(frames()).shape == (2, network.dim)
    maps = network.maps(frames())
    for found, (channels, stride) in zip(maps, network.map_shapes(), strict=True):
        assert found.shape == (2, channels, 64 / stride, 64 / stride)
    assert len(maps) == 4
    assert network.map_shapes() == sorted(network.map_shapes(), key=lambda each: each[1])


@pytest.mark.parametrize("spec", SPECS)
def test_gray_and_colour_frames_enter_alike(made, spec):
    """Gray repeated is gray, whatever number of channels the network reads."""
    gray = frames()
    a, b = made[spec](gray), made[spec](gray.expand(-1, 3, -1, -1))
    assert torch.allclose(a, b, atol=2e-4)


@pytest.mark.parametrize("spec", [OURS, VIT])
@pytest.mark.parametrize("decay", [0.65, 1.0])
def test_layer_decay_is_maes_rule(made, spec, decay):
    network: Network = made[spec]
    depth = len(network.body.blocks)
    assert network.last_layer == depth + 1
    for name, _ in network.named_parameters():
        assert network.factor(name, decay) == pytest.approx(layer_factor(name.removeprefix("body."), depth, decay))


@pytest.mark.parametrize("spec, first, last, layers", [
    (CNN, "conv1.weight", "layer4.1.bn2.weight", 4), ("random:vgg11", "features.0.weight", "features.18.bias", 4),
])  # fmt: skip
def test_a_convolutional_network_has_a_layer_for_each_stage(spec, first, last, layers):
    network = sources.network(spec, image_size=64)
    assert network.last_layer >= layers
    factors = {name: network.factor(name, 0.5) for name, _ in network.named_parameters()}
    assert factors[f"body.{first}"] == min(factors.values()) == 0.5**network.last_layer
    assert factors[f"body.{last}"] >= 0.5
    assert sorted(factors.values()) == [factors[name] for name in factors], "no later parameter is trained less"


@pytest.mark.parametrize("spec", SPECS)
def test_dropped_paths_rise_to_the_rate_and_change_nothing_in_use(made, spec):
    network = sources.network(spec, image_size=64)
    network.drop_paths(0.3)
    rates = [getattr(part, "rate", getattr(part, "drop_prob", None)) for part in network.modules()
             if type(part).__name__ == DropPath.__name__]  # fmt: skip
    assert rates == sorted(rates)
    assert max(rates) == pytest.approx(0.3)
    assert torch.equal(network(frames()), made[spec](frames()))


def test_a_run_of_another_size_has_its_positions_interpolated(tmp_path):
    from usfm.model.checkpoint import save

    small = sources.network(OURS)
    save(tmp_path / "last", small.body.state_dict(), small.body.shape)
    (tmp_path / "card.json").write_text("{}")
    large = sources.network(str(tmp_path), image_size=96)
    assert large.entry.image_size == (96, 96)
    assert large.entry.identity["image_size"] == [96, 96]
    assert large(frames(px=96)).shape == (2, 64)
    with pytest.raises(RequestError, match="no multiple of the patch"):
        sources.network(str(tmp_path), image_size=65)


def test_vectors_of_a_file_are_nothing_to_train(tmp_path):
    (tmp_path / "v.h5").touch()
    with pytest.raises(RequestError, match="cannot be trained"):
        sources.network(f"vectors:{tmp_path / 'v.h5'}")


# ---------------------------------------------------------------- LoRA


def beit():
    """A small one, whose attention reads the weights of its layers itself."""
    import timm

    from usfm.model import foreign, network

    torch.manual_seed(0)
    model = timm.create_model("beit_base_patch16_224", img_size=64, depth=2, embed_dim=64, num_heads=2, num_classes=0)
    found = foreign.Network(model.eval(), (64, 64), 3, (0.5,) * 3, (0.5,) * 3, "stretch", {})
    return network.of_timm(found, "beit", {}, pool="mean", resize="auto").eval()


@pytest.mark.parametrize("spec", [OURS, VIT, "beit"])
def test_adapters_start_at_nothing_and_merge_into_a_plain_network(spec):
    network = beit() if spec == "beit" else sources.network(spec, image_size=64)
    px = 64
    names, before = dict(network.named_parameters()), network(frames(1, px=px)).detach()
    layers = lora.add(network)
    assert len(layers) == 4 * len(network.body.blocks)
    assert torch.allclose(network(frames(1, px=px)), before, atol=1e-6)
    for part in network.modules():
        if isinstance(part, lora.Low):
            torch.nn.init.normal_(part.up, std=0.02)
    trained = network(frames(1, px=px)).detach()
    assert not torch.allclose(trained, before, atol=1e-4)
    lora.merge(network)
    assert set(names) == {name for name, _ in network.named_parameters()}
    assert torch.allclose(network(frames(1, px=px)), trained, atol=1e-5)


def test_adapters_train_a_small_share_and_the_last_blocks_only_where_asked():
    network = sources.network("random:vit_small_patch16_224")
    lora.add(network)
    share, whole = lora.trained(network)
    assert share / whole < 0.05
    some = sources.network("random:vit_small_patch16_224")
    assert {int(name.split(".")[2]) for name in lora.add(some, last=6)} == set(range(6, 12))
    with pytest.raises(RequestError, match="no transformer blocks"):
        lora.add(sources.network(CNN))


@pytest.mark.parametrize("decay", [0.7])
def test_adapters_are_trained_as_their_layer_is(decay):
    network = sources.network(OURS)
    plain = {name: network.factor(name, decay) for name, _ in network.named_parameters()}
    lora.add(network)
    for name, _ in network.named_parameters():
        if "blocks.2." in name:
            assert network.factor(name, decay) == plain["body.blocks.2.norm1.weight"]


@pytest.mark.parametrize("pool", ["mean", "cls", "meanstd"])
@pytest.mark.parametrize("spec", [OURS, VIT])
def test_a_tap_takes_the_tokens_of_that_block_each_normed_by_itself(spec, pool):
    plain = sources.network(spec, image_size=64, pool=pool)
    maps = plain.maps(frames(), (1,))[0].detach().flatten(2).transpose(1, 2)
    tapped = network_module.tapped(sources.network(spec, image_size=64, pool=pool), 2)
    found = tapped(frames()).detach()
    assert found.shape == (2, tapped.dim)
    if pool != "cls":
        normed = torch.nn.functional.layer_norm(maps, maps.shape[-1:])
        assert torch.allclose(found[:, : maps.shape[-1]], normed.mean(1), atol=1e-5)
    else:
        assert torch.allclose(found.mean(1), torch.zeros(2), atol=1e-5)
    assert tapped.entry.identity == {**plain.entry.identity, "tap": 2}
    blocks = [name for name, p in tapped.named_parameters() if p.requires_grad and ".blocks." in name]
    assert {name.split(".")[2] for name in blocks} == {"0", "1"}
    assert network_module.tapped(plain, 0).entry.identity.get("tap") is None


@pytest.mark.parametrize("spec, pool, says", [
    (CNN, "mean", "is no transformer"),
    (OURS, "mean", "--tap 99: random has 4 blocks"),
    ("random:timm:vit_relpos_small_patch16_224", "cls", "no class token"),
])  # fmt: skip
def test_a_tap_that_there_is_not(spec, pool, says):
    with pytest.raises(RequestError, match=says):
        network_module.tapped(sources.network(spec, pool=pool), 99 if spec == OURS else 2)
