"""Stores for tests; this folder goes on the path, so that tests and child processes can import `store_samples`."""

import sys
from pathlib import Path

import pytest

from usfm.store.assemble import assemble
from usfm.store.reader import Store

sys.path.insert(0, str(Path(__file__).parent))
from store_samples import make_part


@pytest.fixture
def build(tmp_path):
    """Build a store of parts, each a list of source numbers."""

    def build_(parts: list[list[int]], name: str = "store.h5", **options) -> tuple[Store, list[dict]]:
        paths, given = [], []
        for number, sources in enumerate(parts):
            data, some = make_part(sources, **options)
            path = tmp_path / f"{name}.{number}.part"
            path.write_bytes(data)
            paths.append((f"part {number}", path))
            given += some
        assemble(tmp_path / name, paths, step={"command": "test", "options": {}})
        return Store.open(tmp_path / name), given

    return build_
