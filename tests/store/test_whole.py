"""Files and folders under private names: another process that tidies up takes nothing that is being made."""

import os

import pytest

from usfm.store import whole


@pytest.mark.parametrize("times", [1, 3])
def test_what_was_just_made_is_not_swept_away(tmp_path, monkeypatch, times):
    """Between the making of a name and its lock another process may sweep: then the work begins under a new name."""
    real, left = whole.keep, [times]

    def keep(fd):
        if left[0]:
            left[0] -= 1
            whole.sweep(tmp_path / "out.h5")
            whole.sweep(tmp_path / "run")
        return real(fd)

    monkeypatch.setattr(whole, "keep", keep)
    with whole.whole_file(tmp_path / "out.h5") as temporary:
        temporary.write_bytes(b"all of it")
        whole.sweep(tmp_path / "out.h5")  # nor while it is made
    assert (tmp_path / "out.h5").read_bytes() == b"all of it"
    left[0] = times
    folder, fd = whole.begun_folder(tmp_path / "run")
    whole.sweep(tmp_path / "run")
    assert folder.is_dir()
    os.close(fd)
    whole.sweep(tmp_path / "run")  # its maker is gone
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.h5"]


def test_a_file_that_another_process_has_locked_is_given_up(tmp_path):
    """It sweeps: it holds the lock and has not removed the file yet."""
    file = tmp_path / "x"
    file.write_bytes(b"")
    mine, theirs = os.open(file, os.O_RDWR), os.open(file, os.O_RDONLY)
    assert whole.hold(theirs)
    assert not whole.keep(mine)
    os.close(theirs)
    assert whole.keep(mine)
    file.unlink()
    assert not whole.keep(mine)
    os.close(mine)
