"""Kill every command 200 times and starve it in other ways; nothing may be lost, and the same command ends well.

    python tests/bench/faults.py --kills 200 --faults 60 --deep 40 --seed 1 --work FOLDER

`--kills` and `--faults` are of the real command line with its own worker processes (`faulty/commands.py`): all ten
commands that write are killed at drawn moments and at drawn calls that change their folder, or meet a full disk, a
read-only one, the same command beside them, few descriptors, little memory, a worker's end.

`--deep` trials go into the parts of the four curation commands, each run in a forked child: kills at drawn bytes of a
result or just before or after its rename, assembly kills at its writes, its sync, its rename and the tidying up, and
every fifth one a dead or hung worker, full memory or a read error that strikes once (the run must then give the same)
or always (the run must then end with the part's frames rejected, and all frames accounted for).
"""

import argparse
import collections
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path

import h5py
import numpy as np

HERE = Path(__file__).resolve().parent
ASIDE = ("seconds", "software", "raw", "inputs", "content_id")


def contents(path: Path) -> dict:
    """Every dataset of a store and the numbers of its history."""
    found: dict = {}

    def look(name: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            found[name] = (
                str(thing.dtype),
                thing.shape,
                thing[()].tobytes() if thing.dtype != object else thing[()].tolist(),
            )

    with h5py.File(path) as file:
        file.visititems(look)
        found["content_id"] = file.attrs["content_id"]
        steps = [json.loads(step) for step in file.attrs["history"]]
    found["history"] = [{k: v for k, v in step.items() if k not in ASIDE} for step in steps]
    return found


class Bench:
    """The four commands on small clips."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.fault = folder / "fault.json"
        self.commands = {
            "extract": ["extract", "clips", "--fps", "all", "--labels", "folder"],
            "clean": ["clean", "--in", "in.extract.h5", "--text", "none"],
            "dedup": ["dedup", "--in", "in.clean.h5", "--visual-threshold", "0.999"],
            "sector": ["sector", "--in", "in.dedup.h5", "--size", "64"],
        }
        self.wanted: dict[str, dict] = {}
        self.results: dict[str, int] = {}
        self.writes: dict[str, int] = {}

    def prepare(self) -> None:
        subprocess.run([sys.executable, "-m", "usfm", "simulate", "--out", "clips", "--clips", "8", "--stills", "4",
                        "--patients", "4", "--duplicates", "2", "--seconds", "0.8", "--fps", "10", "--size", "96",
                        "--no-overlays", "-q"], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
        for command in self.commands:
            scratch = self.scratch()
            spec = {"kind": "count", "phase": "work", "ticket": -1, "scratch": str(scratch)}
            code = self.run(command, f"in.{command}.h5", spec)
            assert code == 0, (command, code, self.said())
            self.wanted[command] = contents(self.folder / f"in.{command}.h5")
            self.results[command] = len(list(scratch.glob("result-*")))
        print("writes of workers:", self.results, flush=True)

    def scratch(self) -> Path:
        folder = self.folder / "scratch"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def said(self) -> str:
        return (self.folder / "said").read_text()[-2000:]

    def run(self, command: str, out: str, spec: dict | None, assembly: str | None = None, share: float = 0.0) -> int:
        """One command in a child process; returns its exit code, negative for a signal."""
        self.fault.unlink(missing_ok=True)
        forkserver.ensure_running()
        pid = os.fork()
        if pid:
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        code = 70
        try:
            os.setsid()
            forkserver._forkserver.ensure_running = lambda: None
            os.chdir(self.folder)
            said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1), os.dup2(said, 2)
            if spec is not None:
                self.fault.write_text(json.dumps(spec | {"parent": os.getpid()}))
            if assembly:
                break_assembly(assembly, share)
            small_parts()
            from usfm.cli.main import main

            try:
                main([*self.commands[command], "--out", out, "--workers", "2"])
                code = 0
            except SystemExit as end:
                code = end.code or 0
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)

    def clear(self, out: str) -> None:
        (self.folder / out).unlink(missing_ok=True)
        shutil.rmtree(self.folder / f"{out}.parts", ignore_errors=True)


def small_parts() -> None:
    """Cut the work into many small parts and writes, and do not wait long for a hung one."""
    from usfm.curate import regions
    from usfm.extract import plan, scan
    from usfm.jobs import run
    from usfm.store import disk, hdf5

    plan.PART_SOURCES, scan.BATCH_FILES = 2, (4, 4)
    hdf5.BLOCK_BYTES, disk._BEHIND_BYTES = 1 << 12, 1 << 14
    regions.partition.__defaults__ = (12,)
    start = run._Executors.start

    def impatient(self, *arguments):
        pool = start(self, *arguments)
        pool.hang_s = 2.0
        return pool

    run._Executors.start = impatient


def break_assembly(point: str, share: float) -> None:
    """Arm this process, the parent of a run, to be killed while it puts the store together."""

    def die(*_, **__) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    from usfm.store import assemble, hdf5

    if point == "sync":
        hdf5.os.ftruncate = die
    elif point == "tidy":
        shutil.rmtree = die
    elif point == "write":
        need, real = {"bytes": 0.0}, os.pwrite
        plan_of = assemble.plan_of

        def planned(parts):
            plan = plan_of(parts)
            need["left"] = share * 0.9 * plan.bytes_needed
            return plan

        def pwrite(fd, data, at):
            if "left" in need:
                need["left"] -= len(data)
                if need["left"] <= 0:
                    real(fd, bytes(data)[: len(data) // 2], at)
                    die()
            return real(fd, data, at)

        assemble.plan_of, os.pwrite = planned, pwrite


def finished(folder: Path, out: str) -> set[str]:
    return {path.name for path in (folder / f"{out}.parts").glob("*.part")}


def trial(bench: Bench, number: int, seed: int, kind: str, count: collections.Counter) -> list[str]:
    """One trial; returns what is wrong."""
    draw = random.Random(f"{seed}/{kind}/{number}")
    command = list(bench.commands)[number % 4]
    out, scratch, wrong = "trial.h5", bench.scratch(), []
    bench.clear(out)
    assembly, share, spec = None, draw.random(), None
    always = False
    if kind == "kill" and draw.random() < 0.3:
        assembly = draw.choice(["write", "write", "sync", "before", "after", "tidy"])
        label = f"kill, assembly, {assembly}"
        if assembly in ("before", "after"):
            spec = {"kind": "kill", "phase": "assemble", "point": assembly, "scratch": str(scratch), "ticket": -1}
    elif kind == "kill":
        point = draw.choice(["byte", "byte", "before", "after"])
        spec = {"kind": "kill", "phase": "work", "point": point, "share": share,
                "ticket": draw.randrange(bench.results[command]), "scratch": str(scratch)}  # fmt: skip
        label = f"kill, work, {point}"
    else:
        fault = ("full", "read", "die", "hang", "memory")[number // 4 % 5]
        fault = "die" if fault == "read" and command == "extract" else fault
        always = fault == "die" and draw.random() < 0.5
        spec = {"kind": fault, "phase": "work", "ticket": draw.randrange(bench.results[command]),
                "scratch": str(scratch), "times": 0 if always or fault == "full" else 1}  # fmt: skip
        label = fault + (", always" if always else "")
    count[label] += 1
    first = bench.run(command, out, spec, assembly, share)
    said = bench.said()
    where = f"{label} in {command}, seed {seed}, trial {number}, {spec or assembly}, exit {first}"
    allowed = {-signal.SIGKILL, 0} if kind == "kill" else {1} if label == "full" else {0, 1} if always else {0}
    if first not in allowed:
        wrong.append(f"{where}: exit code; {said[-500:]}")
    final = bench.folder / out
    if final.exists() and not always and contents(final) != bench.wanted[command]:
        wrong.append(f"{where}: something else under the final name")
    left = finished(bench.folder, out)
    second = bench.run(command, out, None)
    if second != 0 and not (always and first == 1):
        wrong.append(f"{where}: the same command again ended with {second}; {bench.said()[-500:]}")
    elif not always and contents(final) != bench.wanted[command]:
        wrong.append(f"{where}: the result is not that of an uninterrupted run")
    elif always and first == 0:
        wrong += [f"{where}: {problem}" for problem in lost(final, bench.wanted[command])]
    if left and "are there from the run before" not in bench.said() and "up to date" not in bench.said():
        wrong.append(f"{where}: nothing said about the {len(left)} parts that were there")
    leftovers = [path.name for path in bench.folder.glob("trial*") if path.name != out]
    if leftovers and second == 0:
        wrong.append(f"{where}: left behind {leftovers}")
    return wrong


def lost(path: Path, wanted: dict) -> list[str]:
    """After a part was rejected: every frame is still accounted for."""
    with h5py.File(path) as file:
        step = json.loads(file.attrs["history"][-1])["counts"]
        kept = set(file["frames/frame_id"][()].tolist())
    size = wanted["frames/frame_id"][1][0]
    before = set(np.frombuffer(wanted["frames/frame_id"][2], wanted["frames/frame_id"][0].replace("|", "")).tolist())
    problems = []
    if step["frames_in"] != step["frames_out"] + step["dropped"] + step["rejected"]:
        problems.append(f"counts do not add up: {step}")
    if not kept <= before and len(kept) > size:
        problems.append("frames that were not there before")
    return problems


def count_commands(options: argparse.Namespace, table: collections.Counter) -> list[str]:
    """Trials of the real command line; returns what is wrong."""
    from commands import FAULTS, Trials

    names = tuple(name for name in (options.commands or "").split(",") if name)
    trials, wrong = Trials(options.work.resolve() / "commands", names), []
    trials.prepare()
    kinds = [(("moment", "call"), options.kills), (FAULTS[2:], options.faults)]
    for faults, many in kinds:
        for number in range(many):
            name = trials.names[number % len(trials.names)]
            fault = faults[number // len(trials.names) % len(faults)]
            found = trials.trial(name, fault, random.Random(f"{options.seed}/{fault}/{number}"))
            table[name, fault] += 1
            table[name, "wrong"] += bool(found)
            wrong += found
            for problem in found:
                print("WRONG", f"seed {options.seed}, trial {number}:", problem, flush=True)
            if number % 20 == 19:
                print(f"{' and '.join(faults)}: {number + 1} of {many}, {len(wrong)} wrong so far", flush=True)
    return wrong


def count_deep(options: argparse.Namespace, table: collections.Counter) -> list[str]:
    """Trials inside the parts of the curation commands; returns what is wrong."""
    from usfm.jobs import pool

    multiprocessing.set_forkserver_preload(pool._PRELOAD)
    bench, wrong = Bench(options.work.resolve()), []
    bench.prepare()
    for number in range(options.deep):
        kind = "fault" if number % 5 == 4 else "kill"
        count: collections.Counter = collections.Counter()
        found = trial(bench, number // 5 if kind == "fault" else number, options.seed, kind, count)
        command = list(bench.commands)[(number // 5 if kind == "fault" else number) % 4]
        table[command, f"deep {kind}"] += 1
        table[command, "wrong"] += bool(found)
        wrong += found
        for problem in found:
            print("WRONG", problem, flush=True)
    return wrong


def show(table: collections.Counter) -> None:
    """Print how many trials of each kind each command had."""
    kinds = sorted({kind for _, kind in table} - {"wrong"})
    print(f"{'':10}" + "".join(f"{kind:>13}" for kind in [*kinds, "wrong"]))
    for name in dict.fromkeys(name for name, _ in table):
        print(f"{name:10}" + "".join(f"{table[name, kind]:>13}" for kind in [*kinds, "wrong"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--faults", type=int, default=60)
    parser.add_argument("--deep", type=int, default=40)
    parser.add_argument("--commands", help="of --kills and --faults, with commas; default all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    if "USFM_FAULT_FILE" not in os.environ:  # every process of the runs needs the fault points from its start
        paths = f"{HERE / 'faulty'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
        fault = str(options.work.resolve() / "fault.json")
        os.execve(
            sys.executable, [sys.executable, *sys.argv], os.environ | {"PYTHONPATH": paths, "USFM_FAULT_FILE": fault}
        )
    shutil.rmtree(options.work, ignore_errors=True)
    options.work.mkdir(parents=True)
    started, table, wrong = time.monotonic(), collections.Counter(), []
    if options.deep:
        wrong += count_deep(options, table)
    if options.kills or options.faults:
        wrong += count_commands(options, table)
    show(table)
    trials = sum(times for (_, kind), times in table.items() if kind != "wrong")
    print(f"seed {options.seed}: {trials} trials, {len(wrong)} wrong, {time.monotonic() - started:.0f} s")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
