"""Damaged and hostile stores: one sentence, never a crash, and never a changed value that is taken for a good one."""

import contextlib
import io
import json
import os
import shutil
import signal
import sys
import traceback
from pathlib import Path

import h5py
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "bench"))
import fuzz
from fuzz_stores import contents, in_process, make_stores, read_all
from store_attacks import ATTACKS, attack

from usfm.cli.main import main
from usfm.errors import RequestError
from usfm.store.damage import Damaged
from usfm.store.reader import Store
from usfm.store.verify import verify


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    return make_stores(tmp_path_factory.mktemp("stores"))


SOME = 6
"""One attack in so many is in the default run; the others are the same few checks once more."""


@pytest.mark.parametrize("name", [
    name if number % SOME == 0 else pytest.param(name, marks=pytest.mark.slow) for number, name in enumerate(ATTACKS)
])  # fmt: skip
def test_what_was_made_to_do_harm_is_refused_in_one_sentence(stores, tmp_path, name):
    path = tmp_path / "attacked.h5"
    if not attack(name, stores["raw"], path):
        assert attack(name, stores["sector"], path), "this attack changes neither store"
    with pytest.raises(RequestError) as caught:
        read_all(str(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    with contextlib.suppress(RequestError):  # it is no store at all any more
        assert not verify(str(path)).whole


def test_the_whole_stores_pass_every_check(stores):
    for path in stores.values():
        assert verify(str(path)).whole
        assert len(read_all(str(path)))


COMMANDS = ("verify", "clean", "dedup", "sector")


def _command(name: str, path: Path, out: Path) -> tuple[int, str, object]:
    """Run a command in this process: exit code, stderr, and what it made."""
    said = io.StringIO()
    out.unlink(missing_ok=True)
    shutil.rmtree(f"{out}.parts", ignore_errors=True)
    names = {"IN": str(path), "OUT": str(out)}
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said), in_process():
        try:
            main([names.get(one, one) for one in fuzz.COMMANDS[name].arguments])
            code = 0
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            code = 70
            traceback.print_exc(file=said)
    return code, said.getvalue(), (contents(path) if name == "verify" else contents(out)) if code == 0 else None


def _flips(stores: dict[str, Path], folder: Path, flips: int) -> list[str]:
    """Flip bytes of the stores and give each result to one command."""
    wanted = {(kind, name): _command(name, stores[kind], folder / "out.h5")[2] for kind in stores for name in COMMANDS}
    wrong = []
    for number in range(flips):
        kind, name = ("raw", "sector")[number % 2], COMMANDS[number // 2 % len(COMMANDS)]
        where = fuzz.flip(stores[kind], folder / "flipped.h5", np.random.default_rng([20, number]))
        code, said, made = _command(name, folder / "flipped.h5", folder / "out.h5")
        if code not in (0, *fuzz.COMMANDS[name].damaged) or "Traceback" in said or (code == 0) != (made is not None):
            wrong.append(f"{name} of {kind}, {where}: exit {code}: {said[-900:]}")
        elif code == 0 and made != wanted[kind, name]:
            wrong.append(f"{name} of {kind}, {where}: accepted a change")
    for old, new in PATCHES.items():
        data = stores["raw"].read_bytes()
        assert old in data
        (folder / "flipped.h5").write_bytes(data.replace(old, new, 1))
        code, said, _ = _command("verify", folder / "flipped.h5", folder / "out.h5")
        if code != 3 or "Traceback" in said:
            wrong.append(f"{old!r} -> {new!r}: exit {code}: {said[-900:]}")
    return wrong


PATCHES = {
    b"unit\0\0\0\0\x19\x01": b"unit\0\0\0\0\x19\x09",  # h5py ends the process when it reads this one
    b"\x13\x11\0\0": b"\x13\x19\0\0",  # text with a padding that is not known
    b"\x13\x11\0\0\x12": b"\x13\x31\0\0\x12",  # and in an encoding that is not
}
"""Types in headers that were once let pass."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.parametrize("count", [15, pytest.param(60, marks=pytest.mark.slow)])
def test_flipped_bytes_are_found_or_change_nothing(stores, tmp_path, count):
    pid = os.fork()  # what damaged bytes do to HDF5 must not be done to the tests
    if not pid:
        try:
            signal.alarm(170)
            wrong = _flips(stores, tmp_path, count)
        except BaseException:
            wrong = [traceback.format_exc()]
        finally:
            (tmp_path / "wrong").write_text(json.dumps(wrong))
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert json.loads((tmp_path / "wrong").read_text()) == []


@pytest.mark.parametrize("table, name, value", [
    ("frames", "scale", 0.5), ("frames", "time_s", 9.0), ("frames", "kind", b"doppler"), ("sources", "fps", 12.0),
    ("labels", "class", -1), ("regions", "confidence", 0.1), ("dropped", "similarity", 0.5),
])  # fmt: skip
def test_a_value_that_has_changed_is_never_carried(stores, tmp_path, table, name, value):
    """Also in a store that keeps no digests of its columns, as those of before had none."""
    for old in (False, True):
        path = tmp_path / f"changed{old}.h5"
        shutil.copy(stores["raw"], path)
        with h5py.File(path, "r+") as file:
            file[table][name][0] = value
            if old:
                del file.attrs["digests"], file.attrs["history_digest"]
        with pytest.raises(Damaged, match="changed"):
            Store.open(path)
        assert not verify(str(path)).whole


def test_a_store_of_before_is_read(stores, tmp_path):
    """No digests of columns, and a column that did not exist yet."""
    path = tmp_path / "old.h5"
    shutil.copy(stores["raw"], path)
    with h5py.File(path, "r+") as file:
        del file.attrs["digests"], file.attrs["history_digest"], file["labels/mask_digest"]
    verdict = verify(str(path))
    assert verdict.whole
    assert "history is not covered" in verdict.notes[0]
    old, new = Store.open(path), Store.open(stores["raw"])
    assert all((old.label_mask(row) is None) == (new.label_mask(row) is None) for row in range(len(new)))
    with h5py.File(path, "r+") as file:
        file["labels/masks/48x56"][0, 9, 9] += 1
    with pytest.raises(Damaged, match="labels or masks"):
        Store.open(path)


def test_a_column_that_an_older_store_lacks_has_its_missing_value(stores, tmp_path, monkeypatch):
    """The first column that the schema gains must not break the stores that there are."""
    from usfm.store import assemble, schema
    from usfm.store.writer import PartWriter

    new = schema.Dataset("/frames/gain", "float32", "(N,)", "", "new", 1.5)
    path = shutil.copy(stores["raw"], tmp_path / "older.h5")
    store = Store.open(path)
    monkeypatch.setitem(schema.FRAMES, "gain", new)
    assert store.files()[0].row(3)["gain"] == 1.5
    assert store.files()[0].column("/frames/gain").tolist() == [1.5] * len(store)
    monkeypatch.delitem(schema.FRAMES, "gain")
    part = PartWriter()
    part.copy(store, 3)
    assert assemble.write_store(tmp_path / "copy.h5", part).exists()


@pytest.mark.parametrize("make, code", [
    (lambda path: path.write_bytes(b""), 2),
    (lambda path: path.write_text("text"), 2),
    (lambda path: path.mkdir(), 2),
    (lambda path: os.mkfifo(path), 2),
    (lambda path: path.symlink_to(path), 2),
    (lambda path: path.symlink_to("nowhere"), 2),
    (lambda path: h5py.File(path, "w").close(), 2),
    (lambda path: None, 2),
    (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500)), 3),
], ids=["empty", "text", "folder", "pipe", "loop", "dangling", "foreign", "missing", "cut short"])  # fmt: skip
def test_verify_gives_a_verdict_on_anything(tmp_path, capsys, make, code):
    make(tmp_path / "thing")
    with pytest.raises(SystemExit) as end:
        main(["info", "--verify", str(tmp_path / "thing")])
    said = capsys.readouterr().err
    assert (end.value.code, said.count("usfm: ")) == (code, 1), said


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_a_path_that_no_file_can_have(name):
    with pytest.raises(RequestError):
        Store.open(name)


def test_a_store_that_was_cut_anywhere_is_damaged(stores, tmp_path):
    data = stores["raw"].read_bytes()
    for share in np.linspace(0.01, 0.999, 12):
        (tmp_path / "cut.h5").write_bytes(data[: int(len(data) * share)])
        assert not verify(str(tmp_path / "cut.h5")).whole


def test_a_change_of_the_history_alone_is_found(stores, tmp_path):
    path = tmp_path / "changed.h5"
    shutil.copy(stores["raw"], path)
    with h5py.File(path, "r+") as file:
        steps = [step.replace('"first"', '"longest"') for step in file.attrs["history"]]
        file.attrs.modify("history", np.array(steps, object))
    verdict = verify(str(path))
    assert verdict.problems == ["its history has changed since it was written"]
    assert len(verdict.good) == 2
