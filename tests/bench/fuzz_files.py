"""Spoil checkpoints, run directories and text files, give them to the commands that read them, count what must not be.

    python tests/bench/fuzz_files.py --files 500 --texts 300 --seed 1 --work FOLDER

One spoilt file and one command a trial, in a forked child with a limit of time and memory; the faults are those of
`fuzz.py`. A change that is accepted counts where a digest or a checksum covers the file: the encoder, model and state
of our checkpoints, the cards, predictions, probes and recipes of runs, tables of vectors, zips of `torch.save`. Nobody
can know of a change in a file without any: plain safetensors, torch's older format. A pretraining's
`recipe.toml`, `metrics.jsonl` and figures are for people: nothing is computed from them.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import file_attacks as attacks
import fuzz
import numpy as np
from fuzz_stores import contents, in_process, make_stores
from fuzz_subjects import FILES, TEXTS, Subject, files, texts

MEANT = ("card_edit", "saved_edit", "tensors_edit")
"""Attacks that leave a file whole and sealed, or without a digest: what it holds then is what somebody wants."""


class Bench:
    """A folder with good inputs, and slots for the children that run side by side.

    Args:
        folder: made anew.
        subjects: FILES or TEXTS.
    """

    def __init__(self, folder: Path, subjects: dict[str, Subject]):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "good").mkdir(parents=True)
        self.folder, self.good, self.subjects = folder, folder / "good", subjects
        self.stores = make_stores(folder)
        (files if subjects is FILES else texts)(self)
        self.ways = [(name, command) for name, one in subjects.items() for command in one.commands]
        self.wanted = {}
        for way in self.ways:
            outcome = self.run(*way, "", 0)
            if outcome.code:
                raise SystemExit(f"{way} on what is whole: exit {outcome.code}: {outcome.said}")
            self.wanted[way] = outcome.result

    def call(self, *arguments: str) -> None:
        """One command in this process, to make what is good."""
        from usfm.cli.main import main

        said = io.StringIO()
        with in_process(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
            try:
                main([self.fill(one, self.good) for one in arguments])
            except SystemExit as end:
                if end.code:
                    raise RuntimeError(f"{arguments}: {said.getvalue()}") from None

    def fill(self, argument: str, subject: Path) -> str:
        """An argument with its places filled in."""
        places = {"IN": subject, "STORE": self.stores["raw"], "SECTOR": self.stores["sector"],
                  "OTHER": self.good / "other.h5", "RECIPE": self.good / "tiny.toml", "MEDIA": self.good / "media",
                  "MAPPED": self.good / "mapped.h5", "COLLECTION": subject.parent.parent / "collection"}  # fmt: skip
        name, mark, told = argument.partition("?")
        if name in places and mark:
            return f"{places[name]}?{told}"
        kind, _, rest = argument.rpartition(":")
        return (
            f"{kind}:{places[rest]}"
            if kind and rest in places
            else str(places.get(argument, argument)).replace("OUT", "out")
        )

    def run(
        self, name: str, command: str, spoilt: str, slot: int, draw: np.random.Generator | None = None
    ) -> fuzz.Outcome:
        """One command on one subject, of which one file is spoilt, in a child."""
        folder = self.folder / f"slot{slot}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "at").mkdir(parents=True)
        at = folder / name
        if name == "truth.json":
            shutil.copytree(self.good / "collection", folder / "collection", copy_function=os.link)
            shutil.copytree(self.good / "collection.truth", folder / "collection.truth")
            at = folder / "collection.truth" / name
        elif (self.good / name).is_dir():
            shutil.copytree(self.good / name, at)
        else:
            shutil.copyfile(self.good / name, at)
        self.how = ""
        if draw is not None:
            self.how = attacks.spoil(at / spoilt if spoilt else at, self.subjects[name].files[spoilt], draw)
        arguments = tuple(self.fill(one, at) for one in self.subjects[name].commands[command])
        started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            fuzz._child(fuzz.Command(arguments, ""), at, folder)
        code = fuzz._wait(pid, started)
        said = (folder / "said").read_text(errors="replace") if (folder / "said").exists() else ""
        result = _result(command, folder, at) if code == 0 else ""
        left = [one.name for one in folder.iterdir() if one.name.startswith("out") and not one.name.endswith(".parts")]
        return fuzz.Outcome(code, said, time.monotonic() - started, result, left if code else [])


def _result(command: str, folder: Path, at: Path) -> object:
    """What a command made, but for what may differ between two runs."""
    from safetensors.torch import load_file

    try:
        if (folder / "out").is_file():
            return _columns(folder / "out")
        if command in ("finetune", "vectors"):
            return _columns(folder / "out" / "predictions.h5")
        if command in ("eval", "external"):
            return (folder / "out" / "report.csv").read_text()
        if command == "timm":
            return {k: v.numpy().tobytes() for k, v in load_file(folder / "out.safetensors").items()}
        if command in ("init", "resume"):
            run = at if command == "resume" else folder / "out"
            return {k: v.numpy().tobytes() for k, v in load_file(run / "last" / "model.safetensors").items()}
        return (folder / "answer").read_text().replace(str(folder), "") if command == "info" else ""
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _columns(table: Path) -> dict:
    return {name: value for name, value in contents(table).items() if not name.endswith("@") and name != "@history"}


def trial(bench: Bench, number: int, seed: int, slot: int) -> list[str]:
    """One spoilt file for one command; returns what must not be."""
    name, command = bench.ways[number % len(bench.ways)]
    subject, draw = bench.subjects[name], np.random.default_rng([seed, number])
    names = list(subject.files)
    spoilt = names[int(draw.integers(len(names)))] if draw.random() < 0.6 else names[0]
    outcome, found = bench.run(name, command, spoilt, slot, draw), []
    if outcome.code == -signal.SIGKILL and outcome.seconds >= fuzz.LIMIT_S:
        found.append("hang")
    elif outcome.code < 0:
        found.append("crash")
    elif outcome.code not in (0, 2):
        found.append("wrong exit")
    if "Traceback" in outcome.said:
        found.append("traceback")
    sentences = [line for line in outcome.said.splitlines() if line.startswith("usfm: ")]
    if outcome.code > 0 and len(sentences) != 1:
        found.append("no sentence")
    covered = any(Path(spoilt or "a").match(one or "a") for one in subject.covered)
    covered = covered and bench.how not in MEANT and not _unsealed(bench.folder / f"slot{slot}" / name / spoilt)
    if outcome.code == 0 and covered and outcome.result != bench.wanted[name, command]:
        found.append("accepted change")
    if outcome.left:
        found.append("left behind")
    did = f"exit {outcome.code} in {outcome.seconds:.1f} s: {' '.join(outcome.said.split())[-400:]}"
    return [f"{fault}: {command} of {name}/{spoilt} ({bench.how}): {did}" for fault in found]


def _unsealed(path: Path) -> bool:
    """Whether a file or its digest is gone, so that a run or a file reads as one of an earlier version."""
    if not path.is_file():  # gone, a folder, a pipe
        return True
    try:
        data = path.read_bytes()
        if path.suffix == ".safetensors":
            length = int.from_bytes(data[:8], "little")
            return "digest" not in json.loads(data[8 : 8 + length])["__metadata__"]
        return path.name == "card.json" and "digest" not in json.loads(data)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    fuzz.preload()
    import timm, usfm.evaluate.run, usfm.extract.run, usfm.inspect.export, usfm.simulate.run  # noqa: E401, F401, I001

    wrong: list[str] = []
    for name, subjects, trials in (("files", FILES, options.files), ("texts", TEXTS, options.texts)):
        if not trials:
            continue
        started = time.monotonic()
        bench = Bench(options.work.resolve() / name, subjects)
        fuzz.TARGETS[name] = trial
        wrong += fuzz.many(bench, name, trials, options.seed, options.jobs)
        print(f"{name}: {trials} trials over {len(bench.ways)} uses, {time.monotonic() - started:.0f} s", flush=True)
    count = collections.Counter(one.split(": ", 2)[1] for one in wrong)
    for fault in fuzz.FAULTS:
        print(f"{fault:16} {count[fault]}")
    print(f"seed {options.seed}: {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
