"""Pseudonyms: stable for a key, different between keys, nothing readable; and where the key comes from."""

import stat

import pytest

from usfm import console
from usfm.errors import RequestError
from usfm.extract.identity import Pseudonyms, key_file, load_key


def test_the_same_key_gives_the_same_names_and_another_others():
    one, again, other = Pseudonyms(b"k"), Pseudonyms(b"k"), Pseudonyms(b"K")
    assert one.patient("Müller") == again.patient("Müller") != other.patient("Müller")
    assert one.key_id == again.key_id != other.key_id
    assert one.patient("1") != one.exam("", "1") != one.path("1")
    assert "k'" not in repr(one)


def test_a_path_keeps_its_folders_together_and_nothing_else():
    names = Pseudonyms(b"k")
    first, second, other = (names.path(p) for p in ("doe/exam 1/a.mp4", "doe/exam 1/b.mp4", "roe/exam 1/a.mp4"))
    assert first.rsplit("/", 1)[0] == second.rsplit("/", 1)[0] != other.rsplit("/", 1)[0]
    assert len({first, second, other}) == 3
    assert first.endswith(".mp4")
    assert not {"doe", "exam", "a.mp4"} & set(first.replace(".mp4", "").split("/"))
    assert "." not in names.path("scan.Jane Doe 1970")


def test_a_key_file_is_made_once_readable_by_its_owner_only(monkeypatch, capsys):
    monkeypatch.delenv("USFM_SALT")
    assert load_key(None, create=False) == b"not made yet"
    assert not key_file().exists()
    key = load_key(None)
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert str(key_file()) in capsys.readouterr().err
    console.configure()
    assert load_key(None) == key
    assert capsys.readouterr().err == ""
    assert len(key) == 64


def test_a_file_wins_over_the_environment(tmp_path):
    assert load_key(None) == b"a salt for tests"
    salt = tmp_path / "salt"
    salt.write_bytes(b" lab salt\n")
    assert load_key(str(salt)) == b"lab salt"


def test_a_missing_or_empty_key_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(RequestError, match="--salt"):
        load_key(str(tmp_path / "none"))
    (tmp_path / "empty").touch()
    with pytest.raises(RequestError, match="empty"):
        load_key(str(tmp_path / "empty"))
    monkeypatch.delenv("USFM_SALT")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))  # a file where a folder should be
    with pytest.raises(RequestError, match="USFM_SALT"):
        load_key(None)
