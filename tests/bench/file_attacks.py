"""Ways to spoil a file: bytes, text, JSON, TOML, CSV, the header of safetensors; each a function of a random draw."""

import io
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

Draw = np.random.Generator
Attack = Callable[[bytes, Draw], bytes]

ODD = (None, True, -1, 0, 1, 2**31, 2**63, 2**70, 1e308, -1e-320, "", "x", "\x1b[31m", "=1+1", "/etc/passwd", "a\x00b",
       [], [1], {}, {"a": 1}, "é" * 300, [[[[]]]], "١", "1_000", " 7 ", "nan")  # fmt: skip
"""Values that no entry expects, for JSON and TOML alike."""

RAW = (
    b"NaN",
    b"1e999",
    b"-Infinity",
    b'"\\ud800"',
    b"9" * 5000,
    b"[" * 20_000,
    b"",
    b"tru",
    b"'x'",
    b"0x1f",
    b'"\xff"',
)
"""Tokens that `json` may meet in a file and never writes itself."""


def flip(data: bytes, draw: Draw) -> bytes:
    """One byte changed, half of the time near an end, where headers are."""
    if not data:
        return b"\x00"
    whole, at = bytearray(data), int(draw.integers(len(data)))
    if draw.random() < 0.5:
        at = int(draw.integers(min(len(data), 2048))) * int(draw.choice([1, -1]))
    whole[at] ^= int(draw.choice([1 << int(draw.integers(8)), draw.integers(1, 256)]))
    return bytes(whole)


def cut(data: bytes, draw: Draw) -> bytes:
    """The beginning only."""
    return data[: int(draw.integers(len(data) + 1))]


def hole(data: bytes, draw: Draw) -> bytes:
    """A stretch taken out, doubled, or zeroed."""
    a, b = sorted(int(at) for at in draw.integers(0, len(data) + 1, 2))
    b = min(b, a + int(draw.choice([1, 8, 600])))
    return data[:a] + (b"", data[a:b] * 2, bytes(b - a))[int(draw.integers(3))] + data[b:]


def tail(data: bytes, draw: Draw) -> bytes:
    """Something behind the end, or another file in its place."""
    other = (b"", b"\0" * 4096, b"PK\x05\x06" + bytes(18), b"\x89HDF\r\n\x1a\n", b"\x80\x02}.", data, b"\r\n\x1a")
    chosen = other[int(draw.integers(len(other)))]
    return data + chosen if draw.random() < 0.5 else chosen


def _places(value: object, path: tuple = ()) -> list[tuple]:
    found = [path]
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in entries:
        found += _places(one, (*path, key))
    return found


def edit(value: object, draw: Draw) -> object:
    """One entry of nested values replaced, taken out, or given another name."""
    whole = json.loads(json.dumps(value))
    places = [place for place in _places(whole) if place]
    if not places:
        return ODD[int(draw.integers(len(ODD)))]
    *parents, last = places[int(draw.integers(len(places)))]
    table = whole
    for name in parents:
        table = table[name]
    kind = draw.random()
    if kind < 0.75 or isinstance(table, list):
        table[last] = ODD[int(draw.integers(len(ODD)))]
    elif kind < 0.9:
        del table[last]
    else:
        table[last + "é"] = table.pop(last)
    return whole


def json_edit(data: bytes, draw: Draw) -> bytes:
    """One entry of JSON edited, or replaced by a token that is not quite JSON."""
    mark = "\x01mark\x01"
    whole = edit(json.loads(data), draw)
    if draw.random() < 0.7:
        return json.dumps(whole).encode()
    whole = json.loads(data)
    places = [place for place in _places(whole) if place]
    if not places:
        return RAW[int(draw.integers(len(RAW)))]
    *parents, last = places[int(draw.integers(len(places)))]
    table = whole
    for name in parents:
        table = table[name]
    table[last] = mark
    return json.dumps(whole).encode().replace(json.dumps(mark).encode(), RAW[int(draw.integers(len(RAW)))])


def card_edit(data: bytes, draw: Draw) -> bytes:
    """One entry of a card edited, and the card sealed anew, as by somebody who means it."""
    from usfm.model.card import sealed

    whole = edit(json.loads(data), draw)
    return json.dumps(sealed(whole) if isinstance(whole, dict) else whole).encode()


def header_edit(data: bytes, draw: Draw) -> bytes:
    """The JSON header of a safetensors file edited, its length set right again."""
    length = struct.unpack("<Q", data[:8])[0]
    text = json_edit(data[8 : 8 + length], draw)
    if draw.random() < 0.5:  # the metadata of usfm are JSON in JSON
        known = json.loads(data[8 : 8 + length])
        about = known.get("__metadata__", {})
        if "usfm" in about:
            about["usfm"] = json_edit(about["usfm"].encode(), draw).decode("utf-8", "replace")
            about.pop("digest", None)
            text = json.dumps(known).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def saved_edit(data: bytes, draw: Draw) -> bytes:
    """One entry of what `torch.save` was given, a tensor or a value, replaced by an odd one, and saved again."""
    import torch

    try:
        whole = torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # spoilt before
        return data
    tables, place = [whole], whole
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = keys[int(draw.integers(len(keys)))]
        tables.append((place, key))
        place = place[key]
        if draw.random() < 0.15:
            break
    if len(tables) > 1:
        table, key = tables[-1]
        odd = ODD[int(draw.integers(len(ODD)))] if draw.random() < 0.4 else odd_tensor(draw)
        table[key] = odd
        if draw.random() < 0.2:
            table.pop(key) if isinstance(table, dict) else None
    out = io.BytesIO()
    torch.save(whole, out, _use_new_zipfile_serialization=data[:2] == b"PK")
    return out.getvalue()


def tensors_edit(data: bytes, draw: Draw) -> bytes:
    """One tensor of a safetensors file replaced by an odd one, or its name changed; its digest taken out."""
    import torch
    from safetensors.torch import load, save

    length = struct.unpack("<Q", data[:8])[0]
    about = json.loads(data[8 : 8 + length]).get("__metadata__", {})
    whole, names = (
        load(data),
        ("", "blocks.999999999.x", "blocks.-1.x", "blocks..", "a" * 70_000, "x\n\x1b[31m", "\u202e"),
    )
    key = list(whole)[int(draw.integers(len(whole)))]
    if draw.random() < 0.6:
        odd = odd_tensor(draw)
        plain = odd.layout == torch.strided and odd.device.type == "cpu" and not odd.is_quantized
        whole[key] = odd.contiguous() if plain and odd.numel() < 1 << 20 else torch.zeros(0)
    else:
        whole[names[int(draw.integers(len(names)))]] = whole.pop(key) if draw.random() < 0.5 else whole[key].clone()
    about.pop("digest", None)
    return save(whole, about)


def odd_tensor(draw: Draw):
    """A tensor that no entry expects."""
    import warnings

    import torch

    warnings.filterwarnings("ignore", message=".*quantize")
    odd = (torch.zeros(0), torch.zeros(3), torch.tensor(7.0), torch.zeros(2, 3, 4, 5), torch.full((64,), float("nan")),
           torch.zeros(64, dtype=torch.int64), torch.zeros(64, dtype=torch.bool), torch.zeros(2, dtype=torch.complex64),
           torch.eye(3).to_sparse(), torch.zeros(2, device="meta"), torch.zeros(1).expand(1 << 40), torch.zeros(0, 64),
           torch.quantize_per_tensor(torch.zeros(4), 0.1, 0, torch.qint8), torch.zeros(64, 1, 7, 9),
           torch.zeros(1, 3, 64), torch.zeros(64).to(torch.float8_e4m3fn), torch.full((1, 1, 64), 1e38))  # fmt: skip
    return odd[int(draw.integers(len(odd)))]


def line_edit(data: bytes, draw: Draw) -> bytes:
    """A line of text taken out, doubled, moved, or its value replaced."""
    lines = data.split(b"\n")
    at, kind = int(draw.integers(len(lines))), int(draw.integers(6))
    name, equals, _ = lines[at].partition(b"=")
    odd = json.dumps(ODD[int(draw.integers(len(ODD)))], ensure_ascii=False).encode()
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(at, lines[at])
    elif kind == 2:
        lines[at] = name + (equals or b"=") + b" " + (odd if draw.random() < 0.6 else RAW[int(draw.integers(len(RAW)))])
    elif kind == 3:
        lines[at] = lines[at] + odd
    elif kind == 4:
        lines.insert(at, (b"[a]", b"[[a]]", b"a.b.c = 1", b"= 1", b'"""', b"\x00", b"[" * 5000)[int(draw.integers(7))])
    else:
        return (b"\r", b"\r\n", b"\x0b", b"\xe2\x80\xa8")[int(draw.integers(4))].join(lines)
    return b"\n".join(lines)


def cell_edit(data: bytes, draw: Draw) -> bytes:
    """A cell of CSV replaced by something odd, or the table read otherwise."""
    odd = (b"", b'"', b'""', b'"a\nb"', b"a,b", b"NaN", b"-1", b"1e999", b"\xff", b"\x00", b"=1+1", b"\x1b[31m", b"..",
           b"/etc/passwd", b"x" * 200_000, b"\xef\xbb\xbf", b";", b"\t", "ä".encode(), "a\u0308".encode())  # fmt: skip
    rows = [line.split(b",") for line in data.split(b"\n")]
    row = rows[int(draw.integers(len(rows)))]
    at, kind, value = int(draw.integers(len(row))), int(draw.integers(5)), odd[int(draw.integers(len(odd)))]
    if kind < 3:
        row[at] = value
    elif kind == 3:
        row.insert(at, value)
    else:
        row.pop(at)
    whole = b"\n".join(b",".join(row) for row in rows)
    encoding = draw.random()
    if encoding < 0.1:
        return whole.decode("utf-8", "replace").encode(
            ("utf-16", "latin-1", "utf-8-sig")[int(draw.integers(3))], "replace"
        )
    return whole


BYTES: tuple[Attack, ...] = (flip, flip, flip, cut, hole, tail)


def spoil(path: Path, attacks: tuple[Attack, ...], draw: Draw) -> str:
    """Spoil one file in place; returns how."""
    kind = draw.random()
    if kind < 0.03:
        path.unlink()
        if draw.random() < 0.3:
            path.mkdir()
            return "a folder"
        if draw.random() < 0.5:
            os.mkfifo(path)
            return "a pipe"
        return "removed"
    attack = attacks[int(draw.integers(len(attacks)))]
    data = path.read_bytes()
    path.write_bytes(attack(data, draw))
    return attack.__name__
