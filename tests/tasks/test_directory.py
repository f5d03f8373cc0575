"""Whatever is done to the files of a run, reading them gives them as they were or one sentence."""

import io
import json
import os
import signal
from contextlib import suppress

import h5py
import numpy as np
import pytest

from usfm import tasks
from usfm.errors import RequestError
from usfm.tasks import directory, predictions


@pytest.fixture
def run(tmp_path):
    n = 6
    words = lambda letter: np.array([f"{letter}{k}" for k in range(n)], object)  # noqa: E731
    training = predictions.Training(words("u"), words("s"), words("q"), words("d"))
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], n).astype(np.float32)
    target = np.arange(n, dtype=np.int32) % 3
    held = predictions.Predictions(
        *map(words, "fspgtd"), {"target": target, "scores": scores, "majority": np.zeros(n, np.int32)}, ("a", "b", "c"),
        training
    )  # fmt: skip
    predictions.write(tmp_path / predictions.FILE, held)
    arrays = {"mean": np.zeros(4), "std": np.ones(4), "weight": np.zeros((3, 4)), "bias": np.zeros(3)}
    np.savez(tmp_path / directory.PROBE, **{f"0.{k}": v for k, v in {**arrays, "classes": np.arange(3)}.items()})
    (tmp_path / directory.CARD).write_text(json.dumps({"seed": 3, "encoder": {"kind": "random"}}))
    (tmp_path / directory.RECIPE).write_text('[finetune]\nencoder = "random"\npool = "mean"\n')
    return tmp_path


READERS = {
    predictions.FILE: tasks.read,
    directory.CARD: lambda run: directory.card_of(run, seed=int, encoder=dict),
    directory.RECIPE: directory.recipe_of,
    directory.PROBE: lambda run: directory.probes_of(run, 3),
}


@pytest.mark.parametrize("name", READERS)
def test_flipped_cut_and_removed_files_end_in_one_sentence(run, name):
    whole, random = (run / name).read_bytes(), np.random.default_rng(1)
    READERS[name](run)
    spoilt = [whole[: len(whole) // k] for k in (2, 3, 10**9)]
    for _ in range(30):
        flipped = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            flipped[place] ^= 1 << int(random.integers(0, 8))
        spoilt.append(bytes(flipped))
    refused = 0
    for data in spoilt:
        (run / name).write_bytes(data)
        with suppress(RequestError):
            READERS[name](run)
            continue
        refused += 1
    assert refused > 3
    (run / name).unlink()
    if name != directory.CARD:  # a run without a card is one made by hand
        with pytest.raises(RequestError):
            READERS[name](run)


def _column(change):
    def spoil(run):
        with h5py.File(run / predictions.FILE, "a") as file:
            file.attrs.pop("digest", None)
            change(file)

    return spoil


def _replaced(name, values):
    def change(file):
        del file[name]
        file[name] = values

    return _column(change)


def _linked(file):
    del file["target"]
    file["target"] = h5py.ExternalLink("elsewhere.h5", "/target")


def _bomb(file):
    del file["target"]
    file.create_dataset("target", (1 << 40,), np.int32, chunks=(1 << 10,))


@pytest.mark.parametrize(
    "spoil, says",
    [
        (_replaced("scores", np.full((6, 3), np.nan, np.float32)), "no probabilities"),
        (_replaced("scores", np.full((6, 3), 0.5, np.float32)), "sum to 1"),
        (_replaced("scores", np.full((6, 2), 0.5, np.float32)), "column 'scores' has shape"),
        (_replaced("target", np.full(6, 3, np.int32)), "outside 0 to 2"),
        (_replaced("majority", np.full(6, -1, np.int32)), "outside 0 to 2"),
        (_replaced("target", np.zeros(5, np.int32)), "column 'target' has .* rows"),
        (_replaced("patient", np.zeros(6)), "column 'patient' has shape"),
        (_replaced("training/fold", np.zeros(6)), "column 'training/fold'"),
        (_replaced("training/fold", np.array(["x"], dtype=h5py.string_dtype())), "column 'training/fold'"),
        (_column(lambda file: file["training"].__delitem__("patient")), "lacks training/patient"),
        (_column(lambda file: file.attrs.__setitem__("class_names", "one")), "no list of names"),
        (_column(_linked), "a link to somewhere else"),
        (_column(_bomb), "claims 1,099,511,627,776 values"),
    ],
)
def test_predictions_that_contradict_themselves_are_refused(run, spoil, says):
    spoil(run)
    with pytest.raises(RequestError, match=says):
        tasks.read(run)


def test_predictions_of_an_older_run_are_read_without_training(run):
    _column(lambda file: file.__delitem__("training"))(run)
    assert predictions.read(run).training is None


def test_no_change_of_a_sealed_run_is_accepted(run):
    directory.write_card(run, {"seed": 3, "encoder": {"kind": "random"}, "leaks": 0})
    assert directory.card_of(run)["leaks"] == 0
    for name in (directory.RECIPE, directory.PROBE, directory.CARD):
        READERS[name](run)
    changed = (run / directory.RECIPE).read_text().replace("mean", "cls")
    (run / directory.RECIPE).write_text(changed)
    (run / directory.CARD).write_text((run / directory.CARD).read_text().replace('"leaks": 0', '"leaks": 1'))
    for name in (directory.CARD, directory.RECIPE):
        with pytest.raises(RequestError, match="damaged or was changed"):
            READERS[name](run)


def test_probes_that_do_not_fit_are_refused(run):
    arrays = dict(np.load(run / directory.PROBE))
    for name, values in [("weight", np.zeros((2, 4))), ("std", np.zeros(4)), ("classes", np.array([0, 1, 7]))]:
        buffer = io.BytesIO()
        np.savez(buffer, **{**arrays, f"0.{name}": values})
        (run / directory.PROBE).write_bytes(buffer.getvalue())
        with pytest.raises(RequestError, match="the probe of fold '0' is damaged"):
            directory.probes_of(run, 3)


@pytest.mark.parametrize("name", [directory.CARD, directory.RECIPE, directory.PROBE])
def test_a_pipe_holds_nobody_up(run, name):
    (run / name).unlink()
    os.mkfifo(run / name)
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("held up"))
    signal.alarm(20)
    with suppress(RequestError):
        READERS[name](run)
        pytest.fail("was read")
    signal.alarm(0)


def test_packed_probes_are_refused_before_they_are_unpacked(run):
    np.savez_compressed(run / directory.PROBE, **{"0.mean": np.zeros(1 << 20)})
    with pytest.raises(RequestError, match="cannot be read"):
        directory.probes_of(run, 3)
