"""Under fault: nothing is lost, whatever ends the run, and the same command finishes it."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from usfm.errors import WorkError
from usfm.store.reader import Store

KILLS = 8


def work_kill(draw: random.Random) -> tuple[int, dict]:
    kind = draw.choice(["kill-at-byte"] * 3 + ["kill-before-rename", "kill-after-rename"])
    return draw.randrange(6), {"kind": kind, "byte": draw.randrange(30000)}


def assemble_kill(draw: random.Random):
    """What to break in the parent: kill -9 at a write, a sync, before or after the rename, or while tidying up."""
    where, at = draw.choice(["pwrite", "fsync", "before", "after", "tidy"]), draw.randrange(20)

    def before() -> None:
        def die(*_, **__) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        real_pwrite, real_replace, count = os.pwrite, os.replace, 0

        def pwrite(fd, data, offset):
            nonlocal count
            count += 1
            if count > at:
                real_pwrite(fd, bytes(data)[: len(data) // 2], offset)
                die()
            return real_pwrite(fd, data, offset)

        def replace(source, target):
            if str(target).endswith("out.h5"):
                if where == "before":
                    die()
                real_replace(source, target)
                die()
            real_replace(source, target)

        if where == "pwrite":
            os.pwrite = pwrite
        elif where == "fsync":
            from usfm.store import hdf5

            hdf5.os.ftruncate = die
        elif where == "tidy":
            shutil.rmtree = die
        else:
            os.replace = replace

    return before


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_anywhere_the_same_command_finishes_it(step, wanted, same, seed):
    draw = random.Random(seed)
    if seed % 4 == 3:
        code = step.child(assemble_kill(draw))
    else:
        number, fault = work_kill(draw)
        step.faults = {number: fault}
        code = step.child()
    step.faults = {}
    print(f"seed {seed}: exit {code}, finished {sorted(step.finished())}")
    assert code in (-signal.SIGKILL, 0)  # 0: the draw lay beyond the last byte
    if step.out.exists():
        assert same(step.out) == wanted
    left, _ = step.finished(), step.started()
    step.run()
    assert not set(step.started()) & left
    assert same(step.out) == wanted
    assert not step.parts.exists()
    assert {path.name for path in step.folder.iterdir()} <= {"out.h5", "scratch", "said"}


@pytest.mark.parametrize("fault", [
    {"kind": "die"},
    {"kind": "die", "signal": signal.SIGSEGV},
    {"kind": "read-error"},
    {"kind": "memory"},
])  # fmt: skip
def test_a_poison_part_is_rejected_and_the_run_ends(step, fault, capsys):
    step.faults = {2: fault}
    summary = step.run()
    assert (summary["frames_out"], summary["rejected"]) == (20, 4)
    assert step.started().count(2) == 3
    assert "2.mp4: rejected" in capsys.readouterr().err
    assert Store.open(step.out).rejected()["reason"].tolist() == ["reader crashed"] * 4


@pytest.mark.parametrize("kind", ["die", "memory", "read-error"])
def test_a_fault_that_passes_costs_nothing(step, wanted, same, kind):
    step.faults = {number: {"kind": kind, "once": True} for number in (1, 4)}
    step.run()
    assert same(step.out) == wanted


@pytest.mark.parametrize("kind, limits", [("hang", {"hang_s": 0.6}), ("spin", {"limit_s": 0.8})])
def test_a_part_that_does_not_end_is_stopped(step, wanted, same, kind, limits):
    step.limits = limits
    step.faults = {3: {"kind": kind, "once": True}}
    step.run()
    assert same(step.out) == wanted


def test_workers_that_die_whatever_the_part_end_the_run(step):
    step.faults = {number: {"kind": "die"} for number in range(6)}
    with pytest.raises(WorkError, match="whatever the part"):
        step.run()
    assert not step.out.exists()
    step.faults = {}
    step.run()
    assert step.out.exists()


def test_without_poison_a_part_that_kills_its_worker_ends_the_run(step):
    step.poison = None
    step.faults = {2: {"kind": "die"}}
    with pytest.raises(WorkError, match=r"2\.mp4.*3 times"):
        step.run()


def test_a_full_disk_is_one_sentence_and_the_parts_are_kept(step, wanted, same):
    step.faults = {4: {"kind": "disk-full"}}
    with pytest.raises(WorkError, match=r"disk is full.*same command"):
        step.run()
    assert not step.out.exists()
    left = step.finished()
    step.faults = {}
    step.started()
    step.run()
    assert not set(step.started()) & left
    assert same(step.out) == wanted


SMALL_DISK = """
import subprocess, sys
from pathlib import Path
disk, here, scratch = sys.argv[1:]
sys.path.insert(0, here)
import job_works
from usfm.config import Request
from usfm.errors import WorkError
from usfm.jobs.run import Part, Phase, run_step
from usfm.store.verify import verify

def plan(done):
    return [Part(str(n), {"number": n, "scratch": scratch, "frames": 60}) for n in range(6)]

if __name__ == "__main__":
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "none", disk], check=True)
    ends = []
    for size in (40, 120, 250, 400, 500, 4000):
        subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
        try:
            run_step("make", Request(workers=2), {}, [Phase("frames", plan, job_works.make)], out=Path(disk) / "out.h5")
            ends.append("whole" if verify(f"{disk}/out.h5").whole else "damaged")
        except WorkError as error:
            ends.append("full" if "disk is full" in str(error) and not (Path(disk) / "out.h5").exists() else str(error))
    print(*ends)
"""


def test_a_disk_that_is_really_full(step):
    """A small tmpfs in a user namespace of its own, made larger and larger; the last time there is room."""
    disk = step.folder / "disk"
    disk.mkdir()
    script = step.folder / "small_disk.py"
    script.write_text(SMALL_DISK)
    command = ["unshare", "-rm", sys.executable, str(script), str(disk), str(Path(__file__).parent), str(step.scratch)]
    done = subprocess.run(command, capture_output=True, text=True)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr.strip()[:100]}")
    ends = done.stdout.split()
    assert done.returncode == 0, done.stderr
    assert ends[0] == "full", done.stderr
    assert ends[-1] == "whole"
    assert set(ends) == {"full", "whole"}


def test_a_full_disk_while_the_store_is_put_together(step, wanted, same):
    def before() -> None:
        def full(fd, start, size):
            raise OSError(errno.ENOSPC, "No space left on device")

        os.posix_fallocate = full

    assert step.child(before) == 1
    assert "disk is full" in step.said
    assert not step.out.exists()
    step.started()
    step.run()
    assert step.started() == []
    assert same(step.out) == wanted


def test_a_changed_input_is_noticed(step, tmp_path):
    step.run()
    step.copies = step.out
    step.out = tmp_path / "copy.h5"
    step.faults = {3: {"kind": "kill-before-rename"}}
    assert step.child() == -signal.SIGKILL
    step.faults, original = {}, step.copies.read_bytes()
    fresh = type(step)(tmp_path / "fresh") if (tmp_path / "fresh").mkdir() is None else None
    fresh.faults = {0: {"kind": "die"}}
    fresh.run()
    shutil.copy(fresh.out, step.copies)
    assert step.child() == 2
    assert "the inputs have changed" in step.said
    step.copies.write_bytes(original)
    assert step.child() == 0


def test_the_clock_does_not_matter(step, wanted, same):
    def before() -> None:
        jumps = random.Random(0)
        time.time = lambda: jumps.uniform(-1e9, 4e9)

    assert step.child(before) == 0
    assert same(step.out) == wanted


def test_workers_end_with_their_parent(step):
    step.faults = {0: {"kind": "hang"}, 1: {"kind": "kill-before-rename"}}
    assert step.child() == -signal.SIGKILL
    step.faults = {}
    step.run()  # the lock is free, though a worker hung when its parent went
    assert step.out.exists()
