"""A step's life: done, up to date, refused, resumed, interrupted."""

import json
import os
import signal
import time

import h5py
import job_works
import numpy as np
import pytest

from usfm.config import Request
from usfm.errors import RequestError, WorkError
from usfm.jobs.folder import difference
from usfm.jobs.run import Part, Phase, out_path, run_step
from usfm.jobs.worker import write_result
from usfm.store.reader import Store


def test_the_summary_counts(step, wanted, same):
    summary = step.run()
    assert {key: summary[key] for key in ("command", "frames_in", "frames_out", "dropped", "rejected", "sources")} == {
        "command": "make", "frames_in": 24, "frames_out": 24, "dropped": 0, "rejected": 0, "sources": 6,
    }  # fmt: skip
    assert same(step.out) == wanted
    assert not step.parts.exists()
    assert sorted(step.started()) == list(range(6))


def test_the_content_does_not_depend_on_workers(step, wanted, same):
    step.run(workers=1)
    assert same(step.out) == wanted


def test_up_to_date_does_nothing(step, capsys):
    first = step.run()
    step.started()
    again = step.run(workers=1)
    assert again["up_to_date"]
    assert again["frames_out"] == first["frames_out"]
    assert step.started() == []
    assert "up to date" in capsys.readouterr().err


def test_an_existing_output_is_refused_and_replaced_on_demand(step):
    step.run()
    step.options = {"a": 2}
    with pytest.raises(RequestError, match=r"a was 1 and is now 2.*--overwrite"):
        step.run()
    assert step.run(overwrite=True)["frames_out"] == 24
    assert Store.open(step.out).history[-1]["options"] == {"a": 2}


@pytest.mark.parametrize("content", [b"", b"something else"])
def test_what_is_no_store_is_not_replaced(step, content):
    step.out.write_bytes(content)
    with pytest.raises(RequestError, match="--overwrite"):
        step.run()
    assert step.out.read_bytes() == content


def _another_hdf5(path):
    with h5py.File(path, "w") as file:
        file["thesis"] = 1
        file["format"] = 2


@pytest.mark.parametrize("make, replaced", [
    (lambda path: path.write_bytes(b"something else"), False),
    (_another_hdf5, False),
    (lambda path: path.write_bytes(b""), True),
    (lambda path: path.write_bytes(path.read_bytes()[:-100]), True),
], ids=["text", "HDF5", "empty", "ours, cut short"])  # fmt: skip
def test_overwrite_replaces_only_what_is_ours(step, make, replaced):
    step.run()
    make(step.out)
    before = step.out.read_bytes()
    if replaced:
        assert step.run(overwrite=True)["frames_out"] == 24
    else:
        with pytest.raises(RequestError, match="did not make it"):
            step.run(overwrite=True)
        assert step.out.read_bytes() == before
    assert not step.parts.exists()


def test_overwrite_replaces_no_store_of_another_command(step):
    step.run()
    with h5py.File(step.out, "r+") as file:
        history = [json.dumps(json.loads(file.attrs["history"][-1]) | {"command": "extract"})]
        file.attrs.create("history", np.array(history, object), dtype=h5py.string_dtype())
    with pytest.raises(RequestError, match="made by 'usfm extract'"):
        step.run(overwrite=True)


@pytest.mark.parametrize("name", ["mine.part", "a.unfinished.tex", "out.h5.unfinished2", "run.json"])
def test_a_folder_of_the_users_with_our_name_is_left_alone(step, name):
    step.parts.mkdir()
    (step.parts / name).write_text("{}")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match=name):
            step.run(overwrite=overwrite)
    assert (step.parts / name).read_text() == "{}"


def test_a_file_that_the_user_puts_into_our_folder_stays(step):
    interrupted(step, 5)
    (step.parts / "mine.part").write_text("x")
    with pytest.raises(RequestError, match=r"mine\.part"):
        step.run()
    assert (step.parts / "mine.part").read_text() == "x"


def test_the_input_is_never_the_output(step):
    step.run()
    step.copies = step.out
    with pytest.raises(RequestError, match="also an input"):
        step.run(overwrite=True)


def test_a_dry_run_touches_nothing(step, capsys):
    found = step.run(dry_run=True)
    assert found["plan"][0] == {"phase": "frames", "parts": 6, "weight": 24, "unit": "frames"}
    assert [path.name for path in step.folder.iterdir()] == ["scratch"]
    assert "6 parts" in capsys.readouterr().err


def test_a_dry_run_refuses_parts_of_another_run(step):
    folder = step.folder / "out.h5.parts"
    folder.mkdir()
    (folder / "run.json").write_text('{"command": "step", "options": {"a": 99}}')
    before = sorted(step.folder.rglob("*"))
    with pytest.raises(RequestError, match="another run"):
        step.run(dry_run=True)
    assert step.run(dry_run=True, overwrite=True)["dry_run"]
    assert sorted(step.folder.rglob("*")) == before
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(RequestError, match=r"mine\.txt"):
        step.run(dry_run=True, overwrite=True)


def test_no_permission(step, monkeypatch):
    def mkdir(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", mkdir)
    with pytest.raises(RequestError, match="no permission"):
        step.run()


@pytest.mark.parametrize("change, words", [
    ({"options": {"a": 2}}, "a was 1 and is now 2"),
    ({"options": {"a": 1, "b": 3}}, "b was None and is now 3"),
    ({"seed": 5}, "seed was 0 and is now 5"),
    ({"command": "clean"}, "command was 'make' and is now 'clean'"),
    ({"inputs": ["ff"]}, "the inputs have changed"),
    ({"raw": {"a": [1, 3.0]}}, "input a has changed"),
    ({"raw": {}}, "input a is gone"),
    ({"raw": {"a": [1, 2.0], "b": [1, 1], "c": [1, 1]}}, "input b and 1 more is new"),
])  # fmt: skip
def test_the_difference_is_named(change, words):
    old = {"command": "make", "options": {"a": 1}, "seed": 0, "inputs": [], "raw": {"a": [1, 2.0]}, "usfm": "1"}
    assert words in difference(old, old | change)


def interrupted(step, number: int = 3) -> None:
    """Leave the parts of a run that was killed."""
    step.faults = {number: {"kind": "kill-before-rename"}}
    assert step.child() == -signal.SIGKILL
    step.faults = {}
    step.started()


def test_another_run_on_the_same_parts_is_refused(step, wanted, same):
    interrupted(step)
    left = step.finished()
    step.options = {"a": 2}
    with pytest.raises(RequestError, match=r"a was 1 and is now 2.*--overwrite"):
        step.run()
    assert step.finished() == left
    step.options = {"a": 1}
    step.run()
    assert same(step.out) == wanted


def test_overwrite_starts_another_run_afresh_but_resumes_the_same(step):
    interrupted(step, 5)
    left = step.finished()
    step.run(overwrite=True)
    assert not set(step.started()) & left
    interrupted_again = step.out.unlink() or interrupted(step, 5)
    assert interrupted_again is None
    step.options = {"a": 2}
    step.run(overwrite=True)
    assert sorted(step.started()) == list(range(6))


def test_a_folder_with_other_things_in_it_is_left_alone(step):
    step.parts.mkdir()
    (step.parts / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(RequestError, match=r"thesis\.tex"):
            step.run(overwrite=overwrite)
    assert (step.parts / "thesis.tex").read_text() == "years of work"


def test_the_history_holds_no_paths(step):
    payload = {"number": 0, "scratch": str(step.scratch)}
    step.plan = lambda _: [Part("x", payload)]
    figures = {"frames_read": 4, "report": "/home/me/report", "notes": [{"where": "a/b"}], "share": {"x": 0.5}}
    summary = run_step("make", Request(workers=1), {}, [Phase("frames", step.plan, job_works.make)], out=step.out,
                       figures=lambda _: dict(figures))  # fmt: skip
    assert summary["report"] == "/home/me/report"
    assert Store.open(step.out).history[-1]["figures"] == {"frames_read": 4, "share": {"x": 0.5}}
    assert str(step.folder) not in json.dumps(Store.open(step.out).history)


def test_figures_with_a_slash_in_a_name_stay_also_when_there_was_nothing_to_do(step):
    figures = {"frames/s": 4, "by class": {"benign/malignant": 2, "w/o label": 1}, "odds": [1, None, 0.5]}
    payload = {"number": 0, "scratch": str(step.scratch)}
    for again in (False, True):
        phase = Phase("frames", lambda _: [Part("x", payload)], job_works.make)
        summary = run_step("make", Request(workers=1), {}, [phase], out=step.out, figures=lambda _: dict(figures))
        assert bool(summary.get("up_to_date")) == again
        assert {name: summary[name] for name in figures} == figures
    assert Store.open(step.out).history[-1]["figures"] == figures


def test_two_runs_at_once(step, wanted, same):
    go = step.folder / "go"
    step.faults = {0: {"kind": "wait", "until": str(go)}}
    first = step.start()
    deadline = time.monotonic() + 20
    while not step.finished() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(RequestError, match=rf"held by another run \(process {first} "):
        step.run()
    go.touch()
    assert step.wait(first) == 0
    assert same(step.out) == wanted


def test_ctrl_c_finishes_the_parts_in_flight_and_says_how_to_go_on(step, wanted, same):
    step.faults = {1: {"kind": "ctrl-c"}}
    assert step.child() == 130, step.said
    assert "type the same command" in step.said
    assert 1 in step.finished()  # the part that was under way when Ctrl-C came
    left = step.finished()
    step.faults = {}
    step.started()
    step.run()
    assert not set(step.started()) & left
    assert same(step.out) == wanted


def test_a_second_ctrl_c_stops_at_once(step, wanted, same):
    step.faults = {1: {"kind": "ctrl-c", "times": 2}, 0: {"kind": "hang"}}
    started = time.monotonic()
    assert step.child() == 130
    assert time.monotonic() - started < 10
    step.faults = {}
    step.run()
    assert same(step.out) == wanted


def test_ctrl_c_while_the_store_is_put_together(step, wanted, same):
    def before() -> None:
        from usfm.store import assemble

        real = assemble._Assembly._chunks

        def chunks(*arguments) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            real(*arguments)

        assemble._Assembly._chunks = chunks

    assert step.child(before) == 130
    assert not step.out.exists()
    assert step.finished() == set(range(6))
    step.started()
    step.run()
    assert step.started() == []
    assert same(step.out) == wanted


def test_progress_says_what_was_resumed(step, capsys):
    interrupted(step, 5)
    found = len(step.finished())
    step.run()
    assert f"{found} of 6 parts are there from the run before" in capsys.readouterr().err


def test_a_damaged_part_is_done_again(step, wanted, same):
    interrupted(step, 5)
    victim = sorted(step.parts.glob("*.part"))[0]
    victim.write_bytes(victim.read_bytes()[:-1])
    number = int(victim.name.split("-")[1])
    step.run()
    assert number in step.started()
    assert same(step.out) == wanted


def test_frames_that_are_lost_are_noticed(step):
    payload = {"number": 0, "scratch": str(step.scratch)}
    step.run()
    step.copies, step.out = step.out, step.folder / "copy.h5"
    step.plan = lambda _: [Part("x", payload | {"paths": [str(step.copies)], "rows": [0]})]
    with pytest.raises(WorkError, match="24 frames came in, but 1 went out"):
        step.run()
    assert not step.out.exists()


def test_a_reduce_phase_reads_what_the_one_before_made(step):
    def second(done) -> list[Part]:
        text = b" ".join(path.read_bytes() for path in done["first"]).decode()
        numbers = [len(word) for word in text.split()]
        return [Part(str(n), {"number": n, "scratch": str(step.scratch)}) for n in numbers]

    first = Phase("first", lambda done: [Part(str(n), n) for n in (3, 1, 2)], job_works.word, unit="words")
    summary = run_step("make", Request(workers=2), {}, [first, Phase("second", second, job_works.make)], out=step.out,
                       figures=lambda done: {"words": len(done["first"])})  # fmt: skip
    assert summary["words"] == 3
    assert Store.open(step.out).column("source").tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert Store.open(step.out).source_column("path").tolist() == ["3.mp4", "1.mp4", "2.mp4"]


def test_out_path(tmp_path):
    assert out_path(Request(inputs=("a/raw.h5",), out="x.h5"), "clean").name == "x.h5"
    assert str(out_path(Request(inputs=("a/raw.h5",)), "clean")) == "a/raw.clean.h5"
    for inputs in [("a.h5", "b.h5"), (str(tmp_path / "*.h5"),), ()]:
        with pytest.raises(RequestError):
            out_path(Request(inputs=inputs), "clean")


def test_two_attempts_at_one_part_do_not_write_into_one_file(tmp_path):
    # On a cluster a worker that was given up for lost may still write, under the same process number.
    def slow():
        yield b"x" * (3 << 20)
        other.append(write_result(b"second", tmp_path, "part"))
        yield b"y"

    other: list[str] = []
    name = write_result(slow(), tmp_path, "part")
    assert (tmp_path / name).read_bytes() == b"x" * (3 << 20) + b"y"
    assert (tmp_path / other[0]).read_bytes() == b"second"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, other[0]])


def test_a_result_that_fails_while_it_is_made_leaves_nothing(tmp_path):
    def broken():
        yield b"x" * (3 << 20)
        raise OSError(5, "the clip cannot be read")

    with pytest.raises(OSError, match="the clip"):
        write_result(broken(), tmp_path, "part")
    assert not list(tmp_path.iterdir())
