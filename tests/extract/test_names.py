"""File names of every kind: read, or a row with its reason, or one sentence; and text that can be turned back."""

import os
import socket

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.extract import walk
from usfm.extract.names import path_of, text_of
from usfm.extract.sources import find

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
ODD = [b"M\xfcller.png", b"a\nb.png", b"\x1b[31mred.png", b"back\\slash.png", b"\xff\xfe.png", b"\xe2\x80\xaegnp.png",
       "Mu\u0308ller.png".encode(), "M\u00fcller.png".encode(), b"x" * 251 + b".png", b" .png",
       b"clip[1].png"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_any_name_is_a_source_whose_text_is_valid_and_turns_back(tmp_path, name):
    (tmp_path / os.fsdecode(name)).write_bytes(PNG)
    (source,) = find([str(tmp_path)]).sources
    assert source.kind == "image"
    source.relative.encode("utf-8")
    assert source.relative.isprintable()
    assert os.fsencode(path_of(source.relative)) == name
    assert find([source.path]).sources[0].path == source.path


def test_texts_of_different_names_differ():
    names = ["\\xfc", "\udcfc", "\u00fc", "u\u0308", "\\", "\\x5cxfc"]
    assert len({text_of(name) for name in names}) == len(names)


def test_what_is_no_file_is_a_row_or_passed_over_and_never_hangs(tmp_path):
    (tmp_path / "loop.mp4").symlink_to("loop.mp4")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.avi")
    with socket.socket(socket.AF_UNIX) as one:
        before = os.getcwd()
        os.chdir(tmp_path)
        one.bind("socket.png")
        os.chdir(before)
        found = find([str(tmp_path)])
    faults = {source.relative: source.fault for source in found.sources}
    assert faults == {
        "loop.mp4": "not readable",
        "dangling.png": "not readable",
        "pipe.avi": "not a file",
        "socket.png": "not a file",
    }
    assert found.passed == {"without suffix": 1}
    assert find([str(tmp_path / "loop.mp4")]).sources[0].fault == "not readable"


def test_a_folder_of_any_depth_is_walked_and_what_is_too_long_is_a_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(60):
        os.mkdir("d" * 80)
        os.chdir("d" * 80)
        if len(os.getcwd()) > 4200:
            break
    fd = os.open("deep.png", os.O_WRONLY | os.O_CREAT)
    os.write(fd, PNG)
    os.close(fd)
    os.chdir(tmp_path)
    (tmp_path / "top.png").write_bytes(PNG)
    faults = [source.fault for source in find([str(tmp_path)]).sources]
    assert sorted(faults) == ["", "path too long"]


def test_the_work_for_a_folder_does_not_grow_with_its_depth(tmp_path, monkeypatch):
    folder = tmp_path
    for _ in range(200):
        folder = folder / "d"
    folder.mkdir(parents=True)
    (folder / "x.png").write_bytes(PNG)
    calls = []
    real = os.stat
    monkeypatch.setattr(walk.os, "stat", lambda *args, **kw: calls.append(1) or real(*args, **kw))
    assert len(find([str(tmp_path)]).sources) == 1
    assert len(calls) < 3 * 201


def test_linked_folders_are_entered_once_under_their_own_name(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/1.png").write_bytes(PNG)
    (tmp_path / "a-link").symlink_to("real")
    assert [source.relative for source in find([str(tmp_path)]).sources] == ["real/1.png"]
    (tmp_path / "real/again").symlink_to(tmp_path)
    for pattern in ("**", "**/*.png", "*/**/1.png", "**/re*/**"):
        assert len(find([f"{tmp_path}/{pattern}"]).sources) == 1


def test_an_unlistable_folder_is_named_only_where_paths_are_plain(tmp_path, monkeypatch):
    (tmp_path / "doe").mkdir()
    real = os.scandir

    def scandir(folder):
        if str(folder).endswith("doe"):
            raise PermissionError(13, "Permission denied", folder)
        return real(folder)

    monkeypatch.setattr(walk.os, "scandir", scandir)
    with pytest.raises(RequestError, match="doe: cannot list"):
        find([str(tmp_path)])
    with pytest.raises(RequestError, match="find ") as caught:
        find([str(tmp_path)], private=True)
    assert "doe" not in str(caught.value)


@pytest.mark.parametrize("name", [b"M\xfcller.png", b"a\nb.png", b"x" * 251 + b".png"])
def test_a_store_holds_any_name(tmp_path, name):
    from PIL import Image

    from usfm.config import Request
    from usfm.extract.config import Config
    from usfm.extract.run import run
    from usfm.store.reader import Store

    (tmp_path / "in").mkdir()
    with open(tmp_path / "in" / os.fsdecode(name), "wb") as file:
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(file, format="PNG")
    out = str(tmp_path / "s.h5")
    run(Config(), Request(inputs=(str(tmp_path / "in"),), out=out, workers=1))
    assert os.fsencode(path_of(Store.open(out).source_column("path")[0])) == name
