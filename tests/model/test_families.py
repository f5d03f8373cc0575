"""Files of others load right or not at all: stand-ins with the exact key layout of each family, held to timm's own."""

import numpy as np
import pytest
import torch

from usfm.errors import RequestError
from usfm.model import embedders, families, files
from usfm.model.device import choose_device
from usfm.model.spec import Told, split

FRAMES = [np.random.default_rng(k).integers(0, 256, (40, 60), np.uint8) for k in range(2)]
SMALL = {"num_classes": 0, "embed_dim": 64, "depth": 2, "global_pool": "avg"}


def made(name, **keywords):
    """timm's own model, small, with weights that all matter."""
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, pretrained=False, **{**SMALL, **keywords}).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.02, 0.2)
    return model


def named(state, *changes):
    for old, new in changes:
        state = {name.replace(old, new): value for name, value in state.items()}
    return state


def dinov2_of_meta(state):
    place = torch.randn(1, 1, 64)
    whole = {"mask_token": torch.zeros(1, 64), **named(state, ("reg_token", "register_tokens"))}
    whole["pos_embed"] = torch.cat([place, state["pos_embed"]], dim=1)
    return {**whole, "cls_token": state["cls_token"] - place}


def dinov3_of_meta(state):
    whole = named(state, ("gamma_1", "ls1.gamma"), ("gamma_2", "ls2.gamma"), ("reg_token", "storage_tokens"))
    for i in range(2):
        whole[f"blocks.{i}.attn.qkv.bias"] = torch.zeros(192)
        whole[f"blocks.{i}.attn.qkv.bias_mask"] = torch.full((192,), torch.nan)
    return {**whole, "rope_embed.periods": torch.ones(16), "mask_token": torch.zeros(1, 64)}


def dinov3_with_biases(state):
    whole = dinov3_of_meta({name: value for name, value in state.items() if not name.endswith(("q_bias", "v_bias"))})
    for i in range(2):
        q, v = (state[f"blocks.{i}.attn.{part}_bias"] for part in "qv")
        whole[f"blocks.{i}.attn.qkv.bias"] = torch.cat([q, torch.full_like(q, torch.nan), v])
    return whole


def as_it_is(state):
    return state


def beside(prefix, **more):
    return lambda state: {**{f"{prefix}{name}": value for name, value in state.items()}, **more}


def of_sam(state):
    return beside("image_encoder.", **{"mask_decoder.x": torch.zeros(2)})(named(state, ("mlp.fc", "mlp.lin")))


def teacher(state):
    both = {"student": {f"module.backbone.{k}": 0 * v for k, v in state.items()}}
    return {**both, "teacher": {f"module.backbone.{k}": v for k, v in state.items()}, "epoch": 3}


def of_mmdet(state):
    whole = named(
        state, ("blocks.", "layers."), ("norm1", "ln1"), ("norm2", "ln2"), ("mlp.fc1", "ffn.layers.0.0"),
        ("mlp.fc2", "ffn.layers.1"), ("patch_embed.proj", "patch_embed.projection"), ("neck.", "channel_reduction."),
    )  # fmt: skip
    whole = beside("backbone.", **{"bbox_head.weight": torch.zeros(3)})(whole)
    return {"state_dict": whole, "meta": {"epoch": 3}}


def three_of(state, block, names):
    """Queries, keys and values of one block by three names."""
    found = {}
    for kind in ("weight", "bias"):
        whole = state.pop(f"{block}.attn.qkv.{kind}", None)
        if whole is not None:
            parts = zip(names, whole.chunk(3), strict=True)
            found |= {f"{name}.{kind}": part for name, part in parts}
    return found


def of_transformers(prefix, **more):
    """As transformers' ViT and BEiT name them."""

    def layout(state):
        state = dict(state)
        whole = {}
        for i in range(2):
            inner = f"encoder.layer.{i}.attention.attention"
            whole |= three_of(state, f"blocks.{i}", [f"{inner}.{name}" for name in ("query", "key", "value")])
            for name, their in (("q_bias", "query.bias"), ("v_bias", "value.bias")):
                if f"blocks.{i}.attn.{name}" in state:
                    whole[f"{inner}.{their}"] = state.pop(f"blocks.{i}.attn.{name}")
        rest = named(
            state, ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
            ("cls_token", "embeddings.cls_token"), ("pos_embed", "embeddings.position_embeddings"),
            ("attn.proj", "attention.output.dense"),
            ("norm1", "layernorm_before"), ("norm2", "layernorm_after"), ("mlp.fc1", "intermediate.dense"),
            ("mlp.fc2", "output.dense"), ("gamma_", "lambda_"), ("rel_pos_bias.", "encoder.relative_position_bias."),
            ("blocks.", "encoder.layer."), ("fc_norm", "pooler.layernorm"),
        )  # fmt: skip
        rest = {("layernorm" + k[4:] if k.startswith("norm.") else k): v for k, v in rest.items()}
        return beside(prefix, **more)({**whole, **rest})

    return layout


def of_open_clip(state):
    pairs = (
        ("patch_embed.proj", "conv1"), ("norm_pre", "ln_pre"), ("attn.qkv.", "attn.in_proj_"),
        ("attn.proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"), (".norm1", ".ln_1"),
        (".norm2", ".ln_2"), ("blocks.", "transformer.resblocks."),
    )  # fmt: skip
    whole = named(state, *pairs)
    whole = {("ln_post" + k[4:] if k.startswith("norm.") else k): v for k, v in whole.items()}
    whole["class_embedding"] = whole.pop("cls_token").reshape(-1)
    whole["positional_embedding"] = whole.pop("pos_embed")[0]
    text = {"positional_embedding": torch.zeros(77, 8), "transformer.resblocks.0.ln_1.bias": torch.ones(8)}
    return beside("visual.", **text, **{"logit_scale": torch.ones(()), "visual.proj": torch.ones(64, 32)})(whole)


V2 = {"img_size": 56, "num_heads": 2, "fc_norm": False}
SHARED = {"use_shared_rel_pos_bias": True, "use_rel_pos_bias": False, "img_size": 64, "num_heads": 2}
SAM = {"img_size": 256, "num_heads": 2, "global_attn_indexes": [1], "global_pool": "avg"}
CASES = {
    "dinov2": ("vit_small_patch14_dinov2", V2, teacher, "?heads=2"),
    "dinov2, registers": ("vit_small_patch14_reg4_dinov2", V2, as_it_is, "?heads=2"),
    "dinov2, registers of Meta": ("vit_small_patch14_reg4_dinov2", V2, dinov2_of_meta, "?heads=2"),
    "dinov3": ("vit_small_patch16_dinov3", {"num_heads": 1}, as_it_is, "?heads=1"),
    "dinov3 of Meta": ("vit_small_patch16_dinov3", {"num_heads": 1}, dinov3_of_meta, ""),
    "dinov3 of Meta, biases": ("vit_small_patch16_dinov3_qkvb", {"num_heads": 1}, dinov3_with_biases, ""),
    "usfm": ("beit_base_patch16_224", SHARED, as_it_is, ""),
    "beit": ("beit_base_patch16_224", {"img_size": 64, "num_heads": 4}, beside("model."), ""),
    "tinyusfm": (
        "vit_tiny_patch16_224",
        {"embed_dim": 192, "num_heads": 12, "img_size": 32},
        beside("module.model."),
        "?heads=12",
    ),
    "sam": ("samvit_base_patch16", SAM, of_sam, ""),
    "biomedclip": (
        "vit_base_patch16_224",
        {"img_size": 32, "num_heads": 4, "fc_norm": False},
        beside(
            "state_dict.visual.trunk.", **{"visual.head.proj.weight": torch.zeros(512, 64), "text.x": torch.ones(2)}
        ),
        "?heads=4",
    ),
    "ultrasam": ("samvit_base_patch16", SAM, of_mmdet, ""),
    "medsam": ("samvit_base_patch16", SAM, of_sam, "?family=medsam"),
    "vit-mae of transformers": (
        "vit_base_patch16_224",
        {"img_size": 32, "num_heads": 2, "fc_norm": False},
        of_transformers("vit.", **{"decoder.mask_token": torch.zeros(1, 1, 8)}),
        "",
    ),
    "usfm of transformers": ("beit_base_patch16_224", SHARED, of_transformers(""), ""),
    "beit of transformers": (
        "beit_base_patch16_224",
        {"img_size": 64, "num_heads": 4, "use_shared_rel_pos_bias": True, "use_rel_pos_bias": False},
        of_transformers("beit.", **{"classifier.weight": torch.zeros(2, 64)}),
        "?family=usfm",
    ),
    "fetalclip": (
        "vit_base_patch16_clip_224",
        {"img_size": 32, "num_heads": 4, "fc_norm": False},
        of_open_clip,
        "?heads=4",
    ),
    "qk-norm": ("vit_base_patch16_224", {"img_size": 32, "qk_norm": True, "num_heads": 4}, as_it_is, ""),
}


def written(path, case):
    name, keywords, layout, told = CASES[case]
    model = made(name, **keywords)
    torch.save(layout(model.state_dict()), path)
    if case == "ultrasam":  # its authors take the map before the neck
        model.neck = torch.nn.Identity()
    return model, f"{path}{told}"


@pytest.mark.parametrize("case", CASES)
def test_the_features_are_timms_own(tmp_path, case):
    model, spec = written(tmp_path / "w.pth", case)
    embedder = embedders.load(spec, device="cpu")
    mean, std = (torch.tensor(embedder.identity[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    images = torch.from_numpy(embedder.prepare(FRAMES)) / 255
    if case == "medsam":  # each frame from 0 to 1
        images = torch.stack([(image - image.min()) / (image.max() - image.min()) for image in images])
    with torch.inference_mode():
        expected = model((images - mean) / std).numpy()
    assert np.abs(embedder.embed(FRAMES) - expected).max() < 1e-5
    assert np.abs(expected[0] - expected[1]).max() > 1e-3
    assert embedder.identity["resize"] == ("stretch" if case in STRETCHED else "letterbox")
    assert embedder.identity["heads"] == model.blocks[0].attn.num_heads
    assert embedder.identity["norm"] == ("after the pool" if case in NORM_AFTER else "before the pool")


NORM_AFTER = ("usfm", "beit", "tinyusfm", "qk-norm", "usfm of transformers", "beit of transformers")
STRETCHED = ("usfm", "tinyusfm", "medsam", "usfm of transformers", "beit of transformers")
NESTED = ("dinov2", "ultrasam")
RENAMED = ("vit-mae of transformers", "usfm of transformers", "beit of transformers", "fetalclip")


@pytest.mark.parametrize("case", [case for case in CASES if case not in (*NESTED, *RENAMED)])
def test_a_file_with_a_part_missing_left_over_or_not_finite_is_refused(tmp_path, case):
    path = tmp_path / "w.pth"
    _, spec = written(path, case)
    whole = torch.load(path, weights_only=True)
    block = [name for name in whole if ".1." in name and not name.endswith(("qkv.bias", "bias_mask"))]
    for name in (block[0], block[-1]):
        for value in (None, torch.full_like(whole[name], torch.inf)):
            torch.save({k: value if k == name else v for k, v in whole.items() if k != name or value is not None}, path)
            with pytest.raises(RequestError, match=r"w\.pth"):
                embedders.load(spec, device="cpu")
    torch.save({**whole, block[0].rpartition(".")[0] + ".lora": torch.zeros(3)}, path)
    with pytest.raises(RequestError, match=r"lora and 0 more tensors have no place"):
        embedders.load(spec, device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vit_tiny_patch16_dinov3_qkvb", "vit_tiny_patch16_224"])
def test_a_model_by_name_takes_metas_file_or_refuses_and_names_the_nearest(tmp_path, name):
    whole = {"embed_dim": 192, "depth": 12, "num_heads": 3}
    model = made("vit_tiny_patch16_dinov3_qkvb", **whole)
    state = named(model.state_dict(), ("gamma_1", "ls1.gamma"), ("gamma_2", "ls2.gamma"))
    state = named(state, ("reg_token", "storage_tokens"))
    for i in range(12):
        q, v = (state.pop(f"blocks.{i}.attn.{part}_bias") for part in "qv")
        state[f"blocks.{i}.attn.qkv.bias"] = torch.cat([q, 0 * q, v])
    torch.save(state, tmp_path / "w.pth")
    if "dinov3" not in name:
        with pytest.raises(RequestError, match="looks like DINOv3"):
            embedders.load(f"timm:{name}@{tmp_path / 'w.pth'}", device="cpu")
        return
    embedder = embedders.load(f"timm:{name}@{tmp_path / 'w.pth'}", device="cpu")
    mean, std = (torch.tensor(embedder.identity[name]).view(1, -1, 1, 1) for name in ("mean", "std"))
    with torch.inference_mode():
        expected = model((torch.from_numpy(embedder.prepare(FRAMES)) / 255 - mean) / std).numpy()
    assert np.abs(embedder.embed(FRAMES) - expected).max() < 1e-5


@pytest.mark.parametrize("width", [80, 192])
def test_heads_are_never_guessed_where_they_are_not_known(tmp_path, width):
    from usfm.model.vit import build_encoder

    encoder = build_encoder("vit_tiny_patch16_32", embed_dim=width, depth=1, num_heads=4, in_chans=3).eval()
    torch.save(encoder.state_dict(), tmp_path / "w.pth")
    with pytest.raises(RequestError, match="heads"):
        embedders.load(str(tmp_path / "w.pth"), device="cpu")
    embedder = embedders.load(f"{tmp_path / 'w.pth'}?heads=4", device="cpu")
    with torch.inference_mode():
        expected = encoder.features(encoder.normalise(torch.from_numpy(embedder.prepare(FRAMES)))).numpy()
    assert np.abs(embedder.embed(FRAMES) - expected).max() < 1e-5
    assert "4 heads as told" in embedder.identity["loaded"]


@pytest.mark.parametrize(
    "names, taken",
    [
        (["student.backbone.", "teacher.backbone."], "teacher.backbone."),
        (["model.", "model_ema.module."], "model_ema.module."),
        (["encoder.", "target_encoder."], "target_encoder."),
        (["", "momentum."], ""),
        (["left.", "right."], None),
    ],
)
def test_of_several_networks_the_averaged_one_is_taken_or_the_user_names_one(tmp_path, names, taken):
    torch.save({f"{name}{files.PROJECTION}": torch.full((1, 1, 2, 2), float(k)) for k, name in enumerate(names)},
               tmp_path / "w.pth")  # fmt: skip
    if taken is None:
        with pytest.raises(RequestError, match=r"several networks \(left\.\*, right\.\*\)"):
            files.read(tmp_path / "w.pth")
        taken = "right."
        found = files.read(tmp_path / "w.pth", prefix=taken)
    else:
        found = files.read(tmp_path / "w.pth")
    assert found.prefix == taken
    assert found.tensors[files.PROJECTION][0, 0, 0, 0] == names.index(taken)


@pytest.mark.parametrize("device", ["cpu:x", "cpu:1", "cpu:", "cpu:-1", "gpu", "cuda:x", ""])
def test_a_device_is_there_or_refused(device):
    assert str(choose_device("cpu:0")) == "cpu:0"
    with pytest.raises(RequestError, match="--device"):
        choose_device(device)


@pytest.mark.parametrize("told", ["head=3", "heads=x", "heads=0", "mean=200", "std=0,0,0", "norm=yes"])
def test_what_is_told_wrongly_is_refused(told):
    with pytest.raises(RequestError, match=r"w\.pth"):
        split(f"w.pth?{told}")
    assert split("w.pth?heads=3&px=98&mean=.5&std=0.1,0.2,0.3") == ("w.pth", Told(3, 98, (0.5,), (0.1, 0.2, 0.3)))


def test_stretching_fills_the_square_and_is_part_of_the_identity():
    made = {how: embedders.load("random:vit_nano_patch16_64", device="cpu", resize=how) for how in embedders.RESIZES}
    frame = np.full((40, 160), 200, np.uint8)
    assert (made["stretch"].prepare([frame]) == 200).all()
    assert (made["letterbox"].prepare([frame]) == 0).mean() > 0.5
    assert made["stretch"].identity != made["letterbox"].identity


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["convnext_atto", "hiera_tiny_224", "efficientnet_b0", "deit3_small_patch16_224", "eva02_tiny_patch14_224"]
)
def test_every_kind_of_model_in_timm_reads_its_own_file_and_is_fed_as_timm_does(tmp_path, name):
    import timm

    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3).eval()
    torch.save({"model": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "w.pth")
    embedder = embedders.load(f"timm:{name}@{tmp_path / 'w.pth'}", device="cpu", pool="cls")
    cfg = model.pretrained_cfg
    assert np.allclose(embedder.identity["mean"], cfg["mean"])
    images = torch.from_numpy(embedder.prepare(FRAMES)) / 255
    images = (images - torch.tensor(cfg["mean"]).view(1, -1, 1, 1)) / torch.tensor(cfg["std"]).view(1, -1, 1, 1)
    with torch.inference_mode():
        tokens = model.forward_features(images)
        expected = model.forward_head(tokens, pre_logits=True)
        if hasattr(model, "num_prefix_tokens") and tokens.ndim == 3 and model.num_prefix_tokens:
            expected = model.fc_norm(tokens[:, 0])
    assert np.abs(embedder.embed(FRAMES) - expected.numpy()).max() < 1e-5


def test_names_that_only_timm_knows_are_handed_to_it_without_their_containers(tmp_path):
    tensors = {"visual.class_embedding": torch.zeros(3), "visual.conv1.weight": torch.zeros(2)}
    torch.save({"state_dict": {f"module.{k}": v for k, v in tensors.items()}, "epoch": 3}, tmp_path / "w.pth")
    found = files.read(tmp_path / "w.pth", ["cls_token", files.PROJECTION])
    assert set(found.tensors) == set(tensors)


def test_weights_in_whole_numbers_are_refused(tmp_path):
    from usfm.model.vit import build_encoder

    state = build_encoder("vit_nano_patch16_32", depth=1).state_dict()
    torch.save({**state, "norm.bias": torch.ones(64, dtype=torch.int8)}, tmp_path / "w.pth")
    with pytest.raises(RequestError, match="whole numbers"):
        embedders.load(str(tmp_path / "w.pth"), device="cpu")


# ---------------------------------------------------------------- families that share tensors, or have another network


def plain_vit():
    from usfm.model.vit import build_encoder

    torch.manual_seed(0)
    encoder = build_encoder("vit_nano_patch16_32", depth=2, in_chans=3).eval()
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter, 0.02, 0.2)
    return encoder


def cross(width, **more):
    return {
        "mask_token": torch.zeros(1, 1, 32), "decoder_pos_embed": torch.zeros(1, 5, 32),
        "decoder_blocks.0.cross_attn.q.weight": torch.ones(32, 32),
        "decoder_blocks.0.cross_attn.kv.weight": torch.ones(64, width), "decoder_blocks.0.norm1.weight": torch.ones(32),
        "decoder_pred.weight": torch.ones(768, 32), **more,
    }  # fmt: skip


BUFFERS = {"hog.weight_x": torch.ones(3, 1, 3, 3), "hog.gkern": torch.ones(16, 16)}
DECODED = {
    "mae": {"mask_token": torch.zeros(1, 1, 32), "decoder_blocks.0.attn.qkv.weight": torch.ones(96, 32)},
    "crossmae": cross(64, **{"wfm.linear.weight": torch.ones(1, 3), "dec_norms.0.weight": torch.ones(64)}),
    "selectivemae": cross(64, **BUFFERS, **{"decoder_embed1.weight": torch.ones(32, 64)}),
    "polarmae": cross(32, **BUFFERS, **{"decoder_embed1.weight": torch.ones(32, 64)}),
    "localmim": {
        **{f"norm.{k}.{kind}": torch.full((64,), float(k)) for k in range(3) for kind in ("weight", "bias")},
        "decoder.0.mask_token": torch.zeros(1, 1, 32), "hog_enc.0.conv.weight": torch.ones(1),
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", DECODED)
def test_masked_autoencoders_are_told_apart_by_their_decoders_and_read_alike(tmp_path, kind):
    encoder = plain_vit()
    state = encoder.state_dict()
    if kind == "crossmae":
        torch.nn.init.ones_(encoder.norm.weight), torch.nn.init.zeros_(encoder.norm.bias)
        state = {name: value for name, value in state.items() if not name.startswith("norm.")}
    if kind == "localmim":
        state = {(f"norm.3.{k[5:]}" if k.startswith("norm.") else k): v for k, v in state.items()}
    torch.save({"model": {**state, **DECODED[kind]}, "epoch": 3}, tmp_path / "w.pth")
    embedder = embedders.load(str(tmp_path / "w.pth"), device="cpu")
    assert families.of(files.read(tmp_path / "w.pth")) == kind
    with torch.inference_mode():
        expected = encoder.features(encoder.normalise(torch.from_numpy(embedder.prepare(FRAMES)))).numpy()
    assert np.abs(embedder.embed(FRAMES) - expected).max() < 1e-5


def test_medclips_swin_is_read_without_its_package(tmp_path):
    import timm

    torch.manual_seed(0)
    small = {"embed_dim": 24, "depths": (2, 2), "num_heads": (2, 4), "num_classes": 0}
    model = timm.create_model("swin_tiny_patch4_window7_224", **small).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, 0.02, 0.2)
    state, whole = dict(model.state_dict()), {}
    for block in [f"layers.{stage}.blocks.{i}" for stage in range(2) for i in range(2)]:
        inner = f"encoder.{block}.attention.self"
        whole |= three_of(state, block, [f"{inner}.{name}" for name in ("query", "key", "value")])
    pairs = (
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"), ("patch_embed.norm", "embeddings.norm"),
        ("norm1", "layernorm_before"), ("norm2", "layernorm_after"), ("attn.proj", "attention.output.dense"),
        ("attn.relative", "attention.self.relative"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"),
        ("layers.1.downsample", "layers.0.downsample"),  # a stage ends with it there, and begins with it in timm
    )  # fmt: skip
    rest = {f"encoder.{k}" if k.startswith("layers") else k: v for k, v in named(state, *pairs).items()}
    rest = {("layernorm" + k[4:] if k.startswith("norm.") else k): v for k, v in rest.items()}
    others = {
        "vision_model.projection_head.weight": torch.ones(512, 48),
        "text_model.x": torch.ones(1),
        "logit_scale": torch.ones(()),
    }
    torch.save({**{f"vision_model.model.{k}": v for k, v in {**whole, **rest}.items()}, **others}, tmp_path / "w.bin")
    (tmp_path / "w.bin").rename(tmp_path / "w.pth")
    embedder = embedders.load(str(tmp_path / "w.pth"), device="cpu")
    images = torch.from_numpy(embedder.prepare(FRAMES)) / 255
    with torch.inference_mode():
        expected = model((images - 0.5862785803043838) / 0.27950088968644304).numpy()
    assert np.abs(embedder.embed(FRAMES) - expected).max() < 1e-5
    assert embedder.identity["family"] == "MedCLIP (Swin-T)"


@pytest.mark.parametrize(
    "name, told, title",
    [
        ("medsam_vit_b.pth", "", "MedSAM"),
        ("lvmmed_vit.pth", "", "LVM-Med (ViT)"),
        ("sam_vit_b.pth", "", "SAM"),
        ("x.pth", "?family=medsam", "MedSAM"),
    ],
)
def test_those_of_sams_tensors_are_told_apart_by_name(tmp_path, name, told, title):
    torch.save(of_sam(made("samvit_base_patch16", **SAM).state_dict()), tmp_path / name)
    identity = embedders.load(f"{tmp_path / name}{told}", device="cpu").identity
    assert identity["family"] == title
    assert identity.get("scale") == ("frame" if title == "MedSAM" else None)
    assert identity["resize"] == ("stretch" if title == "MedSAM" else "letterbox")
    assert ("by the file's name" in identity["loaded"]) == (title in ("MedSAM", "LVM-Med (ViT)") and not told)


def test_frames_are_blurred_for_an_encoder_that_learnt_on_blurred_ones(tmp_path):
    from scipy.ndimage import gaussian_filter

    encoder = plain_vit()
    for name in ("plain.pth", "deblur_mae.pth"):
        torch.save(encoder.state_dict(), tmp_path / name)
    plain, blurred = (embedders.load(str(tmp_path / name), device="cpu") for name in ("plain.pth", "deblur_mae.pth"))
    batch = blurred.prepare(FRAMES)
    soft = np.stack([[gaussian_filter(c.astype(np.float64), 1.1, mode="mirror", radius=4) for c in x] for x in batch])
    with torch.inference_mode():
        expected = encoder.features(encoder.normalise(torch.from_numpy(soft.astype(np.float32)))).numpy()
    assert np.abs(blurred.embed(FRAMES) - expected).max() < 1e-4
    assert np.abs(blurred.embed(FRAMES) - plain.embed(FRAMES)).max() > 1e-3
    assert "blur_px" not in plain.identity
    assert "Deblurring MAE by the name of the file" in blurred.identity["loaded"]


@pytest.mark.parametrize("told, says", [("medsan", "did you mean 'medsam'"), ("medsam", "looks like MAE"), ("mae", "")])
def test_a_family_that_cannot_be_is_refused(tmp_path, told, says):
    torch.save(plain_vit().state_dict(), tmp_path / "w.pth")
    if says:
        with pytest.raises(RequestError, match=says):
            embedders.load(f"{tmp_path / 'w.pth'}?family={told}", device="cpu")
    else:
        embedders.load(f"{tmp_path / 'w.pth'}?family={told}", device="cpu")


@pytest.mark.parametrize("case", RENAMED)
def test_renamed_tensors_that_are_missing_or_do_not_fit_are_one_sentence(tmp_path, case):
    path = tmp_path / "w.pth"
    _, spec = written(path, case)
    whole = torch.load(path, weights_only=True)
    block = [name for name in whole if ".1." in name]
    for name in (block[0], block[-1]):
        for value in (None, torch.full_like(whole[name], torch.inf), torch.ones(3)):
            torch.save({k: value if k == name else v for k, v in whole.items() if k != name or value is not None}, path)
            with pytest.raises(RequestError, match=r"w\.pth"):
                embedders.load(spec, device="cpu")


def test_every_family_says_whose_it_is():
    for key, family in families.FAMILIES.items():
        assert family.title, key
        assert family.licence, key
        assert family.source, key
        assert (family.marks is None) == bool(family.like), key
        assert bool(family.names) == bool(family.like), key
        assert family.like in ("", *families.FAMILIES)


ODD = {
    "open_clip, no shape": {"visual.class_embedding": torch.zeros(()), "visual.conv1.weight": torch.zeros(())},
    "open_clip, a vector": {"visual.class_embedding": torch.zeros(3), "visual.conv1.weight": torch.zeros(2)},
    "swin, parts that do not fit": {
        "encoder.layers.0.blocks.0.attention.self.query.weight": torch.zeros(()),
        "encoder.layers.0.blocks.0.attention.self.key.weight": torch.zeros(2),
        "encoder.layers.0.blocks.0.attention.self.value.weight": torch.zeros(2, 3),
    },
    "swin, one block": {
        "encoder.layers.0.blocks.0.attention.self.query.weight": torch.zeros(4, 4),
        "embeddings.patch_embeddings.projection.weight": torch.zeros(4, 3, 4, 4),
    },
    "swin, a stage far away": {
        "encoder.layers.0.blocks.0.attention.self.query.weight": torch.zeros(4, 4),
        "encoder.layers.999.blocks.999.attention.self.relative_position_bias_table": torch.zeros(9, 1),
        "encoder.layers.0.blocks.0.attention.self.relative_position_bias_table": torch.zeros(10**5, 1),
        "embeddings.patch_embeddings.projection.weight": torch.zeros(4, 3, 4, 4),
    },
    "transformers, no keys": {
        "embeddings.patch_embeddings.projection.weight": torch.zeros(4, 3, 4, 4),
        "encoder.layer.0.attention.attention.query.weight": torch.zeros(4, 4),
    },
    "mmdetection, no shape": {
        "backbone.layers.0.ffn.layers.0.0.weight": torch.zeros(()),
        "backbone.patch_embed.projection.weight": torch.zeros(()),
    },
    "mmdetection, one tensor": {
        "backbone.layers.0.ffn.layers.0.0.weight": torch.zeros(8, 4),
        "backbone.layers.0.attn.rel_pos_h": torch.zeros(3, 2),
        "backbone.patch_embed.projection.weight": torch.zeros(4, 3, 4, 4),
    },
    "a projection without a shape": {files.PROJECTION: torch.zeros(())},
}


@pytest.mark.parametrize("case", ODD)
def test_odd_files_under_others_names_are_one_sentence(tmp_path, case):
    torch.save(ODD[case], tmp_path / "w.pth")
    for spec in (f"{tmp_path / 'w.pth'}", f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}"):
        with pytest.raises(RequestError, match=r"w\.pth"):
            embedders.load(spec, device="cpu")
