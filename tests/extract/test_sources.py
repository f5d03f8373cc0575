"""What is a source: by content, by claim, by name; and the order and names they get."""

import os

import numpy as np
import pytest

from usfm.errors import RequestError
from usfm.extract.sources import find

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(40)


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_content_decides_and_a_claim_is_not_passed_over(tmp_path):
    write(tmp_path / "a/clip", MP4)
    write(tmp_path / "a/really_a_png.mp4", PNG)
    write(tmp_path / "a/text.mp4", b"this is a text, not a video\n" * 9)
    write(tmp_path / "a/empty.avi", b"")
    write(tmp_path / "a/scan.dcm", bytes(128) + b"DICM" + bytes(200))
    write(tmp_path / "a/unnamed_dicom", bytes(128) + b"DICM" + bytes(200))
    write(tmp_path / "a/both.dcm", b"II*\0" + bytes(124) + b"DICM" + bytes(200))
    for name in ("notes.txt", "LICENSE", "meta.csv", "x.json", ".hidden.png", ".git/x.png", "empty", "__MACOSX/b.png"):
        write(tmp_path / "a" / name, PNG if name.endswith("png") else b"words, words\n")
    found = find([str(tmp_path / "a")])
    assert {source.relative: source.kind or source.fault for source in found.sources} == {
        "clip": "video",
        "really_a_png.mp4": "image",
        "text.mp4": "not media",
        "empty.avi": "empty file",
        "scan.dcm": "dicom",
        "both.dcm": "dicom",
        "unnamed_dicom": "dicom",
    }
    assert found.skipped == 5  # notes, licence, table, json, empty; hidden ones are not even looked at


def test_a_file_that_was_named_is_never_passed_over(tmp_path):
    note = write(tmp_path / "note.txt", b"words")
    assert find([str(note)]).sources[0].fault == "not media"


def test_order_and_names_do_not_depend_on_the_prefix_or_the_order_of_inputs(tmp_path):
    for base in ("x", "y/deeper"):
        for name in ("b/2.png", "b/10.png", "a.png", "a/z.png", "a-1/z.png"):
            write(tmp_path / base / name, PNG)
    first = [source.relative for source in find([str(tmp_path / "x")]).sources]
    second = [source.relative for source in find([str(tmp_path / "y/deeper")]).sources]
    assert first == second == ["a/z.png", "a-1/z.png", "a.png", "b/10.png", "b/2.png"]
    files = [str(tmp_path / "x/b/2.png"), str(tmp_path / "x/b/10.png")]
    assert find(files) == find(files[::-1]) == find([str(tmp_path / "x/b/*.png")])


def test_two_roots_with_one_relative_path_get_their_names_in_front(tmp_path):
    for root in ("north/clips", "south/clips", "east"):
        write(tmp_path / root / "1.png", PNG)
    write(tmp_path / "other/2.png", PNG)
    roots = [str(tmp_path / name) for name in ("north/clips", "south/clips", "other")]
    names = {source.relative for source in find(roots).sources}
    assert names == {"north/clips/1.png", "south/clips/1.png", "2.png"}
    names = {source.relative for source in find([roots[0], str(tmp_path / "east"), roots[2]]).sources}
    assert names == {"clips/1.png", "east/1.png", "2.png"}


def test_a_file_given_twice_is_one_source(tmp_path):
    file = write(tmp_path / "a/1.png", PNG)
    assert len(find([str(tmp_path / "a"), str(file), os.path.relpath(file)]).sources) == 1


def test_a_folder_that_links_to_itself_ends(tmp_path):
    write(tmp_path / "a/1.png", PNG)
    (tmp_path / "a/loop").symlink_to(tmp_path / "a")
    assert len(find([str(tmp_path / "a")]).sources) == 1


@pytest.mark.parametrize("prepare, match", [
    (lambda p: None, "no such file"),
    (lambda p: p.mkdir(), "no video or image"),
    (lambda p: write(p / "only.txt", b"x"), r"1 other files were passed over"),
])  # fmt: skip
def test_nothing_to_read_is_one_sentence(tmp_path, prepare, match):
    prepare(tmp_path / "in")
    with pytest.raises(RequestError, match=match):
        find([str(tmp_path / "in")])


def test_a_folder_that_cannot_be_listed_is_one_sentence(tmp_path, monkeypatch):
    write(tmp_path / "a/1.png", PNG)

    def refuse(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(RequestError, match="cannot list"):
        find([str(tmp_path / "a")])


@pytest.mark.timeout(20)
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    assert find([str(tmp_path)]).sources[0].fault == "not a file"
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "other" / "DICOMDIR")
    with pytest.raises(RequestError, match="no video or image in it"):
        find([str(tmp_path / "other")])


def test_two_letters_do_not_make_a_bitmap(tmp_path, make_still):
    write(tmp_path / "in/BMI.txt", b"BMI of all patients: unknown, see the table below\n")
    make_still("in/real", np.zeros((4, 4), np.uint8), format="BMP")
    found = find([str(tmp_path / "in")])
    assert [source.kind for source in found.sources] == ["image"]
    assert found.skipped == 1
