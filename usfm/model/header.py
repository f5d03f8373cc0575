"""Weight files are looked at before anything is allocated: what a header claims must lie in the file.

A header is whatever says how large a file's tensors are and where they lie: the JSON of safetensors, the directory and
the pickle of a zip from `torch.save`, the pickles of its older format. Nothing in a file is ever run.
"""

import argparse
import hashlib
import io
import json
import math
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, TypeGuard

import torch

from usfm.errors import RequestError

DIGEST = "digest"
"""Entry of a safetensors file's metadata: the digest of all of its tensors and of the other metadata."""

MOST_HEADER_BYTES = 8 << 20  # of JSON or pickle; 2,000 tensors take about 300 kB
MOST_TENSORS = 50_000
_ITEM_BYTES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
               "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8}  # fmt: skip
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_GROWING = ("hex", "hexcodec", "base64", "base64codec", "bz2", "bz2codec", "uu", "uucodec", "zip", "zlib", "zlibcodec",
            "quopri", "quotedprintable", "quopricodec", "quotedprintablecodec")  # fmt: skip


class _Unfit(Exception):
    """What is wrong with a file, in words."""


def load(path: str | Path) -> tuple[object, dict[str, str]]:
    """Read a weight file after a look at its header.

    Args:
        path: .safetensors, .pth, .pt, .bin: what it is says its content, not its name.

    Returns:
        What is in it (a dict of tensors, or whatever `torch.save` was given: plain values and tensors, on the CPU), and
        the metadata of a safetensors file.

    Raises:
        RequestError: the file is damaged, holds something that would run code, or claims more than it holds.
    """
    kind = check(path)
    try:
        if kind == "safetensors":
            from safetensors import safe_open

            with safe_open(path, "pt") as file:
                found, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
        else:
            metadata = {}
            with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
                warnings.simplefilter("ignore")
                found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # the libraries raise whatever they like
        raise _refusal(path, _reason(error)) from None
    wanted = metadata.get(DIGEST)
    if wanted is not None and wanted != digest_of(found, metadata):
        raise RequestError(f"{path}: is damaged or was changed after it was written; take another checkpoint")
    return found, metadata


def check(path: str | Path, *, sums: bool = True) -> str:
    """See that a file's header fits the file, before anything is allocated.

    Args:
        path: a weight file.
        sums: see too that the checksums of a zip agree with all of its content, which reads all of it.

    Returns:
        What it is: "safetensors", "zip" or "legacy" (both of `torch.save`).

    Raises:
        RequestError: it is no weight file, or its header does not fit it.
    """
    path = Path(path)
    if not path.is_file():
        raise RequestError(f"{path}: no such checkpoint file")
    try:
        with open(path, "rb") as file:
            size = path.stat().st_size
            kind = _kind(file.read(512))
            file.seek(0)
            if kind == "zip":
                _check_zip(file, size, sums)
            else:
                (_check_safetensors if kind == "safetensors" else _check_legacy)(file, size)
    except _Unfit as fault:
        raise _refusal(path, str(fault)) from None
    except OSError as error:
        raise _refusal(path, error.strerror or "the disk gave an error") from None
    except Exception as error:  # zipfile, json and pickletools meet damage in many ways
        raise _refusal(path, f"its header is damaged ({type(error).__name__})") from None
    return kind


def check_tensors(path: str | Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """See that tensors are plain numbers that lie in memory as many as they claim.

    Args:
        path: where they come from, for the message.
        tensors: by name.

    Raises:
        RequestError: names the first that is sparse, quantised, complex, empty, without values or too large.
    """
    for name, tensor in tensors.items():
        kind = "sparse" if tensor.layout != torch.strided else "quantised" if tensor.is_quantized else ""
        kind = kind or ("empty" if tensor.ndim > 1 and not tensor.numel() else "")
        kind = kind or ("complex" if tensor.is_complex() else "without values" if tensor.device.type != "cpu" else "")
        if kind:
            raise _refusal(path, f"its tensor '{name}' is {kind}", "save its plain state_dict")
        held, claimed = tensor.untyped_storage().nbytes(), tensor.numel() * tensor.element_size()
        if claimed > max(held, 1 << 20):  # a small one may be expanded from a single value
            raise _refusal(path, f"its tensor '{name}' claims {claimed:,} bytes and holds {held:,}")


def digest_of(tensors: object, metadata: Mapping[str, str]) -> str:
    """Digest of tensors (names, types, shapes, bytes) and of metadata, whatever their order.

    Args:
        tensors: name -> tensor, on the host.
        metadata: text by text; an older digest in it does not count.

    Returns:
        A sha256, hex.
    """
    found = hashlib.sha256(json.dumps({k: v for k, v in metadata.items() if k != DIGEST}, sort_keys=True).encode())
    assert isinstance(tensors, Mapping)
    for name in sorted(tensors):
        tensor = tensors[name].detach().contiguous()
        found.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def _refusal(path: str | Path, why: str, advice: str = "copy or download it again") -> RequestError:
    if "would run code" in why or "TorchScript" in why:
        advice = "save its plain state_dict"
    return RequestError(f"{path}: cannot be read as a checkpoint: {why}; {advice}")


def _reason(error: Exception) -> str:
    """What a library says of a file, in short."""
    found = re.search(r"Unsupported (?:global|class): (?:GLOBAL )?([\w.]+)", str(error))
    if found:
        return f"it holds more than tensors ({found[1]}), which would run code"
    return f"its content is damaged ({type(error).__name__})"


def _kind(head: bytes) -> str:
    if head[8:9] == b"{":
        return "safetensors"
    if head[:4] == b"PK\x03\x04":
        return "zip"
    if head[257:262] == b"ustar":
        raise _Unfit("it is a tar archive, the format of torch before 2017; save it again with a newer torch")
    if head[:1] == b"\x80":
        return "legacy"
    raise _Unfit("it is neither a safetensors file nor one of torch.save")


# ---------------------------------------------------------------- safetensors


def _check_safetensors(file: BinaryIO, size: int) -> None:
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, MOST_HEADER_BYTES):
        raise _Unfit(f"its header claims {length:,} bytes of {size:,}")
    header = json.loads(file.read(length).decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    if not isinstance(header, dict):
        raise _Unfit("its header is no JSON object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _Unfit("the metadata of its header are not texts")
    if len(header) > MOST_TENSORS:
        raise _Unfit(f"its header names {len(header):,} tensors")
    end = 0
    for begin, stop, name in sorted(_span(name, about) for name, about in header.items()):
        if begin != end:
            raise _Unfit(f"its tensor '{name}' begins at byte {begin:,}, where {end:,} is expected")
        end = stop
    if end != size - 8 - length:
        raise _Unfit(f"its tensors need {end:,} bytes and it holds {size - 8 - length:,}")


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unfit("its header names something twice")
    return found


def _no_constant(name: str) -> None:
    raise _Unfit(f"its header holds {name}")


def _span(name: str, about: object) -> tuple[int, int, str]:
    """Where a tensor lies, once its type, its shape and its bytes are seen to agree."""
    if not isinstance(about, dict) or about.get("dtype") not in _ITEM_BYTES:
        raise _Unfit(f"its tensor '{name}' is of no type that is known")
    shape, span = about.get("shape"), about.get("data_offsets")
    if not _counts(shape) or not _counts(span) or len(shape) > 64 or len(span) != 2:
        raise _Unfit(f"the shape or the place of its tensor '{name}' is damaged")
    if math.prod(shape) * _ITEM_BYTES[about["dtype"]] != span[1] - span[0]:
        raise _Unfit(f"its tensor '{name}' of shape {shape[:8]} does not take the {span[1] - span[0]:,} bytes given")
    return span[0], span[1], name


def _counts(values: object) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 1 << 48 for value in values)


# ---------------------------------------------------------------- torch.save


def _check_zip(file: BinaryIO, size: int, sums: bool) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        pickles = [name for name in names if re.fullmatch(r"[^/]+/data\.pkl", name)]
        if len(entries) > MOST_TENSORS or len(set(names)) < len(names) or len(pickles) != 1:
            raise _Unfit("it is a zip archive, but not as torch.save writes one")
        if any(name.endswith("/constants.pkl") for name in names):
            raise _Unfit("it is a TorchScript program, which would run code")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
                raise _Unfit(f"its entry '{entry.filename}' is compressed, which torch.save never does")
        if sum(entry.file_size for entry in entries) > size:
            raise _Unfit("its entries claim more bytes than it has")
        if archive.getinfo(pickles[0]).file_size > MOST_HEADER_BYTES:
            raise _Unfit(f"its pickle is larger than {MOST_HEADER_BYTES >> 20} MiB")
        _check_pickle(io.BytesIO(archive.read(pickles[0])))
        damaged = archive.testzip() if sums else None
    if damaged is not None:
        raise _Unfit(f"the checksum of its entry '{damaged}' does not match")


def _check_legacy(file: BinaryIO, size: int) -> None:
    """Five pickles (magic number, version, system, what was saved, names of storages), then the storages."""
    for number in range(5):
        values = _check_pickle(file)
        if number == 0 and _LEGACY_MAGIC not in values:
            raise _Unfit("it is a pickle that torch.save did not write")


def _check_pickle(file: BinaryIO) -> list[object]:
    """Look at the words of a pickle without following them; what could make a small file large is refused."""
    values: list[object] = []
    for name, value in _words(file):
        if name in ("GLOBAL", "INST") and value in ("builtins bytearray", "__builtin__ bytearray"):
            raise _Unfit("it holds more than tensors (bytearray)")
        if name == "STACK_GLOBAL" or name.startswith(("BYTEARRAY", "EXT", "NEXT_BUFFER")):
            raise _Unfit("it holds more than tensors, which would run code")
        if isinstance(value, str) and re.sub(r"[^a-z0-9]", "", value.lower()) in _GROWING:
            raise _Unfit(f"it holds more than tensors ('{value}', which can be a way to pack data)")
        if len(values) < 4:
            values.append(value)
    return values


def _words(file: BinaryIO) -> Iterator[tuple[str, object]]:
    start = file.tell()
    for code, value, _ in pickletools.genops(file):
        if file.tell() - start > MOST_HEADER_BYTES:
            raise _Unfit(f"its pickle is larger than {MOST_HEADER_BYTES >> 20} MiB")
        yield code.name, value
