import json

import pytest

from usfm.errors import RequestError
from usfm.jobs import outputs

KEY_OF = outputs.key_in("card.json")


def _make(out, key):
    with outputs.whole_directory(out) as new:
        (new / "card.json").write_text(json.dumps({"key": key}))


def test_nothing_there_is_to_be_done_and_the_same_is_up_to_date(tmp_path):
    out = tmp_path / "deep" / "run"
    assert not outputs.up_to_date(out, "k", False, KEY_OF)
    _make(out, "k")
    assert outputs.up_to_date(out, "k", False, KEY_OF)
    assert not outputs.up_to_date(out, "k", True, KEY_OF)


def test_another_result_needs_overwrite(tmp_path):
    _make(tmp_path / "run", "k")
    with pytest.raises(RequestError, match="--overwrite"):
        outputs.up_to_date(tmp_path / "run", "other", False, KEY_OF)
    assert not outputs.up_to_date(tmp_path / "run", "other", True, KEY_OF)


def test_what_is_not_ours_is_never_removed(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RequestError, match="not made by this command"):
        outputs.up_to_date(tmp_path, "k", True, KEY_OF)
    (tmp_path / "card.json").write_text("[1]")
    with pytest.raises(RequestError, match="not made by this command"):
        outputs.up_to_date(tmp_path, "k", True, KEY_OF)


def test_a_failure_leaves_the_old_result_and_nothing_else(tmp_path):
    _make(tmp_path / "run", "old")
    with pytest.raises(OSError):  # noqa: PT012
        with outputs.whole_directory(tmp_path / "run") as new:
            (new / "half").write_text("x")
            raise OSError
    assert KEY_OF(tmp_path / "run") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
    _make(tmp_path / "run", "new")
    assert KEY_OF(tmp_path / "run") == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["run"]
