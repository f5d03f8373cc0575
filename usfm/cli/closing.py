"""The last lines of a command on stderr: what it made, and the next line to type."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from usfm.quantities import counted


def made(summary: Mapping) -> str:
    """Say in one sentence what a command has made; "" where it made nothing.

    Args:
        summary: Of the command, as ``--json`` prints it.

    Examples:
        >>> made({"command": "embed", "out": "f.h5", "frames_out": 1200, "dim": 64})
        'f.h5 holds 1,200 frames as vectors of 64 numbers'
    """
    return _MADE[summary["command"]](summary) if summary["command"] in _MADE else ""


def following(summary: Mapping, inputs: Sequence[str] = ()) -> str:
    """The line to type after a command; "" where none follows.

    Args:
        summary: Of the command.
        inputs: Of the command, as they were given.

    Returns:
        The line, quoted for a shell.

    Examples:
        >>> following({"command": "clean", "out": "my data/raw.clean.h5"})
        "usfm dedup --in 'my data/raw.clean.h5'"
    """
    return _NEXT[summary["command"]](summary, inputs) if summary["command"] in _NEXT else ""


def _line(*words: str) -> str:
    return shlex.join(words)


def _beside(path: str, name: str) -> str:
    """A name in the folder of a path."""
    return str(Path(path).with_name(name))


def _ins(inputs: Sequence[str]) -> list[str]:
    return [word for one in inputs for word in ("--in", one)]


def _store(summary: Mapping) -> str:
    """What is in a store that a step made, and that no frame is lost."""
    words = [f"{summary['out']} holds {counted(summary['frames_out'], 'frame')}"]
    words[0] += f" of {counted(summary['sources'], 'source')}"
    if summary.get("frames_changed") is not None:
        words.append(f"{summary['frames_changed']:,} of them changed")
    if summary.get("added"):
        words.append(f"{summary['added']:,} of them by cutting split screens into their views")
    if summary["dropped"] or summary["rejected"]:
        words.append(f"of {summary['frames_in']:,} frames {summary['dropped']:,} were dropped as duplicates"
                     f" and {summary['rejected']:,} rejected")  # fmt: skip
    return "; ".join(words)


def _selected(summary: Mapping) -> str:
    """What was chosen; or of a search without a store what was searched."""
    if summary["out"] is None:
        return f"searched {counted(summary['searched'], 'file')}"
    words = [f"{summary['out']} holds {counted(summary['frames_out'], 'frame')}"]
    words[0] += f" of {counted(summary['sources'], 'source')}"
    words += [f"{count:,} left out by {stage.split(': ')[-1]}" for stage, count in summary["left_out"].items()]
    words += [f"{counted(summary['withdrawn'], 'frame')} withdrawn"] if summary["withdrawn"] else []
    words += [f"{counted(summary['rejected'], 'frame')} rejected"] if summary["rejected"] else []
    return "; ".join(words)


def _simulated(summary: Mapping) -> str:
    frames = counted(summary["frames_out"], "frame")
    return (
        f"{summary['out']} holds {counted(summary['sources'], 'file')} ({frames}); the truth is in {summary['truth']}"
    )


def _trained(summary: Mapping) -> str:
    if "trials" in summary:
        best = f"{summary['best_trial']} (held-out loss {summary['best_loss']:.4g})"
        return f"{summary['out']} holds {counted(len(summary['trials']), 'trial')}; the best is {best}"
    return f"{summary['out']} holds an encoder after {summary['steps']:,} steps on {summary['frames_trained']:,} frames"


def _probed(summary: Mapping) -> str:
    folds = counted(summary["folds"], "fold")
    frames, patients = counted(summary["frames_out"], "frame"), counted(summary["patients"], "patient")
    return f"{summary['out']} holds the predictions of {folds} for {frames} of {patients}"


def _exported(summary: Mapping) -> str:
    if summary["frames_out"] is not None:
        return f"{summary['out']} holds {counted(summary['frames_out'], 'frame')} as {summary['to']}"
    what = f"the networks of {counted(summary['folds'], 'fold')}" if summary.get("folds") else "the encoder"
    return f"{summary['out']} holds {what} for {summary['to']}"


def _described(summary: Mapping, inputs: Sequence[str]) -> str:
    """After ``info`` of one store: what follows the command that made it; of a run its text says so itself."""
    if len(summary["stores"]) != 1 or summary["runs"] or not summary["stores"][0]["history"]:
        return ""
    one = summary["stores"][0]
    return following({"command": one["history"][-1].get("command"), "out": one["path"]})


def _after_pretrain(summary: Mapping, inputs: Sequence[str]) -> str:
    encoder = ["--encoder", summary.get("best_run", summary["out"]), "--out"]
    if summary.get("classes"):
        return _line("usfm", "finetune", "classify", *_ins(inputs), *encoder, _beside(summary["out"], "probe"))
    return _line("usfm", "embed", *_ins(inputs), *encoder, _beside(inputs[0], "features.h5"))


def _after_embed(summary: Mapping, inputs: Sequence[str]) -> str:
    out = summary["out"]
    looks = {
        ".csv": f"head -n 3 {shlex.quote(out)}",
        ".npz": _line("python", "-c", f"import numpy; print(dict(numpy.load({out!r})))"),
        ".parquet": _line("python", "-c", f"import pyarrow.parquet as p; print(p.read_schema({out!r}))"),
    }
    vectors = ["--encoder", f"vectors:{out}", "--out", "runs/probe"]
    return looks.get(Path(out).suffix.lower()) or _line("usfm", "finetune", "classify", *_ins(inputs), *vectors)


_MADE: dict[str, Callable[[Mapping], str]] = {
    "simulate": _simulated,
    "extract": _store,
    "clean": _store,
    "dedup": _store,
    "sector": _store,
    "split": _store,
    "select": _selected,
    "pretrain": _trained,
    "finetune": _probed,
    "eval": lambda s: f"{s['report']} shows {counted(len(s['runs']), 'run')}",
    "predict": lambda s: f"{_store(s)}, each with the predictions of run {s['run']}",
    "embed": lambda s: f"{s['out']} holds {counted(s['frames_out'], 'frame')} as vectors of {s['dim']:,} numbers",
    "export": _exported,
    "demo": lambda s: f"{s['out']} is the report",
    "doctor": lambda s: f"to mend: {', '.join(s['broken'])}" if s["broken"] else "everything that usfm needs works",
}

_NEXT: dict[str, Callable[[Mapping, Sequence[str]], str]] = {
    "simulate": lambda s, _: _line("usfm", "extract", s["out"], "--out", _beside(s["out"], "raw.h5"), "--manifest",
                                   f"{s['out'].rstrip('/')}.truth/truth.csv"),
    "extract": lambda s, _: _line("usfm", "clean", "--in", s["out"]),
    "clean": lambda s, _: _line("usfm", "dedup", "--in", s["out"]),
    "dedup": lambda s, _: _line("usfm", "sector", "--in", s["out"], "--out", _beside(s["out"], "sector.h5")),
    "sector": lambda s, _: _line("usfm", "pretrain", "--in", s["out"], "--out", "runs/polarmae"),
    "pretrain": _after_pretrain,
    "finetune": lambda s, i: _line("usfm", "eval", s["out"], *_ins(i), "--out", "report"),
    "eval": lambda s, _: f"open {shlex.quote(s['report'])} in a browser",
    "predict": lambda s, _: _line("usfm", "info", s["out"]),
    "embed": _after_embed,
    "info": _described,
    "doctor": lambda s, _: "" if s["broken"] else "usfm demo",
    "demo": lambda s, _: f"open {shlex.quote(s['out'])} in a browser",
}  # fmt: skip
