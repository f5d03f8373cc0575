"""What a user may get wrong, in every command: one sentence, the right code, nothing lost, nothing half-written."""

import hashlib
import os
import shutil

import h5py
import numpy as np
import pytest

from usfm.cli.main import main
from usfm.cli.table import COMMANDS

READERS = {
    "clean": ["clean", "--in", "STORE", "--text", "none"],
    "dedup": ["dedup", "--in", "STORE"],
    "sector": ["sector", "--in", "STORE"],
    "split": ["split", "--in", "STORE"],
    "select": ["select", "--in", "STORE", "--where", "index >= 0"],
    "pretrain": ["pretrain", "--in", "SECTOR", "--out", "OUT", "--recipe", "debug", "--batch-size", "4"],
    "finetune": ["finetune", "classify", "--in", "SECTOR", "--encoder", "random", "--out", "OUT"],
    "embed": ["embed", "--in", "STORE", "--encoder", "random", "--out", "OUT"],
    "info": ["info", "STORE"],
}
"""Every command that reads a store, with what it needs besides."""

WRITERS = {
    "simulate": ["simulate", "--clips", "1", "--stills", "0", "--out", "OUT"],
    "extract": ["extract", "MEDIA", "--out", "OUT"],
    "clean": [*READERS["clean"], "--out", "OUT"],
    "dedup": [*READERS["dedup"], "--out", "OUT"],
    "sector": [*READERS["sector"], "--out", "OUT"],
    "split": [*READERS["split"], "--out", "OUT"],
    "select": [*READERS["select"], "--out", "OUT"],
    "pretrain": READERS["pretrain"],
    "finetune": READERS["finetune"],
    "embed": READERS["embed"],
}
"""Every command that writes, with an input that is good."""

TOML = {name: READERS.get(name) or WRITERS.get(name) or [name] for name in COMMANDS}
TOML |= {"eval": ["eval", "RUN", "--out", "OUT"], "export": ["export", "RUN", "--out", "OUT"]}


class Desk:
    """A folder with good inputs, and a way to run a command in it and look at what it said and touched."""

    def __init__(self, folder, capfd):
        self.folder, self._capfd = folder, capfd

    def fill(self, arguments, **places):
        names = {"STORE": "good.h5", "SECTOR": "sector.h5", "MEDIA": "media", "OUT": "out", "RUN": "media"} | places
        return [str(self.folder / names[one]) if one in names else one for one in arguments]

    def snapshot(self):
        return {
            path.relative_to(self.folder): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
        }

    def refused(self, arguments, code=2):
        """Run a command that must fail: return its one sentence."""
        before = self.snapshot()
        self._capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main(arguments)
        said = self._capfd.readouterr()
        lines = said.err.splitlines()  # what a command says on its way may stand before
        complaints = [line for line in lines if line.startswith("usfm: ")]
        assert end.value.code == code, said.err
        assert complaints == lines[-1:], said.err
        assert "Traceback" not in said.err
        assert said.out == ""
        after = {path: data for path, data in self.snapshot().items() if not str(path.parts[0]).endswith(".parts")}
        assert after == {path: data for path, data in before.items() if not str(path.parts[0]).endswith(".parts")}
        return complaints[0]


@pytest.fixture
def desk(good, tmp_path, capfd):
    shutil.copytree(good, tmp_path, dirs_exist_ok=True)
    return Desk(tmp_path, capfd)


def _foreign(path):
    with h5py.File(path, "w") as file:
        file["pixels"] = np.zeros((3, 4, 4), np.uint8)


def _truncated(path):
    data = path.with_name("good.h5").read_bytes()
    path.write_bytes(data[: len(data) // 2])


def _newer(path):
    shutil.copy(path.with_name("good.h5"), path)
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 999


BAD_STORES = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.touch(),
    "text": lambda path: path.write_text("no store, but words\n" * 50),
    "an image": lambda path: shutil.copy(path.with_name("media") / "sick/p0_0.png", path),
    "foreign HDF5": _foreign,
    "truncated": _truncated,
    "newer": _newer,
}


@pytest.mark.parametrize("what", BAD_STORES)
@pytest.mark.parametrize("command", READERS)
def test_an_input_that_is_no_store(desk, command, what):
    BAD_STORES[what](desk.folder / "bad.h5")
    sentence = desk.refused(desk.fill(READERS[command], STORE="bad.h5", SECTOR="bad.h5"))
    assert "bad.h5" in sentence
    if what == "newer":
        assert "newer" in sentence


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("command", WRITERS)
def test_an_output_that_exists(desk, command, dry):
    (desk.folder / "out").write_text("something of the user's")
    for more in ([], ["--overwrite"]):
        assert str(desk.folder / "out") in desk.refused(desk.fill([*WRITERS[command], *dry, *more]))


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
@pytest.mark.parametrize("command", WRITERS)
def test_an_output_below_a_file(desk, command, dry):
    assert "good.h5" in desk.refused(desk.fill([*WRITERS[command], *dry], OUT="good.h5/out"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("command", WRITERS)
def test_an_output_where_one_may_not_write(desk, command):
    locked = desk.folder / "locked"
    locked.mkdir(mode=0o500)
    for dry in ([], ["--dry-run"]):
        assert "permission" in desk.refused(desk.fill([*WRITERS[command], *dry], OUT="locked/out")).lower()


@pytest.mark.parametrize("command", ["clean", "dedup", "sector", "embed"])
def test_an_output_that_is_the_input(desk, command):
    assert "good.h5" in desk.refused(desk.fill(WRITERS[command], OUT="good.h5"))


@pytest.mark.parametrize("command", ["clean", "dedup", "sector"])
def test_several_inputs_and_no_output(desk, command):
    shutil.copy(desk.folder / "good.h5", desk.folder / "good2.h5")
    arguments = [*desk.fill(READERS[command]), "--in", str(desk.folder / "good2.h5")]
    assert "--out" in desk.refused(arguments)


@pytest.mark.parametrize("command", sorted(TOML))
def test_a_settings_file_with_an_unknown_key(desk, command):
    file = desk.folder / "settings.toml"
    file.write_text(f"[{command}]\nno_such_setting = 1\n")
    sentence = desk.refused([*desk.fill(TOML[command]), "--config", str(file)])
    assert "no_such_setting" in sentence
    assert "settings.toml" in sentence


@pytest.mark.parametrize("text, words", [
    ("[extract]\nmax_frame = 3\n", "did you mean 'max_frames'"),
    ("[extrct]\nfps = '3'\n", "did you mean 'extract'"),
    ("[extract]\nmax_frames = 'many'\n", "must be of type int"),
    ("[extract]\nmax_frames = 0\n", "at least 1"),
    ("[extract\n", "not a TOML file"),
    ("fps = '3'\n", "outside a section"),
    (None, "cannot read"),
])  # fmt: skip
def test_a_settings_file_that_is_wrong(desk, text, words):
    file = desk.folder / "settings.toml"
    if text is not None:
        file.write_text(text)
    assert words in desk.refused(["extract", str(desk.folder / "media"), "--out", "x.h5", "--config", str(file)])


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_flag(desk, command):
    assert "--no-such-flag" in desk.refused([command, "--no-such-flag"])


@pytest.mark.parametrize("command", [name for name in COMMANDS if name in WRITERS])
def test_what_help_calls_required_is_asked_for(desk, command):
    whole = desk.fill(WRITERS[command])
    for name in COMMANDS[command].required:
        at = whole.index(f"--{name}")
        assert f"--{name}" in desk.refused(whole[:at] + whole[at + 2 :])
    if "--in" in whole:
        at = whole.index("--in")
        assert "--in" in desk.refused(whole[:at] + whole[at + 2 :])


def test_what_can_be_seen_without_a_library_is_seen_first(desk, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("usfm.pretrain.run")]:
        monkeypatch.delitem(sys.modules, name)
    recipe = desk.refused(["pretrain", "--in", "none.h5", "--out", "o", "--recipe", "polarmea"])
    assert "did you mean 'polarmae'" in recipe
    assert "usfm.pretrain.run" not in sys.modules, "which would load torch"
    for command in ("finetune", "embed"):
        whole = desk.fill([*READERS[command], "--overwrite"])
        whole[whole.index("random")] = "resnet50"
        assert "timm:resnet50" in desk.refused(whole)
    assert "sector.h5" in desk.refused(["eval", str(desk.folder / "sector.h5")]), "it is no run, with or without --out"


def test_an_unknown_command(desk):
    assert "did you mean 'extract'" in desk.refused(["extrct"])


def _media(name, data=None, keep=None):
    def make(folder):
        folder.mkdir()
        if data is not None:
            (folder / name).write_bytes(data)
        elif keep is not None:
            whole = (folder.parent / "clip.mp4").read_bytes()
            (folder / name).write_bytes(whole[: int(len(whole) * keep)])

    return make


BAD_MEDIA = {
    "missing": (lambda folder: None, 2, "no such file"),
    "empty folder": (_media("x"), 2, "no video or image"),
    "only notes": (_media("notes.txt", b"words"), 2, "passed over"),
    "text named .mp4": (_media("a.mp4", b"this is no film\n" * 99), 1, "not media (1)"),
    "no bytes": (_media("a.mp4", b""), 1, "empty file (1)"),
    "truncated mp4": (_media("a.mp4", keep=0.5), 1, "truncated or damaged (1)"),
    "a head and nothing else": (_media("a.mp4", keep=0.01), 1, "truncated or damaged (1)"),
    "DICOM": (_media("a.dcm", bytes(128) + b"DICM" + bytes(64)), 1, "damaged (1)"),
}


@pytest.mark.parametrize("what", BAD_MEDIA)
def test_media_that_are_none(desk, what):
    import av

    with av.open(str(desk.folder / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        for shade in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade * 5, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    make, code, words = BAD_MEDIA[what]
    make(desk.folder / "bad")
    arguments = ["extract", str(desk.folder / "bad"), "--out", str(desk.folder / "out.h5"), "--workers", "1"]
    assert words in desk.refused(arguments, code)
    assert not (desk.folder / "out.h5").exists()


@pytest.mark.parametrize("arguments, words", [
    (["pretrain", "--in", "STORE", "--out", "OUT", "--recipe", "polarmea"], "did you mean 'polarmae'"),
    (["pretrain", "--in", "STORE", "--out", "OUT", "--recipe", "debug"], "sector"),
    (["finetune", "classify", "--in", "STORE", "--encoder", "random", "--out", "OUT"], "label"),
    (["embed", "--in", "STORE", "--encoder", "none.pth", "--out", "OUT"], "none.pth"),
    (["finetune", "clasify", "--in", "STORE", "--encoder", "random", "--out", "OUT"], "classify"),
    (["embed", "--in", "STORE", "--encoder", "MEDIA", "--out", "OUT"], "media"),
    (["embed", "--in", "STORE", "--encoder", "good.png", "--out", "OUT"], "good.png"),
    (["eval", "MEDIA", "--out", "OUT"], "media"),
    (["eval", "OUT", "--out", "OUT"], "out"),
    (["info", "MEDIA"], "media"),
    (["export", "MEDIA"], "media"),
    (["clean", "--in", "STORE", "--text", "tesseract9"], "text is 'tesseract9'"),
    (["dedup", "--in", "STORE", "--visual-threshold", "7"], "threshold"),
    (["sector", "--in", "STORE", "--size", "-5"], "size"),
    (["extract", "MEDIA", "--out", "OUT", "--preset", "polarmae"], "nothing for extract"),
    (["extract", "MEDIA", "--out", "OUT", "--fps", "0"], "fps"),
    (["extract", "MEDIA", "--out", "OUT", "--manifest", "none.csv"], "none.csv"),
    (["extract", "MEDIA", "--out", "OUT", "--workers", "0"], "workers"),
])  # fmt: skip
def test_the_wrong_kind_of_thing(desk, arguments, words):
    assert words in desk.refused(desk.fill(arguments)).lower()


REPLACERS = {name: WRITERS[name] for name in ("simulate", "extract", "clean", "dedup", "sector", "pretrain", "embed")}
REPLACERS |= {"finetune": WRITERS["finetune"]}


@pytest.mark.parametrize("kind", ["file", "folder", "HDF5", "link", "FIFO"])
@pytest.mark.parametrize("command", REPLACERS)
def test_overwrite_never_takes_what_is_not_ours(desk, command, kind):
    """Neither what has the output's name nor what lies beside it under a name that we might use."""
    out = desk.folder / "out"
    if kind == "folder":
        out.mkdir()
        (out / "card.json").write_text('{"key": "k"}')
    elif kind == "HDF5":
        _foreign(out)
    elif kind == "FIFO":
        os.mkfifo(out)
    else:
        theirs = desk.folder / "theirs.txt"
        theirs.write_text("years of work")
        out.symlink_to(theirs) if kind == "link" else shutil.copy(theirs, out)
    for suffix in (".old", ".new", ".tmp", ".unfinished", ".json"):
        (desk.folder / f"out{suffix}").mkdir()
    assert "out" in desk.refused([*desk.fill(REPLACERS[command]), "--overwrite"]) or kind == "link"
    assert out.is_symlink() == (kind == "link")


KINDS = ("fifo", "socket", "device", "folder", "long", "NUL", "loop", "below a loop", "not UTF-8", "half a surrogate",
         "empty", "text", "literal", "root", "escapes")  # fmt: skip
OPTIONS = {
    "--in": {name: READERS[name] for name in ("clean", "dedup", "sector", "pretrain", "finetune", "embed")},
    "--config": {name: TOML[name] for name in COMMANDS},
    "--manifest": {"extract": WRITERS["extract"]},
    "--salt": {"extract": [*WRITERS["extract"], "--group", "(?P<patient>p)"]},
    "--path-map": {"info": READERS["info"]},
    "--corrections": {"sector": READERS["sector"]},
    "--encoder": {name: READERS[name] for name in ("finetune", "embed")},
    "--init": {"pretrain": READERS["pretrain"]},
    "--recipe": {"pretrain": READERS["pretrain"]},
    "--embedder": {"dedup": READERS["dedup"]},
    "--against": {"dedup": READERS["dedup"]},
    "STORE": {"info": ["info", "STORE"]},
    "RUN": {"eval": TOML["eval"], "export": TOML["export"]},
    "--run": {"predict": ["predict", "--in", "STORE", "--run", "RUN", "--out", "OUT"]},
    "MEDIA": {"extract": WRITERS["extract"]},
}
"""Each way to name a file, and the commands that have it."""
TAKEN = {("MEDIA", kind) for kind in ("folder", "root", "text", "literal", "not UTF-8", "escapes", "loop", "fifo",
                                      "socket", "device", "below a loop")}  # fmt: skip
TAKEN |= {("--salt", kind) for kind in ("text", "literal", "not UTF-8", "escapes")}
"""Not refused at once: a folder is searched, and a file that is no media is rejected; any text is a key."""


def _odd(folder):
    """Names of every kind that a user, a script or an attacker may give where a file is expected."""
    import socket

    folder.mkdir(exist_ok=True)
    os.mkfifo(folder / "fifo")
    (folder / "loop").symlink_to("loop")
    (folder / "folder").mkdir()
    for name in (b"text", b"M\xfcller", b"raw[1].h5", b"\x1b[31m\nusfm: done"):
        with open(os.fsencode(folder) + b"/" + name, "w") as file:
            file.write("no store and no settings\n")
    # The path of a socket has 107 bytes at most, so it is bound from inside.
    here = os.getcwd()
    os.chdir(folder)
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    os.chdir(here)
    at = {"fifo": "fifo", "socket": "socket", "folder": "folder", "loop": "loop", "below a loop": "loop/x",
          "not UTF-8": os.fsdecode(b"M\xfcller"), "text": "text", "literal": "raw[1].h5",
          "escapes": "\x1b[31m\nusfm: done"}  # fmt: skip
    return {**{kind: str(folder / name) for kind, name in at.items()}, "device": "/dev/zero", "long": "x" * 5000,
            "NUL": "a\0b", "half a surrogate": "a\ud800b", "empty": "", "root": "/"}  # fmt: skip


def _refusal(arguments, capfd, limit_s=20):
    """Run a command that must refuse within a time: return its sentence."""
    import signal

    def late(*_):
        raise TimeoutError(f"{arguments}: no answer in {limit_s} s")

    capfd.readouterr()
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(limit_s)
    try:
        with pytest.raises(SystemExit) as end:
            main(arguments)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    said = capfd.readouterr()
    assert end.value.code == 2, (arguments, said.err)
    assert said.out == ""
    assert all(char.isprintable() or char == "\n" for char in said.err)
    lines = [line for line in said.err.splitlines() if line.startswith("usfm: ")]
    assert lines == said.err.splitlines()[-1:]
    assert "Traceback" not in said.err
    assert len(lines[0]) < 700
    return lines[0]


def _odd_cases():
    """Every option with each kind: an eighth of them in the default run, the others in the slow one."""
    number = 0
    for option, commands in OPTIONS.items():
        for command in commands:
            for kind in KINDS:
                number += (option, kind) not in TAKEN
                if (option, kind) not in TAKEN:
                    mark = () if number % 8 == 0 else pytest.mark.slow
                    yield pytest.param(option, command, kind, marks=mark, id=f"{command} {option} {kind}")


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return _odd(tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("option, command, kind", _odd_cases())
def test_a_name_of_an_odd_kind(good, odd, tmp_path, capfd, option, command, kind):
    places = {"STORE": good / "good.h5", "SECTOR": good / "sector.h5", "MEDIA": good / "media", "OUT": tmp_path / "out",
              "RUN": good / "media"}  # fmt: skip
    arguments = list(OPTIONS[option][command])
    if option in arguments:  # an argument, or an option that the command needs anyway
        arguments[arguments.index(option) + option.startswith("--")] = odd[kind]
    else:
        arguments += [option, odd[kind]]
    sentence = _refusal([str(places.get(one, one)) for one in arguments], capfd)
    if kind == "empty":
        assert "is empty" in sentence
    assert not list(tmp_path.iterdir())
