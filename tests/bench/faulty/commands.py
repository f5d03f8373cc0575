"""The commands under fault, as a user types them: real processes, killed, starved and crowded, then typed again.

A trial gives a command a folder of its own with the inputs in it and, beside the output, files that are nobody's
business (`out.old`, `out.tmp`, notes). It breaks the command once and types it again. Then the inputs and the other
files must be as before, the result must be that of an undisturbed run, and nothing else may be left.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

FAULTS = ("moment", "call", "full", "read-only", "twice", "descriptors", "memory", "crash")
"""Ways to break a command; the first two kill it."""

HANGS_S = 180.0
TEXT_SAYS_TIME = ("seconds", "seconds_embedding", "frames_per_s", "images_per_s", "data_wait", "software", "key",
                  "report", "raw", "step_s", "time", "digest")  # fmt: skip
_SIMULATE = ("--clips", "8", "--stills", "4", "--patients", "4", "--duplicates", "2", "--seconds", "0.8", "--fps", "10",
             "--size", "96", "--no-overlays")  # fmt: skip
_TINY = ("--recipe", "debug", "--set", "steps=6", "--set", "batch_size=4", "--set", "saves=3", "--set", "checks=2")


class Case:
    """One command: what it reads, what is typed, what it writes.

    Args:
        words: what is typed after `usfm`; `OUT` is the output's name.
        inputs: files and folders that it reads.
        out: the output's name.
        more: other names that belong to the output.
    """

    def __init__(self, words: str, inputs: tuple[str, ...], out: str, more: tuple[str, ...] = ()):
        self.words, self.inputs, self.out, self.more = words.split(), inputs, out, more
        self.seconds = 0.0
        self.calls = 0
        self.wanted: dict = {}


def cases() -> dict[str, Case]:
    """All commands that write, in the order in which one makes what the next reads."""
    return {
        "simulate": Case(f"simulate --out clips {' '.join(_SIMULATE)} --workers 2", (), "clips", ("clips.truth",)),
        "extract": Case("extract clips --fps all --labels folder --group (?P<patient>p[0-9]+) --out raw.h5 --workers 2",
                        ("clips",), "raw.h5"),
        "clean": Case("clean --in raw.h5 --text none --out clean.h5 --workers 2", ("raw.h5",), "clean.h5"),
        "dedup": Case("dedup --in clean.h5 --visual-threshold 0.999 --out unique.h5 --workers 2", ("clean.h5",),
                      "unique.h5"),
        "sector": Case("sector --in unique.h5 --size 128 --out sector.h5 --workers 2", ("unique.h5",), "sector.h5"),
        "pretrain": Case(f"pretrain --in sector.h5 --out run --device cpu {' '.join(_TINY)}", ("sector.h5",), "run"),
        "finetune": Case("finetune classify --in sector.h5 --encoder run --out probe --folds 2 --device cpu",
                         ("sector.h5", "run"), "probe", (".features",)),
        "eval": Case("eval probe --out report --bootstrap 50 --format html,csv", ("probe",), "report"),
        "embed": Case("embed --in sector.h5 --encoder run --out features.h5 --device cpu", ("sector.h5", "run"),
                      "features.h5"),
        "export": Case("export run --to timm --out e.safetensors", ("run",), "e.safetensors", ("e.safetensors.json",)),
    }  # fmt: skip


class Trials:
    """Breaks commands in a folder.

    Args:
        folder: for everything; it is made.
        names: commands that are broken; all before the last of them are run once.
        known: the commands, default all.
    """

    def __init__(self, folder: Path, names: tuple[str, ...] = (), known: dict[str, Case] | None = None):
        self.folder, self.cases = folder, known or cases()
        self.names = names or tuple(self.cases)
        self.made = folder / "made"
        self.made.mkdir(parents=True)
        self.log = folder / "calls"
        home = folder / "home"
        home.mkdir()
        paths = [str(Path(__file__).parent), str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "USFM_SALT": "a salt for the bench",
            "HOME": str(home),
            "OMP_NUM_THREADS": "1",
        }
        self.environment.pop("USFM_FAULT_FILE", None)

    def prepare(self) -> None:
        """Run every command undisturbed: its time, its calls, its result."""
        order = list(self.cases)
        for name in order[: max(map(order.index, self.names)) + 1]:
            case = self.cases[name]
            started = time.monotonic()
            code, said = self.type(case, self.made, {"at": -1, "do": "count"})
            assert code == 0, (name, code, said)
            case.seconds, case.calls = time.monotonic() - started, self.log.stat().st_size
            case.wanted = result(self.made, case)

    def type(self, case: Case, where: Path, calls: dict | None = None, shell: str = "") -> tuple[int, str]:
        """Type a command and wait for it; -1000 for one that hangs."""
        process = self.start(case, where, calls, shell)
        return self.end(process, HANGS_S)

    def start(self, case: Case, where: Path, calls: dict | None = None, shell: str = "") -> subprocess.Popen:
        """Start a command in a process group of its own; `shell` goes before it, such as a limit."""
        environment = dict(self.environment)
        if calls is not None:
            self.log.write_bytes(b"")
            environment["USFM_FAULT_CALLS"] = json.dumps({**calls, "log": str(self.log), "under": str(where)})
        words = [sys.executable, "-m", "usfm", *case.words]
        if shell:
            words = ["bash", "-c", f'{shell}; exec "$@"', "bash", *words]
        self.said = open(where.parent / f"said-{os.urandom(3).hex()}", "w+")
        process = subprocess.Popen(words, cwd=where, env=environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=self.said, start_new_session=True)  # fmt: skip
        process.said = self.said  # type: ignore[attr-defined]
        return process

    def end(self, process: subprocess.Popen, limit_s: float) -> tuple[int, str]:
        """Wait for a command, or kill it and all that it started."""
        try:
            code = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            code = -1000
        kill(process)
        process.said.seek(0)  # type: ignore[attr-defined]
        with process.said as file:  # type: ignore[attr-defined]
            text = file.read()
        os.unlink(file.name)
        return code, text

    def trial(self, name: str, fault: str, draw: random.Random) -> list[str]:
        """Break a command once and type it again; returns what is wrong."""
        case, where = self.cases[name], self.folder / "trial" / "here"
        shutil.rmtree(where.parent, ignore_errors=True)
        where.mkdir(parents=True)
        for one in case.inputs:
            link = self.made / one
            shutil.copytree(link, where / one) if link.is_dir() else shutil.copy2(link, where / one)
        others = strangers(where, case)
        before = {one: digest(where / one) for one in (*case.inputs, *others)}
        code, said, allowed = BREAK[fault](self, case, where, draw)
        about = f"{fault} in {name}, exit {code}"
        wrong = complaints(code, said, allowed)
        again, said = self.type(case, where)
        if again != 0:
            wrong.append(f"the same command again ended with {again}: {said[-600:]}")
        else:
            wrong += differences(case.wanted, result(where, case))
        wrong += [f"changed: {one}" for one, was in before.items() if digest(where / one) != was]
        expected = {*case.inputs, *others, case.out, *case.more}
        left = sorted({path.name for path in where.iterdir()} - expected)
        if left and again == 0:
            wrong.append(f"left behind {left}")
        return [f"{about}: {each}" for each in wrong]


def kill(process: subprocess.Popen) -> None:
    """End a command and all that it started, without a word."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


Broken = tuple[int, str, set[int]]


def _moment(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    process = trials.start(case, where)
    try:
        process.wait(draw.uniform(0.2, 1.05) * case.seconds)
    except subprocess.TimeoutExpired:
        kill(process)
    return *trials.end(process, 5.0), {-signal.SIGKILL, 0}


def _call(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    return *trials.type(case, where, {"at": draw.randrange(case.calls), "do": "kill"}), {-signal.SIGKILL, 0}


def _crash(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    """One process, the command's or a worker's, ends at a call: a worker's end costs nothing but time."""
    return *trials.type(case, where, {"at": draw.randrange(case.calls), "do": "die"}), {-signal.SIGKILL, 0, 1}


def _full(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    """A disk of a size between the inputs and what is needed, where a file system of its own can be had."""
    used = sum(path.stat().st_size for path in where.rglob("*") if path.is_file())
    made = [trials.made / one for one in (case.out, *case.more)]
    needed = sum(p.stat().st_size for top in made for p in [top, *top.rglob("*")] if p.is_file())
    kilobytes = int((used * 1.1 + draw.uniform(0.05, 1.2) * needed) / 1024) + 64
    return *_on_tmpfs(trials, case, where, f"size={kilobytes}k", "size=4g"), {0, 1}


def _read_only(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    return *_on_tmpfs(trials, case, where, "ro", "rw"), {1, 2}


def _on_tmpfs(trials: Trials, case: Case, where: Path, tight: str, loose: str) -> tuple[int, str]:
    """Run on a file system in memory that is mounted for the trial alone, and bring what is left back."""
    shell = (
        'mount -t tmpfs -o size=4g tmpfs "$PWD" && cp -a ../copy/. "$PWD" && cd "$PWD" '
        f'&& mount -o remount,{tight} "$PWD" || exit 77; "$@"; code=$?; '
        f'mount -o remount,{loose} "$PWD"; rm -rf ../copy; cp -a "$PWD" ../copy; exit $code'
    )
    copy = where.parent / "copy"
    shutil.copytree(where, copy)
    words = [sys.executable, "-m", "usfm", *case.words]
    process = subprocess.run(["unshare", "-rm", "bash", "-c", shell, "bash", *words], cwd=where,
                             env=trials.environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, timeout=HANGS_S)  # fmt: skip
    assert process.returncode != 77, f"no file system for the trial: {process.stderr}"
    shutil.rmtree(where)
    os.rename(copy, where)
    return process.returncode, process.stderr


def _twice(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    first = trials.start(case, where)
    time.sleep(draw.uniform(0, 0.6) * case.seconds)
    second = trials.start(case, where)
    ends = [trials.end(first, HANGS_S), trials.end(second, HANGS_S)]
    code, said = max(ends)
    if min(ends)[0] != 0 or not {one for one, _ in ends} <= {0, 2}:
        code, said = next(end for end in ends if end[0] not in (0, 2)) if max(ends)[0] not in (0, 2) else (-2, said)
    return code, said, {0, 2}


def _descriptors(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    return *trials.type(case, where, shell=f"ulimit -n {draw.choice([12, 16, 20, 24, 32])}"), {0, 1}


def _memory(trials: Trials, case: Case, where: Path, draw: random.Random) -> Broken:
    megabytes = int(150 * 2 ** draw.uniform(0, 4.5))
    return *trials.type(case, where, shell=f"ulimit -v {megabytes * 1024}"), {0, 1}


BREAK: dict[str, Callable[[Trials, Case, Path, random.Random], Broken]] = {
    "moment": _moment, "call": _call, "full": _full, "read-only": _read_only, "twice": _twice,
    "descriptors": _descriptors, "memory": _memory, "crash": _crash,
}  # fmt: skip


def complaints(code: int, said: str, allowed: set[int]) -> list[str]:
    """What is wrong with the end of a broken command."""
    wrong = []
    if code not in allowed:
        wrong.append(f"exit code; {said[-900:]}")
    elif code > 0:
        sentences = [line for line in said.splitlines() if line.startswith("usfm: ")]
        if len(sentences) != 1 or "Traceback" in said:
            wrong.append(f"{len(sentences)} sentences: {said[-1500:]}")
    elif code == 0 and "Traceback" in said:
        wrong.append(f"a traceback though it went well: {said[-1500:]}")
    return wrong


def strangers(where: Path, case: Case) -> list[str]:
    """Put files beside the output that no command has made."""
    names = [f"{case.out}{ending}" for ending in (".old", ".new", ".tmp", ".bak")] + [f"notes of {case.out}.txt"]
    for name in names[1::2]:
        (where / name).mkdir()
        (where / name / "thesis.tex").write_text("years of work")
    for name in names[::2]:
        (where / name).write_text("years of work")
    return names


def digest(path: Path) -> str:
    """Of everything under a path: names, bytes and modification times."""
    whole = hashlib.sha256()
    for one in sorted([path, *path.rglob("*")]):
        whole.update(f"{one.relative_to(path.parent)} {one.lstat().st_mtime_ns if one.is_file() else ''}\n".encode())
        if one.is_file():
            whole.update(one.read_bytes())
    return whole.hexdigest()


def result(where: Path, case: Case) -> dict:
    """What a command made, without what says when and how long."""
    found = {}
    for top in (case.out, *(one for one in case.more if not one.startswith("."))):
        for path in sorted([where / top, *(where / top).rglob("*")]):
            if path.is_file():
                found[str(path.relative_to(where))] = _content(path)
    return found


def _content(path: Path) -> object:
    if path.suffix == ".h5":
        return _tables(path)
    if path.suffix == ".json":
        return _timeless(json.loads(path.read_text()))
    if path.suffix == ".jsonl":
        return [_timeless(json.loads(line)) for line in path.read_text().splitlines()]
    if path.suffix == ".safetensors":
        return _tensors(path)
    if path.suffix in (".html", ".csv", ".pt", ".npz", ".png", ".toml") or path.name == ".lock":
        return "there"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: _timeless(one) for name, one in value.items() if name not in TEXT_SAYS_TIME}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _tensors(path: Path) -> dict:
    """The file's header lists its notes in any order, so that bytes say nothing."""
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return {name: file.get_tensor(name).tobytes() for name in file.keys()}


def _tables(path: Path) -> dict:
    import h5py

    found: dict = {}

    def look(name: str, thing) -> None:
        if isinstance(thing, h5py.Dataset):
            values = thing[()]
            found[name] = values.tolist() if values.dtype == object else (values.shape, values.tobytes())

    with h5py.File(path) as file:
        file.visititems(look)
        found["content_id"] = str(file.attrs.get("content_id", ""))
        found["history"] = [_timeless(json.loads(step)) for step in file.attrs.get("history", [])]
    return found


def differences(wanted: dict, found: dict) -> list[str]:
    """Which files differ, and where."""
    wrong = [f"{name} is missing" for name in sorted(wanted.keys() - found.keys())]
    wrong += [f"{name} is there and should not be" for name in sorted(found.keys() - wanted.keys())]
    for name in sorted(wanted.keys() & found.keys()):
        a, b = wanted[name], found[name]
        if a != b:
            wrong.append(f"{name} is another than that of an undisturbed run {_odd(a, b)}")
    return wrong


def _odd(wanted: object, found: object) -> str:
    """Where two values differ, and short ones themselves."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        names = [name for name in {*wanted, *found} if wanted.get(name) != found.get(name)]
        return "; ".join(f"{name}: {_odd(wanted.get(name), found.get(name))}" for name in names)
    return f"{str(wanted)[:60]} and {str(found)[:60]}"
