"""A part that fails, in whatever way, costs that part and no other; its exit code never becomes the command's."""

import signal
from concurrent.futures import Executor, Future
from pathlib import Path

import job_works
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usfm.errors import Interrupted, WorkError
from usfm.jobs import execute
from usfm.jobs.execute import Execution
from usfm.jobs.failure import PartFailed, WorkerDied
from usfm.jobs.interrupts import Interrupts
from usfm.jobs.parts import Items, Part, Phase
from usfm.jobs.pool import WorkerPool
from usfm.store.reader import Store

RAISE = {
    "exit": {"kind": "system-exit"},
    "exit 0": {"kind": "system-exit", "code": 0},
    "exit 130": {"kind": "system-exit", "code": 130},
    "keyboard": {"kind": "keyboard"},
    "panic": {"kind": "panic"},
    "stubborn": {"kind": "stubborn"},
    "gate": {"kind": "gate"},
    "interrupted": {"kind": "interrupted"},
    "read error": {"kind": "read-error"},
}
DIE = {
    "quit 0": {"kind": "quit"},
    "quit 3": {"kind": "quit", "code": 3},
    "abort": {"kind": "abort"},
    "segmentation fault": {"kind": "die", "signal": signal.SIGSEGV},
    "orphan": {"kind": "orphan"},
}


class Here(Executor):
    """Runs everything at once in this process, as a caller's own executor might."""

    def submit(self, fn, /, *args, **kwargs) -> Future:
        future: Future = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


def kept(step) -> set[str]:
    return set(Store.open(step.out).source_column("path").tolist())


def rejected(step) -> set[str]:
    return set(Store.open(step.out).rejected()["source"].tolist())


def test_in_workers_every_way_to_fail_costs_its_own_part(step, capsys):
    step.count = 2 * len(RAISE | DIE)
    step.faults = {2 * k: fault for k, fault in enumerate((RAISE | DIE).values())}
    summary = step.run()
    assert kept(step) == {f"{k}.mp4" for k in range(1, step.count, 2)}
    assert rejected(step) == {f"{k}.mp4" for k in range(0, step.count, 2)}
    assert summary["frames_in"] == 4 * step.count == summary["frames_out"] + summary["rejected"]
    assert "Traceback" not in capsys.readouterr().err


def test_in_this_process_whatever_is_raised_costs_its_own_part(step, monkeypatch):
    monkeypatch.setattr("usfm.jobs.run._Executors.start", lambda *_: Here())
    monkeypatch.setattr("usfm.jobs.run._Executors.stop", lambda *_, **__: None)
    step.count = 2 * len(RAISE)
    step.faults = {2 * k: fault for k, fault in enumerate(RAISE.values())}
    step.run()
    assert kept(step) == {f"{k}.mp4" for k in range(1, step.count, 2)}
    assert rejected(step) == {f"{k}.mp4" for k in range(0, step.count, 2)}


def execution(folder: Path, parts: list[list[int]], bad: set[int], items: Items | None = None) -> Execution:
    plan = [Part(f"part {k}", (some, bad)) for k, some in enumerate(parts)]
    phase = Phase("words", lambda done: plan, job_works.word_but, lambda part, reason: b"rejected", items=items)
    return Execution(phase, plan, folder, Here(), 4, {}, Interrupts("stopping"), lambda weight, note: None)


def texts(paths: list[Path]) -> list[str]:
    return [path.read_text() for path in paths]


@pytest.fixture(autouse=True, scope="module")
def _no_sync():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda fd: None)
        yield


@given(count=st.integers(1, 40), draw=st.sets(st.integers(0, 39)))
@example(count=40, draw=set(range(16)))
@example(count=40, draw=set(range(39)))
@settings(max_examples=30, deadline=None)
def test_whichever_parts_fail_the_others_are_done(tmp_path_factory, count, draw):
    bad = {number for number in draw if number < count}
    run = execution(tmp_path_factory.mktemp("parts"), [[k] for k in range(count)], bad)
    if len(bad) == count >= execute.TRIES:
        with pytest.raises(WorkError, match=r"whatever the part.*SystemExit"):
            run.run()
        assert not list(run.folder.iterdir())  # nothing that a later run would take for done
    else:
        assert texts(run.run()) == ["rejected" if k in bad else str(k) for k in range(count)]


NUMBERS = Items(
    lambda payload: len(payload[0]),
    lambda payload, some: ([payload[0][k] for k in some], payload[1]),
    lambda payload, failed: ([x for k, x in enumerate(payload[0]) if k not in failed], payload[1]),
)


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), draw=st.sets(st.integers(0, 71)))
@example(sizes=[8] * 4, draw={0, 8, 16, 24})  # one bad item in every part: no part is whole
@settings(max_examples=30, deadline=None)
def test_whichever_items_fail_the_others_are_done(tmp_path_factory, sizes, draw):
    numbers = iter(range(sum(sizes)))
    parts = [[next(numbers) for _ in range(size)] for size in sizes]
    bad = draw & set(range(sum(sizes)))
    run = execution(tmp_path_factory.mktemp("parts"), parts, bad, NUMBERS)
    if len(bad) == sum(sizes) and len(sizes) >= execute.TRIES:
        with pytest.raises(WorkError, match="whatever the part"):
            run.run()
        return
    wanted = [",".join(str(x) for x in part if x not in bad) or "rejected" for part in parts]
    assert texts(run.run()) == wanted


def test_items_that_fail_only_together_are_rejected_together(tmp_path, monkeypatch):
    def together(payload):
        if len(payload[0]) > 4:
            raise MemoryError
        return b"done"

    run = execution(tmp_path, [[1], [2, 3, 4, 5, 6, 7]], set(), NUMBERS)
    run.phase = Phase("words", lambda done: [], together, lambda part, reason: reason.encode(), items=NUMBERS)
    assert texts(run.run()) == ["done", "out of memory"]


def test_ctrl_c_is_heard_while_the_failing_items_are_looked_for(tmp_path):
    run = execution(tmp_path, [[1], list(range(10, 40))], {12, 33}, NUMBERS)
    notes: list[str] = []

    def advance(weight: float, note: str) -> None:
        notes.append(note)
        if note.startswith("looking"):
            run.interrupts.asked = 1

    run.advance = advance
    with pytest.raises(Interrupted):
        run.run()
    assert len([note for note in notes if note.startswith("looking")]) == 1


def test_what_a_cluster_calls_final_is_believed_only_of_a_part_that_was_alone(tmp_path):
    # Dask blames every part that waits on a worker for its death.
    run = execution(tmp_path, [[k] for k in range(4)], set())
    real, first = run.executor.submit, {}

    def submit(fn, work, payload, *rest) -> Future:
        if first.setdefault(payload[0][0], True) or payload[0] == [2]:
            first[payload[0][0]] = False
            future: Future = Future()
            died = WorkerDied("died, several in turn")
            died.final = True
            future.set_exception(died)
            return future
        return real(fn, work, payload, *rest)

    run.executor.submit = submit  # type: ignore[method-assign]
    assert texts(run.run()) == ["0", "1", "rejected", "3"]


def test_a_run_that_fails_whatever_the_part_leaves_nothing_that_a_later_one_believes(step, wanted, same):
    step.faults = {number: {"kind": "quit"} for number in range(6)}
    assert step.child() == 1, step.said
    assert "whatever the part" in step.said
    step.faults = {}
    step.run()
    assert same(step.out) == wanted


def test_a_result_that_cannot_be_sent_is_a_failure_and_the_pool_lives_on():
    pool = WorkerPool(1)
    try:
        with pytest.raises(PartFailed, match="pickle"):
            pool.submit(job_works.unsendable, 1).result(timeout=30)
        assert pool.submit(len, "abc").result(timeout=30) == 3
    finally:
        pool.shutdown()
