"""The card of the data, and the commands that made a report."""

from types import SimpleNamespace
from typing import Any

from usfm.evaluate import dataset


def test_commands_name_the_store_that_is_known_to_be_theirs():
    store: Any = SimpleNamespace(content_id="ab12", paths=("/data/shared/s.h5",))
    card = {"task": "classify", "flags": ["--encoder", "runs/a b", "--folds", "3"], "inputs": {"store": "ab12"}}
    names = {"own": card, "other": {**card, "inputs": {"store": "cd34"}}, "table": {}, "odd": {**card, "inputs": 3}}
    lines = dataset.commands(names, ["own", "--out", "report"], store)
    tail = "--encoder 'runs/a b' --folds 3 --out"
    assert lines == [
        f"usfm finetune classify --in shared/s.h5 {tail} own",
        f"usfm finetune classify --in STORE {tail} other",
        f"usfm finetune classify --in STORE {tail} odd",
        "usfm eval own --out report",
    ]
