"""Readers of UltraDINO, LVM-Med's ResNet, TinyUSFM and the projections of image-text models, each against a network
that somebody else wrote (torchvision's, transformers') or that is written out here."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from usfm.errors import RequestError
from usfm.model import embedders
from usfm.model.tensors import joined

FRAMES = [np.random.default_rng(k).integers(0, 256, (40, 60), np.uint8) for k in range(2)]


def strong(model):
    """Weights that all matter."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.02, 0.2)
    return model.eval()


def fed(embedder):
    mean, std = (torch.tensor(embedder.identity[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    return (torch.from_numpy(embedder.prepare(FRAMES)) / 255 - mean) / std


def alike(embedder, expected):
    given = embedder.embed(FRAMES)
    assert given.shape == expected.shape
    assert np.abs(given - expected.numpy()).max() < 1e-5 * max(1.0, expected.abs().max().item())
    assert (expected[0] - expected[1]).abs().max() > 1e-3


# ---------------------------------------------------------------- UltraDINO

D, HEADS, DEPTH, SIDE = 384, 6, 3, 4


def dino(registers, patch):
    """A small one-channel DINOv2 in Meta's layout."""
    torch.manual_seed(1)

    def value(*shape):
        return 0.05 * torch.randn(*shape)

    state = {"cls_token": value(1, 1, D), "pos_embed": value(1, 1 + SIDE**2, D), "mask_token": value(1, D)}
    state |= {"register_tokens": value(1, registers, D)} if registers else {}
    state |= {"patch_embed.proj.weight": value(D, 1, patch, patch), "patch_embed.proj.bias": value(D)}
    for i in range(DEPTH):
        for name, shape in (("norm1", ()), ("attn.qkv", (3 * D, D)), ("attn.proj", (D, D)), ("norm2", ()),
                            ("mlp.fc1", (4 * D, D)), ("mlp.fc2", (D, 4 * D))):  # fmt: skip
            state[f"blocks.{i}.{name}.weight"] = value(*shape) if shape else 1 + value(D)
            state[f"blocks.{i}.{name}.bias"] = value(shape[0] if shape else D)
        state |= {f"blocks.{i}.ls{k}.gamma": 1 + value(D) for k in (1, 2)}
    return {**state, "norm.weight": 1 + value(D), "norm.bias": value(D)}


def dino_forward(t, x, registers):
    """DINOv2's forward pass, written out: class token and patches with positions, then registers without."""
    tokens = F.conv2d(x, t["patch_embed.proj.weight"], t["patch_embed.proj.bias"], stride=x.shape[2] // SIDE)
    tokens = torch.cat([t["cls_token"].expand(len(x), -1, -1), tokens.flatten(2).transpose(1, 2)], 1) + t["pos_embed"]
    if registers:
        tokens = torch.cat([tokens[:, :1], t["register_tokens"].expand(len(x), -1, -1), tokens[:, 1:]], 1)
    for i in range(DEPTH):
        b = {k.removeprefix(f"blocks.{i}."): v for k, v in t.items() if k.startswith(f"blocks.{i}.")}

        def norm(x, name, b=b):
            return F.layer_norm(x, (D,), b[f"{name}.weight"], b[f"{name}.bias"], 1e-6)

        def dense(x, name, b=b):
            return F.linear(x, b[f"{name}.weight"], b[f"{name}.bias"])

        q, k, v = dense(norm(tokens, "norm1"), "attn.qkv").unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        mixed = ((q @ k.transpose(-1, -2) / (D // HEADS) ** 0.5).softmax(-1) @ v).transpose(1, 2).flatten(2)
        tokens = tokens + b["ls1.gamma"] * dense(mixed, "attn.proj")
        tokens = tokens + b["ls2.gamma"] * dense(F.gelu(dense(norm(tokens, "norm2"), "mlp.fc1")), "mlp.fc2")
    return F.layer_norm(tokens, (D,), t["norm.weight"], t["norm.bias"], 1e-6)


def as_trained(state):
    """A training's checkpoint: blocks in chunks, teacher and student, heads beside them."""
    cut = {}
    for name, value in state.items():
        i = int(name.split(".")[1]) if name.startswith("blocks.") else 0
        cut[name.replace("blocks.", f"blocks.{i // 2}.")] = value
    return {
        "student": {f"backbone.{name}": 0 * value for name, value in cut.items()},
        "teacher": {
            **{f"backbone.{name}": value for name, value in cut.items()},
            "dino_head.mlp.0.bias": torch.ones(2),
        },
        "iteration": 3,
    }


@pytest.mark.parametrize("registers, patch, layout", [(0, 16, lambda state: {"model": state}), (4, 14, as_trained)])
def test_ultradino_reads_one_channel_with_its_own_mean(tmp_path, registers, patch, layout):
    state = dino(registers, patch)
    torch.save(layout(state), tmp_path / "w.pth")
    for pool in ("cls", "mean"):
        embedder = embedders.load(str(tmp_path / "w.pth"), device="cpu", pool=pool)
        assert (embedder.in_chans, embedder.image_size, embedder.resize) == (1, (patch * SIDE,) * 2, "stretch")
        assert embedder.identity["family"] == "UltraDINO"
        assert (embedder.identity["mean"], embedder.identity["std"]) == ([0.184292], [0.218771])
        tokens = dino_forward(state, fed(embedder), registers)
        alike(embedder, tokens[:, 0] if pool == "cls" else tokens[:, 1 + registers :].mean(1))


# ---------------------------------------------------------------- ResNet


def test_lvm_meds_resnet_is_torchvisions(tmp_path):
    from torchvision.models.resnet import Bottleneck, ResNet

    model = ResNet(Bottleneck, [1, 2, 1, 1])
    torch.manual_seed(0)
    for name, value in model.named_buffers():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if name.endswith("var") else 0.1 * torch.randn_like(value))
    model.eval()
    torch.save({f"module.{name}": value for name, value in model.state_dict().items()}, tmp_path / "lvmmed.torch")
    embedder = embedders.load(str(tmp_path / "lvmmed.torch"), device="cpu")
    assert embedder.identity["model"] == "resnet17"
    assert (embedder.dim, embedder.image_size) == (2048, (224, 224))
    model.fc = torch.nn.Identity()
    with torch.inference_mode():
        alike(embedder, model(fed(embedder)))


def test_a_resnet_with_a_part_missing_is_refused(tmp_path):
    from torchvision.models.resnet import Bottleneck, ResNet

    state = ResNet(Bottleneck, [1, 1, 1, 1]).state_dict()
    for gone, said in (("layer2.0.bn1.running_mean", "running_mean"), ("layer3.", "missing"), ("conv1.", "shape")):
        torch.save({name: v for name, v in state.items() if not name.startswith(gone)}, tmp_path / "w.pth")
        with pytest.raises(RequestError, match=said):
            embedders.load(str(tmp_path / "w.pth"), device="cpu")


# ---------------------------------------------------------------- projections


def medclip():
    """transformers' Swin and a projection, in MedCLIP's layout."""
    transformers = pytest.importorskip("transformers")
    model = strong(transformers.SwinModel(transformers.SwinConfig(embed_dim=24, depths=[2, 2], num_heads=[2, 4])))
    matrix = torch.randn(32, 48)
    names = (("attention.q_proj", "attention.self.query"), ("attention.k_proj", "attention.self.key"),
             ("attention.v_proj", "attention.self.value"), ("attention.o_proj", "attention.output.dense"),
             ("attention.relative_position_bias.", "attention.self."), ("mlp.fc1", "intermediate.dense"),
             ("mlp.fc2", "output.dense"))  # fmt: skip
    state = {}
    for name, value in model.state_dict().items():  # the library has other names by now than when MedCLIP was trained
        for new, old in names:
            name = name.replace(new, old)
        state[f"vision_model.model.{name}"] = value
    whole = {**state, "vision_model.projection_head.weight": matrix, "text_model.x": torch.ones(1)}
    return whole, lambda x: F.normalize(model(x).pooler_output @ matrix.T, dim=-1)


def biomedclip():
    import timm

    small = {"img_size": 32, "num_heads": 4, "embed_dim": 64, "depth": 2, "num_classes": 0}
    model, matrix = strong(timm.create_model("vit_base_patch16_224", **small)), torch.randn(32, 64)
    state = {f"visual.trunk.{name}": value for name, value in model.state_dict().items()}
    return {**state, "visual.head.proj.weight": matrix, "text.x": torch.ones(2)}, lambda x: model(x) @ matrix.T


def fetalclip():
    """transformers' CLIP tower, in open_clip's layout."""
    transformers = pytest.importorskip("transformers")
    config = transformers.CLIPVisionConfig(
        hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=16,
        projection_dim=32, hidden_act="gelu",
    )  # fmt: skip
    model = strong(transformers.CLIPVisionModelWithProjection(config))
    theirs, state = model.state_dict(), {}
    names = (("layer_norm", "ln_"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
             ("self_attn.out_proj", "attn.out_proj"), ("encoder.layers.", "transformer.resblocks."),
             ("pre_layrnorm", "ln_pre"), ("post_layernorm", "ln_post"))  # fmt: skip
    for name, value in theirs.items():
        inner = name.removeprefix("vision_model.")
        for old, new in names:
            inner = inner.replace(old, new)
        if "self_attn" not in inner and not inner.startswith(("embeddings.", "visual_projection")):
            state[f"visual.{inner}"] = value
    for i in range(2):
        for kind in ("weight", "bias"):
            parts = [theirs[f"vision_model.encoder.layers.{i}.self_attn.{each}_proj.{kind}"] for each in "qkv"]
            state[f"visual.transformer.resblocks.{i}.attn.in_proj_{kind}"] = torch.cat(parts)
    state["visual.class_embedding"] = theirs["vision_model.embeddings.class_embedding"]
    state["visual.positional_embedding"] = theirs["vision_model.embeddings.position_embedding.weight"]
    state["visual.conv1.weight"] = theirs["vision_model.embeddings.patch_embedding.weight"]
    state["visual.proj"] = theirs["visual_projection.weight"].T.contiguous()
    return {**state, "logit_scale": torch.ones(())}, lambda x: model(x).image_embeds


@pytest.mark.parametrize(
    ("made", "spec"),
    [
        (medclip, "medclip:{}"),
        (biomedclip, "openclip:{}?heads=4"),
        (fetalclip, "openclip:{}?heads=4"),
        (fetalclip, "{}?heads=4&projection=yes"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_projected_vectors_are_the_authors_own(tmp_path, made, spec):
    state, forward = made()
    torch.save(state, tmp_path / "w.pth")
    embedder = embedders.load(spec.format(tmp_path / "w.pth"), device="cpu")
    assert embedder.dim == 32
    assert "projected" in embedder.identity["pool"]
    with torch.inference_mode():
        alike(embedder, forward(fed(embedder)))


def test_a_projection_that_is_not_there_is_one_sentence(tmp_path):
    state, _ = biomedclip()
    del state["visual.head.proj.weight"]
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(RequestError, match="holds no projection"):
        embedders.load(f"openclip:{tmp_path / 'w.pth'}?heads=4", device="cpu")
    with pytest.raises(RequestError, match="other tensors than MedCLIP"):
        embedders.load(f"medclip:{tmp_path / 'w.pth'}?heads=4", device="cpu")
    with pytest.raises(RequestError, match="no such checkpoint file"):
        embedders.load("medclip:nowhere.bin", device="cpu")


# ---------------------------------------------------------------- TinyUSFM, joining


@pytest.mark.parametrize("name, told", [("TinyUSFM.pth", ""), ("w.pth", "?family=tinyusfm"), ("w.pth", "?heads=12")])
def test_tinyusfm_has_twelve_heads_where_its_name_says_so(tmp_path, name, told):
    import timm

    model = strong(timm.create_model("vit_tiny_patch16_224", num_heads=12, depth=2, img_size=32, num_classes=0,
                                     global_pool="avg"))  # fmt: skip
    torch.save({f"module.model.{name}": value for name, value in model.state_dict().items()}, tmp_path / name)
    embedder = embedders.load(f"{tmp_path / name}{told}", device="cpu")
    assert embedder.identity["heads"] == 12
    with torch.inference_mode():
        alike(embedder, model(fed(embedder)))
    (tmp_path / name).rename(tmp_path / "vit.pth")
    with pytest.raises(RequestError, match="heads"):
        embedders.load(str(tmp_path / "vit.pth"), device="cpu")


def test_three_parts_become_one_and_two_stay_apart():
    q, k, v = torch.ones(2, 2), 2 * torch.ones(2, 2), 3 * torch.ones(2, 2)
    found = joined({("b", "weight"): {"value": v, "query": q, "key": k}, ("b", "bias"): {"query": q[0], "value": v[0]}})
    assert found.keys() == {"b.attn.qkv.weight", "b.attn.q_bias", "b.attn.v_bias"}
    assert found["b.attn.qkv.weight"][:, 0].tolist() == [1, 1, 2, 2, 3, 3]
