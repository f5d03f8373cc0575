"""Damage files byte by byte and by hand, give them to the commands, and count what must not be: see `FAULTS`.

    python tests/bench/fuzz.py --flips 2000 --seed 1 --work FOLDER
    python tests/bench/fuzz.py --crafted --work FOLDER

Stores: a raw store (gzip chunks, label masks, boxes) and one that `sector` made (contiguous), each flipped one byte at
a time and given to six commands. Each command runs in a child forked after the imports, its parts in the child itself.

What a command may do with a damaged file: end with exit code 2 (`info --verify`: 3) and one sentence on stderr; or
end with 0 and give what it gives for the whole file, which is so where the byte holds nothing (free space, padding).
"""

import argparse
import collections
import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from fuzz_stores import contents, in_process, make_stores, plain, read_all

LIMIT_S = 40.0
"""A command on these small files takes under 1 s; what takes so long hangs."""

LIMIT_BYTES = 6 << 30
"""Address space of a child: a size bomb meets it before it meets the machine."""

FAULTS = ("traceback", "hang", "crash", "wrong exit", "no sentence", "accepted change", "left behind")


@dataclass(frozen=True)
class Command:
    """One way to use a store.

    Attributes:
        arguments: IN stands for the store, OUT for what it writes.
        out: what it writes under the name OUT: "" nothing, store, table or run.
        damaged: exit codes for a damaged store.
    """

    arguments: tuple[str, ...]
    out: str
    damaged: tuple[int, ...] = (2,)


COMMANDS = {
    "verify": Command(("info", "--verify", "IN"), "", (2, 3)),
    "clean": Command(("clean", "--in", "IN", "--text", "none", "--out", "OUT"), "store"),
    "dedup": Command(("dedup", "--in", "IN", "--out", "OUT"), "store"),
    "sector": Command(("sector", "--in", "IN", "--size", "32", "--patch", "8", "--out", "OUT"), "store"),
    "embed": Command(("embed", "--in", "IN", "--encoder", "random", "--device", "cpu", "--out", "OUT"), "table"),
    "pretrain": Command(("pretrain", "--in", "IN", "--recipe", "debug", "--device", "cpu", "--batch-size", "4",
                         "--dry-run", "--out", "OUT"), "none"),
    "read": Command((), "arrays"),
}  # fmt: skip
"""`read` reads everything through `Store`, frames of a fixed-size store from their memory map as training does."""

USED = {"raw": ("verify", "clean", "dedup", "sector", "embed", "read"),
        "sector": ("verify", "clean", "dedup", "sector", "pretrain", "read")}  # fmt: skip


@dataclass
class Outcome:
    """What a command did.

    Attributes:
        code: its exit code, negative for a signal.
        said: on stderr.
        seconds: it took.
        result: what it made, "" nothing.
        left: names that it left besides.
    """

    code: int
    said: str
    seconds: float
    result: object
    left: list[str]


class Bench:
    """A folder for each of the children that run side by side.

    Args:
        folder: made anew.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.stores = make_stores(folder)
        self.wanted: dict[tuple[str, str], object] = {}
        for kind, names in USED.items():
            for name in names:
                outcome = self.run(name, self.stores[kind], 0)
                if outcome.code:
                    raise SystemExit(f"{name} on the whole {kind} store: exit {outcome.code}: {outcome.said}")
                self.wanted[kind, name] = outcome.result

    def run(self, name: str, path: Path, slot: int) -> Outcome:
        """One command on one file, in a child."""
        folder = self.folder / f"slot{slot}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        started = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _child(COMMANDS[name], path, folder)
        code = _wait(pid, started)
        said = (folder / "said").read_text(errors="replace") if (folder / "said").exists() else ""
        seconds = time.monotonic() - started
        result = _result(COMMANDS[name], path, folder) if code == 0 else ""
        left = sorted(one.name for one in folder.iterdir() if one.name not in ("said", "answer", "out", "out.parts"))
        left += ["out"] if code and (folder / "out").exists() else []
        return Outcome(code, said, seconds, result, left)

    def judge(self, kind: str, name: str, path: Path, slot: int = 0) -> tuple[list[str], str]:
        """Run a command on a damaged store.

        Returns:
            What must not be, of `FAULTS`; and what the command did and said.
        """
        outcome, found = self.run(name, path, slot), []
        if outcome.code == -signal.SIGKILL and outcome.seconds >= LIMIT_S:
            found.append("hang")
        elif outcome.code < 0:
            found.append("crash")
        elif outcome.code and outcome.code not in COMMANDS[name].damaged:
            found.append("wrong exit")
        if "Traceback" in outcome.said:
            found.append("traceback")
        sentences = [line for line in outcome.said.splitlines() if line.startswith("usfm: ")]
        if outcome.code > 0 and len(sentences) != 1:
            found.append("no sentence")
        if outcome.code == 0 and outcome.result != self.wanted[kind, name]:
            found.append("accepted change")
        if outcome.left:
            found.append("left behind")
        return found, f"exit {outcome.code} in {outcome.seconds:.1f} s: {' '.join(outcome.said.split())[-400:]}"


def _child(command: Command, path: Path, folder: Path) -> None:
    """Run a command and end."""
    code = 70
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (LIMIT_BYTES, LIMIT_BYTES))
        os.chdir(folder)
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 2), os.dup2(os.open("answer", os.O_WRONLY | os.O_CREAT), 1)
        os.environ["HOME"] = str(folder.parent / "home")
        try:
            with in_process():
                _do(command, path)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _do(command: Command, path: Path) -> None:
    if command.arguments:
        from usfm.cli.main import main

        names = {"IN": str(path), "OUT": "out"}
        main([names.get(one, one) for one in command.arguments])
        return
    import hashlib

    from usfm.errors import UsfmError

    try:
        digest = hashlib.sha256()
        for one in read_all(str(path)):
            digest.update(repr(plain(one)).encode())
        print(digest.hexdigest())
    except UsfmError as error:
        print(f"usfm: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _wait(pid: int, started: float) -> int:
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - started > LIMIT_S:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0.004)


def _result(command: Command, path: Path, folder: Path) -> object:
    """What a command that ended with 0 made."""
    try:
        if command.out in ("store", "table"):
            return contents(folder / "out")
        return contents(path) if not command.out else (folder / "answer").read_text() if command.out == "arrays" else ""
    except Exception as error:  # a reader of another make stumbles over what was let pass
        return f"{type(error).__name__}: {error}"


def flip(path: Path, out: Path, rng: np.random.Generator) -> str:
    """Write a copy of a file with one byte changed; returns where and how."""
    data = bytearray(path.read_bytes())
    at, by = int(rng.integers(len(data))), int(rng.choice([1 << int(rng.integers(8)), rng.integers(1, 256)]))
    data[at] ^= by
    out.write_bytes(data)
    return f"byte {at} ^ {by:#04x}"


def flip_stores(bench: Bench, number: int, seed: int, slot: int) -> list[str]:
    """One flip of one store, given to its six commands; returns what must not be."""
    kind = ("raw", "sector")[number % 2]
    damaged = bench.folder / f"damaged{slot}.h5"
    where = flip(bench.stores[kind], damaged, np.random.default_rng([seed, number]))
    return _all_commands(bench, kind, damaged, f"{kind}, {where}", slot)


def _all_commands(bench: Bench, kind: str, path: Path, where: str, slot: int) -> list[str]:
    wrong = []
    for name in USED[kind]:
        found, did = bench.judge(kind, name, path, slot)
        if found:
            wrong += [
                *(f"{fault}: {name} of {where}" for fault in found[:-1]),
                f"{found[-1]}: {name} of {where}: {did}",
            ]
    return wrong


def craft_stores(bench: Bench, number: int, seed: int, slot: int) -> list[str]:
    """One attack of `store_attacks.ATTACKS` on one store; returns what must not be."""
    from store_attacks import ATTACKS, attack

    name, kind = list(ATTACKS)[number // 2], ("raw", "sector")[number % 2]
    path = bench.folder / f"crafted{slot}.h5"
    if not attack(name, bench.stores[kind], path):
        return []
    return _all_commands(bench, kind, path, f"{kind}, {name}", slot)


TARGETS: dict[str, Callable[[Bench, int, int, int], list[str]]] = {"stores": flip_stores, "crafted": craft_stores}
"""What is damaged: (bench, number of the trial, seed, slot) -> what must not be, each beginning with one of FAULTS."""


def many(bench: Bench, target: str, trials: int, seed: int, side_by_side: int) -> list[str]:
    """Run trials in children side by side; returns what must not be."""
    wrong: list[str] = []
    pipes = []
    sys.stdout.flush()
    for slot in range(side_by_side):
        theirs, ours = os.pipe()
        if os.fork():
            os.close(ours)
            pipes.append(os.fdopen(theirs))
            continue
        with os.fdopen(ours, "w") as out:
            for number in range(slot, trials, side_by_side):
                for problem in TARGETS[target](bench, number, seed, slot + 1):
                    print(json.dumps(f"trial {number}: {problem}"), file=out, flush=True)
                print("null", file=out, flush=True)
        os._exit(0)
    started, done = time.monotonic(), 0
    import selectors

    with selectors.DefaultSelector() as ready:
        for pipe in pipes:
            ready.register(pipe, selectors.EVENT_READ)
        while ready.get_map():
            for key, _ in ready.select():
                line = key.fileobj.readline()
                if not line:
                    ready.unregister(key.fileobj)
                elif line == "null\n":
                    done += 1
                    if done % 100 == 0:
                        print(f"{target} {done}: {len(wrong)} wrong, {time.monotonic() - started:.0f} s", flush=True)
                else:
                    wrong.append(json.loads(line))
                    print("WRONG", wrong[-1], flush=True)
    for _ in pipes:
        os.wait()
    if done != trials:
        wrong.append(f"crash: {trials - done} trials of {target} were not finished")
    return wrong


def preload() -> None:
    """Import what the commands import, so that children need not."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("USFM_SALT", "a salt for the bench")
    import importlib

    import torch

    torch.set_num_threads(1)
    for name in ("usfm.cli.main", "usfm.curate.clean.run", "usfm.curate.dedup.run", "usfm.curate.sector.run",
                 "usfm.embed.run", "usfm.finetune.run", "usfm.pretrain.run", "usfm.inspect.info"):  # fmt: skip
        importlib.import_module(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--crafted", action="store_true", help="the table of attacks instead of flips")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    preload()
    started = time.monotonic()
    bench = Bench(options.work.resolve())
    if options.crafted:
        from store_attacks import ATTACKS

        wrong = many(bench, "crafted", 2 * len(ATTACKS), options.seed, options.jobs)
    else:
        wrong = many(bench, "stores", options.flips, options.seed, options.jobs)
    count = collections.Counter(one.split(": ", 2)[1] for one in wrong)
    for fault in FAULTS:
        print(f"{fault:16} {count[fault]}")
    print(f"seed {options.seed}: {len(wrong)} wrong, {time.monotonic() - started:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
