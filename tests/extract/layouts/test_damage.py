"""Whatever a table or a file of outlines holds, it is one sentence or counted; the pictures are never lost for it."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.layouts import prepare
from usfm.extract.layouts.contract import found, load, names

HERE = Path(__file__).parent
WRITE = runpy.run_path(str(HERE / "make.py"))["write"]
NOISE = np.random.default_rng(0).integers(0, 256, 400, np.uint8).tobytes()
STRANGE = json.dumps({"images": [1, {"id": 1}], "annotations": {}, "val": [None, {}, 1e400], "a.jpg": {"bbs": [[1]]}})


def damaged(data):
    """Give the file cut, with noise, of another kind, with cells that are no numbers."""
    yield data[: len(data) // 2]
    yield data[:4] + NOISE
    yield STRANGE.encode()
    yield data.replace(b"1", b"nan").replace(b"0", b"-1e9").replace(b"2", "\u00e9\u0000".encode())


@pytest.mark.parametrize("name", names())
def test_no_damage_is_a_traceback(name, tmp_path):
    layout = load(name)
    rules = [rule.file for rule in (*layout.tables, *layout.outlines)]
    WRITE(tmp_path / "in", runpy.run_path(str(HERE / "miniatures" / f"{name}.py"))["FILES"])
    files = [path for path in (tmp_path / "in").rglob("*") if path.is_file()]
    wanted = [path for path in files if any(found(f"(?:.*/)?{one}", str(path)) is not None for one in rules)]
    for path in wanted[:3]:
        whole = path.read_bytes()
        for data in damaged(whole):
            path.write_bytes(data)
            config, request = Config(layout=name), Request(inputs=(str(tmp_path / "in"),))
            try:
                pictures, *_ = prepare.prepared(config, request, prepare.placed(config, request))
            except RequestError as error:
                said = str(error)
            else:
                said = "" if pictures.sources else "lost"
            assert said != "lost"
            assert "\n" not in said
            assert len(said) < 1500
        path.write_bytes(whole)
