"""Settings: dataclass <- TOML <- flags, refusals that name the remedy, and a round trip through TOML."""

import tomllib
from dataclasses import dataclass
from typing import Annotated

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfm.cli.table import COMMANDS
from usfm.config import Knob, Request, as_dict, content_dict, describe, override, refuse_empty, resolve
from usfm.errors import RequestError
from usfm.toml import to_toml


@dataclass(frozen=True)
class Config:
    max_frames: Annotated[int | None, Knob("frames at most", low=1)] = None
    fps: Annotated[float, Knob("sampling rate", unit="frames/s", low=0.1, high=1000)] = 3.0
    keep: Annotated[str, Knob("which copy", choices=("first", "sharpest"))] = "first"
    gray: Annotated[bool, Knob("gray frames")] = True
    drop: Annotated[tuple[str, ...], Knob("kinds to drop")] = ()
    report: Annotated[str | None, Knob("report folder", content=False)] = None


def written(tmp_path, text):
    file = tmp_path / "t.toml"
    file.write_text(text)
    return file


def test_flags_win_over_file_over_default(tmp_path):
    file = written(tmp_path, '[extract]\nfps = 5\nkeep = "sharpest"\nmax-frames = 7\n')
    config = resolve(Config, "extract", file, {"fps": 9.0, "keep": None})
    assert config == Config(max_frames=7, fps=9.0, keep="sharpest")


@pytest.mark.parametrize(
    "text, part",
    [
        ("[extract]\nmax_frame = 3\n", "did you mean 'max_frames'?"),
        ("[extract]\nfps = 'fast'\n", "must be of type float"),
        ("[extract]\ngray = 1\n", "must be of type bool"),
        ("[extract]\nmax_frames = true\n", "must be of type int"),
        ("[extract]\nfps = 0.0\n", "must be between 0.1 and 1000 frames/s"),
        ("[extract]\nfps = nan\n", "must be between"),
        ("[extract]\nkeep = 'sharp'\n", "did you mean 'sharpest'?"),
        ("fps = 3\n", "outside a section"),
        ("[extract\n", "not a TOML file"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_it(tmp_path, text, part):
    with pytest.raises(RequestError) as caught:
        resolve(Config, "extract", written(tmp_path, text), {})
    assert part in str(caught.value)
    assert "t.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(RequestError, match="cannot read"):
        resolve(Config, "extract", tmp_path / "none.toml", {})


def test_shared_keys_may_stand_in_the_section(tmp_path):
    file = written(tmp_path, "[extract]\nworkers = 2\nfps = 4\n")
    assert resolve(Config, "extract", file, {}, beside=["workers"]).fps == 4.0


def test_content_leaves_out_what_cannot_change_the_result():
    assert "report" not in content_dict(Config(report="r"))
    assert content_dict(Config())["drop"] == []
    assert set(as_dict(Request())) - set(content_dict(Request())) >= {"workers", "out", "cluster", "device"}


def test_every_knob_says_what_it_is():
    assert all(setting.knob.help for cls in (Config, Request) for setting in describe(cls))


def test_a_field_without_a_knob_is_our_mistake():
    @dataclass(frozen=True)
    class Bare:
        fps: float = 3.0

    with pytest.raises((TypeError, AttributeError)):
        describe(Bare)


values = st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False), st.text(max_size=20))
tables = st.dictionaries(st.from_regex(r"[a-z_]{1,6}", fullmatch=True), st.one_of(values, st.lists(values, max_size=3)))


@given(tables, tables)
def test_toml_round_trip(plain, nested):
    tree = {**plain, "section": nested}
    assert tomllib.loads(to_toml(tree)) == tree


def test_override_reads_toml_values_and_bare_words():
    tables = {"optim": {"lr": 1e-3, "name": "adamw"}, "seed": 0}
    assert override(tables, ["optim.lr=3e-4", "optim.name=sgd", "seed=5"]) == {
        "optim": {"lr": 3e-4, "name": "sgd"},
        "seed": 5,
    }
    assert tables["optim"]["lr"] == 1e-3
    for wrong, part in [("optim.lrr=1", "'lr'"), ("optm.lr=1", "'optim'"), ("seed", "key=value")]:
        with pytest.raises(RequestError, match=part):
            override(tables, [wrong])


odd = st.one_of(
    st.sampled_from(["3", "-1", "1.5", "nan", "inf", "-inf", "true", '""', '"\\u0000"', '"x"', "2024-01-31", "07:00:00",
                     "[]", "[[]]", "[1, 'a', []]", '["\\u0000"]', "{}", "{a = 1}", "[{a = 1}]", "9" * 30,
                     "9" * 5000, "0x" + "f" * 5000, "1e308", "[" * 3000, "[" * 3000 + "]" * 3000,
                     "'" + "x" * 5000 + "'"]),
    st.recursive(values, lambda inner: st.lists(inner, max_size=2)).map(lambda value: to_toml({"a": value})[4:]),
)  # fmt: skip
knobs = [
    (name, cls, setting)
    for name, command in COMMANDS.items()
    for cls in (command.config, Request) for setting in describe(cls)
]  # fmt: skip


@given(st.sampled_from(knobs), odd)
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_a_file_is_a_setting_of_its_type_or_one_sentence(tmp_path_factory, knob, text):
    name, cls, setting = knob
    file = tmp_path_factory.getbasetemp() / "odd.toml"
    file.write_text(f"[{name}]\n{setting.name} = {text}\n", encoding="utf-8")
    refusal = ""
    try:
        config = resolve(cls, name, file, {})
        refuse_empty(config, name, ())
    except RequestError as error:
        refusal = str(error)
    if refusal:
        assert "odd.toml" in refusal or "is empty" in refusal
        assert len(refusal) < 500
        return
    found = getattr(config, setting.name)
    for one in found if setting.many else (found,):
        assert isinstance(one, setting.kind)
        assert type(one) is not bool or setting.kind is bool
        assert type(one) is not str or "\0" not in one
        assert not isinstance(one, float) or abs(one) < float("inf")
    if text in ("3", "1.5", "true", "2024-01-31", "{}") and setting.kind is str:
        assert setting.name == "fps"  # a text that is a number; no other text may be written as something else


@pytest.mark.parametrize(
    "data",
    [b"\xff[clean]", b"\0", b"a = " + b"[" * 9999, b"[clean]\na" + b".a" * 9999 + b" = 1", b"[[clean]]", b"clean = 1"],
)
def test_a_file_that_is_no_settings_file_is_one_sentence(tmp_path, data):
    file = tmp_path / "t.toml"
    file.write_bytes(data)
    with pytest.raises(RequestError) as caught:
        resolve(Config, "clean", file, {})
    assert "t.toml" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
