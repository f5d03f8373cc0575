import json
import os

import pytest

from usfm.errors import RequestError
from usfm.jobs import outputs
from usfm.store import whole

MARKER = outputs.Marker("card.json", {"kind": "probe"}, older=("figures/*.png",))


def _make(out, key, overwrite=False):
    with outputs.whole_directory(out, MARKER, overwrite=overwrite) as new:
        (new / "figures").mkdir()
        (new / "figures/a.png").write_text(key)
        (new / "card.json").write_text(json.dumps({"key": key, "kind": "probe"}))


def test_nothing_there_is_to_be_done_and_the_same_is_up_to_date(tmp_path):
    out = tmp_path / "deep" / "run"
    assert not outputs.up_to_date(out, "k", False, MARKER)
    _make(out, "k")
    assert outputs.up_to_date(out, "k", False, MARKER)
    assert not outputs.up_to_date(out, "k", True, MARKER)


def test_another_result_needs_overwrite(tmp_path):
    _make(tmp_path / "run", "k")
    with pytest.raises(RequestError, match="--overwrite"):
        outputs.up_to_date(tmp_path / "run", "other", False, MARKER)
    assert not outputs.up_to_date(tmp_path / "run", "other", True, MARKER)


def test_what_is_not_ours_is_never_removed(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RequestError, match="not made by this command"):
        outputs.up_to_date(tmp_path, "k", True, MARKER)
    (tmp_path / "card.json").write_text("[1]")
    with pytest.raises(RequestError, match="not made by this command"):
        outputs.up_to_date(tmp_path, "k", True, MARKER)


def test_a_marker_of_another_command_is_not_ours(tmp_path):
    (tmp_path / "card.json").write_text(json.dumps({"key": "k", "kind": "other"}))
    with pytest.raises(RequestError, match="not made by this command"):
        outputs.up_to_date(tmp_path, "k", True, MARKER)


def _fails_second(monkeypatch):
    """Let names not change places, and the second rename fail, as some disks do."""
    rename, calls = os.rename, []

    def failing(a, b):
        calls.append(a)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        rename(a, b)

    monkeypatch.setattr(whole, "exchange", lambda a, b: False)
    monkeypatch.setattr(whole.os, "rename", failing)


@pytest.mark.parametrize("how", ["in the making", "in the renames"])
def test_a_failure_leaves_the_old_result_and_nothing_else(tmp_path, monkeypatch, how):
    _make(tmp_path / "run", "old")
    if how == "in the renames":
        _fails_second(monkeypatch)
    with pytest.raises(OSError):  # noqa: PT012
        with outputs.whole_directory(tmp_path / "run", MARKER, overwrite=True) as new:
            (new / "card.json").write_text(json.dumps({"key": "new", "kind": "probe"}))
            if how == "in the making":
                raise OSError
    assert MARKER.key_of(tmp_path / "run") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    monkeypatch.undo()
    _make(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run/figures/a.png").read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


def test_without_exchange_the_old_result_is_replaced_too(tmp_path, monkeypatch):
    monkeypatch.setattr(whole, "exchange", lambda a, b: False)
    for key in ("old", "new"):
        _make(tmp_path / "run", key, overwrite=True)
    assert MARKER.key_of(tmp_path / "run") == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("name", ["notes.txt", "figures/mine.png", "figures/deep/er.txt", "empty/", "link"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_file_of_the_users_in_a_result_stops_overwrite(tmp_path, name, listed):
    out = tmp_path / "run"
    _make(out, "old")
    if not listed:  # as versions before wrote it
        (out / "card.json").write_text(json.dumps({"key": "old", "kind": "probe"}))
        assert not outputs.up_to_date(out, "new", True, MARKER)
        if name == "figures/mine.png":
            return  # patterns cannot tell it
    theirs = out / name
    theirs.parent.mkdir(exist_ok=True)
    if name == "link":
        theirs.symlink_to(tmp_path)
    elif name == "empty/":
        theirs.mkdir()
    else:
        theirs.write_text("x")
    with pytest.raises(RequestError, match=name.rstrip("/")):
        outputs.up_to_date(out, "new", True, MARKER)
    with pytest.raises(RequestError, match=name.rstrip("/")):
        _make(out, "new", overwrite=True)
    assert MARKER.key_of(out) == "old"


@pytest.mark.parametrize("kept", ["run.old", "run.new", "run.tmp", ".run.unfinished", "run.parts", "run.truth"])
def test_what_lies_beside_stays(tmp_path, kept):
    (tmp_path / kept).mkdir()
    (tmp_path / kept / "thesis.tex").write_text("years of work")
    for key in ("old", "new"):
        _make(tmp_path / "run", key, overwrite=True)
    assert (tmp_path / kept / "thesis.tex").read_text() == "years of work"


def test_something_that_came_meanwhile_is_not_replaced(tmp_path):
    with pytest.raises(RequestError, match="meanwhile"):  # noqa: PT012
        with outputs.whole_directory(tmp_path / "run", MARKER) as new:
            (new / "card.json").write_text(json.dumps({"key": "new", "kind": "probe"}))
            (tmp_path / "run").mkdir()
            (tmp_path / "run" / "thesis.tex").write_text("x")
    assert [each.name for each in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_what_a_killed_process_left_is_swept_and_a_living_one_is_not(tmp_path):
    dead, living = whole.private(tmp_path / "run"), whole.private(tmp_path / "run")
    dead.mkdir()
    living.mkdir()
    fd = os.open(living, os.O_RDONLY)
    assert whole.hold(fd)
    _make(tmp_path / "run", "k")
    assert not dead.exists()
    assert living.exists()
    os.close(fd)


def test_a_link_stays_and_its_target_is_replaced(tmp_path):
    _make(tmp_path / "far", "old")
    (tmp_path / "run").symlink_to(tmp_path / "far")
    _make(tmp_path / "run", "new", overwrite=True)
    assert (tmp_path / "run").is_symlink()
    assert MARKER.key_of(tmp_path / "far") == "new"
    file, link = tmp_path / "file.json", tmp_path / "link.json"
    file.write_text("old")
    link.symlink_to(file)
    whole.write_json(link, {"loss": float("nan")})
    assert link.is_symlink()
    assert json.loads(file.read_text()) == {"loss": None}


@pytest.mark.parametrize("kind", ["device", "fifo", "loop", "NUL", "long"])
def test_what_no_result_can_be(tmp_path, kind):
    out = tmp_path / "out"
    if kind == "fifo":
        os.mkfifo(out)
    elif kind == "loop":
        out.symlink_to(out)
    names = {"device": os.devnull, "NUL": "a\0b", "long": tmp_path / ("x" * 300)}
    with pytest.raises(RequestError) as error:
        whole.place(names.get(kind, out))
    assert "--overwrite" not in str(error.value)


def test_files_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with whole.whole_file(tmp_path / "a.bin") as temporary:
            temporary.unlink()
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))  # as some libraries write
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


def test_a_report_is_refused_before_the_work_where_it_cannot_be(tmp_path):
    outputs.check_report(None)
    outputs.check_report(tmp_path / "deep" / "report")
    assert not (tmp_path / "deep").exists()
    page = outputs.write_report(tmp_path / "report", "<html><head></head></html>")
    outputs.check_report(tmp_path / "report")
    page.write_text("<html>of the user's</html>")
    (tmp_path / "file").write_text("x")
    for bad in (tmp_path / "report", tmp_path / "file", tmp_path / "file" / "below", "/proc/report", os.devnull):
        with pytest.raises(RequestError):
            outputs.check_report(bad)
    assert page.read_text() == "<html>of the user's</html>"
