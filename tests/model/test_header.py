"""A weight file whose header lies is refused in one sentence, in little memory, and nothing in it is run."""

import json
import pickle
import resource
import shutil
import struct
import zipfile
from collections import OrderedDict

import pytest
import torch
from safetensors.torch import save_file

from usfm.errors import RequestError
from usfm.model import checkpoint, embedders, header
from usfm.model.vit import build_encoder


@pytest.fixture(scope="module")
def encoder():
    return build_encoder("vit_nano_patch16_64", depth=2, in_chans=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory, encoder):
    """One of our own files, and two of anybody's."""
    folder = tmp_path_factory.mktemp("made")
    checkpoint.save(folder / "last", encoder.state_dict(), encoder.shape)
    save_file({k: v.clone() for k, v in encoder.state_dict().items()}, folder / "plain.safetensors")
    torch.save({"model": encoder.state_dict()}, folder / "whole.pth")
    return folder


@pytest.fixture
def file(made, tmp_path):
    """A copy to be spoilt."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def _refused(path, says):
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RequestError, match=says) as caught:
        checkpoint.load_encoder(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 400_000  # kB


def _edited(path, change):
    """Rewrite the JSON header of a safetensors file."""
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    known = json.loads(data[8 : 8 + length])
    text = change(known)
    text = text if isinstance(text, bytes) else json.dumps(text if text is not None else known).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def _set(name, **values):
    return lambda known: known[name].update(values)


HEADERS = {
    "a type that is not known": (_set("cls_token", dtype="F7"), "of no type that is known"),
    "a shape of text": (_set("cls_token", shape="wide"), "the shape or the place"),
    "a negative side": (_set("cls_token", shape=[-1, 1, -64]), "the shape or the place"),
    "a true side": (_set("cls_token", shape=[True, 1, 64]), "the shape or the place"),
    "a shape too large": (_set("cls_token", shape=[1 << 40, 1 << 40]), "does not take the 256 bytes"),
    "a shape of zero": (_set("cls_token", shape=[0, 1, 64]), "does not take the 256 bytes"),
    "offsets that overlap": (_set("cls_token", data_offsets=[4, 260]), "begins at byte"),
    "offsets beyond the file": (_set("norm.weight", data_offsets=[1 << 40, (1 << 40) + 256]), "begins at byte"),
    "one offset": (_set("cls_token", data_offsets=[0]), "the shape or the place"),
    "metadata that are numbers": (lambda known: known.update(__metadata__={"a": 1}), "metadata of its header"),
    "metadata that are a list": (lambda known: known.update(__metadata__=[1]), "metadata of its header"),
    "no object": (lambda known: [1], "neither a safetensors file"),
    "no JSON": (lambda known: b'{"a": ', "its header is damaged"),
    "NaN": (lambda known: b'{"a": NaN}', "its header holds NaN"),
    "deep JSON": (lambda known: b'{"a":' + b"[" * 100_000, "its header is damaged"),
    "no UTF-8": (lambda known: b'{"\xff": 1}', "its header is damaged"),
    "a name twice": (lambda known: b'{"a": {}, "a": {}}', "something twice"),
    "many tensors": (lambda known: {str(k): 0 for k in range(600)}, "names 600 tensors"),
    "a tensor is a list": (lambda known: known.update(cls_token=[]), "of no type that is known"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_safetensors_headers_that_lie(file, case, monkeypatch):
    monkeypatch.setattr(header, "MOST_TENSORS", 500)
    change, says = HEADERS[case]
    _edited(file / "plain.safetensors", change)
    _refused(file / "plain.safetensors", says)


@pytest.mark.parametrize("claims", [0, 7, 1 << 30, 1 << 62])
def test_a_header_length_beyond_the_file(file, claims):
    data = (file / "plain.safetensors").read_bytes()
    (file / "plain.safetensors").write_bytes(struct.pack("<Q", claims) + data[8:])
    _refused(file / "plain.safetensors", "its header")


class _Code:
    def __reduce__(self):
        return (exec, ("raise SystemExit('it ran')",))


class _Bomb:
    def __reduce__(self):
        return (bytearray, (1 << 40,))


def _zipped(path, change, compression=zipfile.ZIP_STORED):
    """Write the entries of a file of torch.save anew."""
    with zipfile.ZipFile(path) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, data in change(entries).items():
            new.writestr(name, data)


def _with(entries, end, data):
    return {name: data if name.endswith(end) else old for name, old in entries.items()}


def _flip(path, encoder):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


SAVED = {
    "code": (lambda path, e: torch.save({"model": _Code()}, path), r"more than tensors \([\w.]*exec\)"),
    "code in the older format": (
        lambda path, e: torch.save({"m": _Code()}, path, _use_new_zipfile_serialization=False), "which would run code"),
    "a plain pickle": (lambda path, e: path.write_bytes(pickle.dumps(_Code(), 2)), "torch.save did not write"),
    "a newer pickle": (lambda path, e: path.write_bytes(pickle.dumps({"a": 1}, 5)), "torch.save did not write"),
    "a lot of zeros": (lambda path, e: torch.save({"model": _Bomb()}, path), "more than tensors"),
    "compressed": (lambda path, e: _zipped(path, dict, zipfile.ZIP_DEFLATED), "is compressed"),
    "two pickles": (lambda path, e: _zipped(path, lambda z: {**z, "b/data.pkl": b"."}), "not as torch.save"),
    "no pickle": (lambda path, e: _zipped(path, lambda z: {"a/b": b""}), "not as torch.save"),
    "half a pickle": (lambda path, e: _zipped(path, lambda z: _with(z, "data.pkl", b"\x80\x02}q")), "is damaged"),
    "half a storage": (lambda path, e: _zipped(path, lambda z: _with(z, "data/3", b"1")), "content is damaged"),
    "a flipped bit": (_flip, "the checksum of its entry"),
    "a program": (lambda path, e: _zipped(path, lambda z: {**z, "a/constants.pkl": b"."}), "TorchScript"),
    "a tar archive": (lambda path, e: path.write_bytes(b"\0" * 257 + b"ustar" + b"\0" * 600), "tar archive"),
    "a picture": (lambda path, e: path.write_bytes(b"\x89PNG" + b"\0" * 600), "neither a safetensors file"),
    "nothing": (lambda path, e: path.write_bytes(b""), "neither a safetensors file"),
    "a list": (lambda path, e: torch.save([1, 2], path), "no vision transformer"),
    "a sparse tensor": (lambda path, e: torch.save({"a": torch.eye(3).to_sparse()}, path), "'a' is sparse"),
    "complex numbers": (lambda path, e: torch.save({"a": torch.zeros(2, dtype=torch.complex64)}, path), "is complex"),
    "no values": (lambda path, e: torch.save({"a": torch.zeros(2, device="meta")}, path), "is without values"),
    "one value as many": (
        lambda path, e: torch.save({"a": torch.zeros(1).expand(1 << 40)}, path), "claims 4,398,046,511,104 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAVED)
def test_files_of_torch_that_lie(file, encoder, case):
    make, says = SAVED[case]
    make(file / "whole.pth", encoder)
    _refused(file / "whole.pth", says)


def test_the_older_format_is_read(tmp_path, encoder):
    torch.save({"model": encoder.state_dict()}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    assert checkpoint.load_encoder(tmp_path / "old.bin")[2].matched == 1
    data = (tmp_path / "old.bin").read_bytes()
    (tmp_path / "old.bin").write_bytes(data[: len(data) // 2])
    _refused(tmp_path / "old.bin", "content is damaged")


def test_a_container_that_holds_itself_ends(tmp_path):
    own: dict = {}
    own["model"] = own
    torch.save(own, tmp_path / "own.pt")
    _refused(tmp_path / "own.pt", "no vision transformer")


@pytest.mark.parametrize("name", ["encoder", "plain"])
def test_a_changed_weight_is_found_where_a_digest_is_kept(file, name):
    path = file / "last" / "encoder.safetensors" if name == "encoder" else file / "plain.safetensors"
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)
    if name == "encoder":
        _refused(path, "damaged or was changed")
    else:
        assert checkpoint.load_encoder(path)[2].matched == 1  # nobody can know


def _renamed(**names):
    def change(state, shape):
        return {names.get(k, k): v for k, v in state.items()}, shape

    return change


def _shaped(**values):
    return lambda state, shape: (state, {**shape, **values})


def _tensor(name, value):
    return lambda state, shape: ({**state, name: value}, shape)


SHAPES = {
    "a block far out": (_tensor("blocks.999999999.norm1.weight", torch.zeros(64)), "a gap before 999999999"),
    "a gap": (_tensor("blocks.3.norm1.weight", torch.zeros(64)), "a gap before 3"),
    "many blocks": (
        lambda state, shape: ({**state, **{f"blocks.{k}.norm1.bias": torch.zeros(1) for k in range(500)}}, shape),
        "holds 500 transformer blocks"),
    "a flat projection": (_tensor("patch_embed.proj.weight", torch.zeros(64, 256)), r"has shape \(64, 256\)"),
    "an empty projection": (_tensor("patch_embed.proj.weight", torch.zeros(0, 1, 16, 16)), "is empty"),
    "flat positions": (_tensor("pos_embed", torch.zeros(17, 64)), "pos_embed has shape"),
    "two channels": (_tensor("patch_embed.proj.weight", torch.zeros(64, 2, 16, 16)), "channels"),
    "a wide claim": (_shaped(embed_dim=1 << 40), "wide"),
    "a deep claim": (_shaped(depth=10**6), "1000000 blocks"),
    "large frames": (_shaped(image_size=[1 << 20, 1 << 20]), "frames of"),
    "heads of no width": (_shaped(num_heads=7), "7 heads"),
    "no number": (_shaped(depth="two"), "metadata is damaged"),
    "a true number": (_shaped(patch=True), "metadata is damaged"),
    "one side": (_shaped(image_size=[64]), "metadata is damaged"),
    "attention of another shape": (_tensor("blocks.1.attn.qkv.weight", torch.zeros(64, 64)), "is needed"),
}  # fmt: skip


@pytest.mark.parametrize("case", SHAPES)
def test_shapes_that_cannot_be(tmp_path, encoder, case):
    change, says = SHAPES[case]
    state, shape = change(OrderedDict(encoder.state_dict()), encoder.shape.as_dict())
    state = {name: value.clone() for name, value in state.items()}
    save_file(state, tmp_path / "a.safetensors", metadata={"usfm": json.dumps({"encoder": shape})})
    _refused(tmp_path / "a.safetensors", says)


@pytest.mark.parametrize("text", ["[", "[1]", '{"encoder": 3}', "[" * 100_000, '"\\ud800"'])
def test_metadata_of_any_kind(tmp_path, encoder, text):
    save_file({k: v.clone() for k, v in encoder.state_dict().items()}, tmp_path / "a.safetensors", {"usfm": text})
    _refused(tmp_path / "a.safetensors", "metadata")


def test_digests_differ_with_every_part_of_a_file():
    a = {"x": torch.arange(6.0), "y": torch.zeros(2, 3, dtype=torch.bfloat16)}
    others = [{**a, "x": a["x"].view(2, 3)}, {**a, "x": -a["x"]}, {"z": a["x"], "y": a["y"]}, {"x": a["x"].int()}]
    seen = {header.digest_of(each, {}) for each in [a, *others]} | {header.digest_of(a, {"k": "v"})}
    assert len(seen) == 6
    assert header.digest_of(dict(reversed(a.items())), {"digest": "any"}) == header.digest_of(a, {})


def _thin(**more):
    """A network that its file does not hold: a projection, and one small tensor a block."""
    thin = {f"blocks.{k}.norm1.weight": torch.ones(1) for k in range(120)}
    return {"patch_embed.proj.weight": torch.zeros(8192, 3, 1, 1), "pos_embed": torch.zeros(1, 2, 1), **thin, **more}


THIN = {
    "layer scale": _thin(**{"blocks.0.ls1.gamma": torch.ones(1)}),
    "registers": _thin(reg_token=torch.zeros(1, 4, 1), storage_tokens=torch.zeros(1, 4, 1)),
    "relative positions": _thin(**{"rel_pos_bias.relative_position_bias_table": torch.zeros(10**6, 1)}),
    "windows": _thin(**{"blocks.0.attn.rel_pos_h": torch.zeros(27, 1), "neck.0.weight": torch.zeros(1)}),
    "a wide layer": _thin(**{"blocks.0.mlp.fc1.weight": torch.zeros(10**6, 1)}),
    "an empty layer": _thin(**{"blocks.0.mlp.fc1.weight": torch.zeros(1 << 40, 0)}),
}


@pytest.mark.parametrize("case", THIN)
@pytest.mark.parametrize("told", ["", "?heads=8"])
def test_a_network_of_others_that_its_file_does_not_hold_is_not_built(tmp_path, case, told):
    torch.save(THIN[case], tmp_path / "thin.pth")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RequestError, match=r"numbers, and holds|is empty"):
        embedders.load(f"{tmp_path / 'thin.pth'}{told}", device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak < 400_000  # kB
