"""Folders that do not fit, half a download, tables of another year: one sentence each."""

import runpy
from pathlib import Path

import pytest

from usfm.cli.main import main
from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.layouts import apply, prepare
from usfm.extract.run import run

HERE = Path(__file__).parent
WRITE = runpy.run_path(str(HERE / "make.py"))["write"]


@pytest.fixture
def write(tmp_path):
    """Write a miniature with some files changed (None: left out), below ``in``."""

    def of(name, folder="in", **changes):
        files = runpy.run_path(str(HERE / "miniatures" / f"{name}.py"))["FILES"] | changes.pop("files", {})
        WRITE(tmp_path / folder, {path: content for path, content in files.items() if content is not None})
        return str(tmp_path / folder)

    return of


def refused(name, folder):
    config, request = Config(layout=name), Request(inputs=(folder,), out="s.h5")
    with pytest.raises(RequestError) as error:
        prepare.prepared(config, request, prepare.placed(config, request))
    text = str(error.value)
    assert "\n" not in text
    assert folder in text
    return text


def test_a_folder_of_something_else_names_what_was_looked_for_and_what_it_is(write):
    text = refused("bus-bra", write("busi"))
    assert "'bus_data.csv'" in text
    assert "it fits the layout busi" in text


def test_a_folder_of_nothing_known_names_the_nearest(write, tmp_path):
    WRITE(tmp_path / "in", {f"a/{n}_1.jpg": "=gray" for n in range(3)})
    text = refused("auto", str(tmp_path / "in"))
    assert "fits none of the" in text
    assert "nearest layout is ddti" in text
    WRITE(tmp_path / "mine", {f"mine/{n:05}.jpg": "=gray" for n in range(3)})
    assert "nearest" not in refused("auto", str(tmp_path / "mine"))


def test_two_that_fit_are_both_named(write):
    write("tg3k")
    assert "fits the layouts tg3k and tn3k" in refused("auto", write("tn3k"))


def test_two_with_the_same_names_are_told_apart_by_their_folder_alone(tmp_path):
    for folder in ("PSFHS", "mine"):
        WRITE(tmp_path / folder, {"image_mha/00001.mha": "=gray x3", "label_mha/00001.mha": "=disk:2,1"})
    assert apply.place("auto", (str(tmp_path / "PSFHS"),)).layout.name == "psfhs"
    assert "fits the layouts fh-ps-aop and psfhs" in refused("auto", str(tmp_path / "mine"))


def test_two_copies_are_both_named(write):
    write("bus-bra", "in/one")
    text = refused("bus-bra", write("bus-bra", "in/two").removesuffix("/two"))
    assert "2 times (one/BUSBRA and two/BUSBRA)" in text


def test_half_a_download_is_no_collection(write):
    pictures = {f"BUSBRA/Images/bus_000{n}.png": None for n in ("1-l", "1-r", "2-s")}
    text = refused("bus-bra", write("bus-bra", files=pictures))
    assert "Images/bus_*-*.png" in text
    assert "not whole" in text


def test_pictures_that_a_table_lists_and_that_are_not_there_are_a_gap(write):
    folder = write("bus-bra", files={"BUSBRA/Images/bus_0002-s.png": None})
    for config, gaps in ((Config(layout="bus-bra"), 1), (Config(layout="bus-bra", exclude=("*-r.png",)), 0)):
        request = Request(inputs=(folder,))
        *_, extra = prepare.prepared(config, request, prepare.placed(config, request))
        assert list(extra.gaps) == ["1 picture of bus_data.csv"] * gaps


def test_what_is_not_unpacked_says_so(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "BUSBRA.zip").write_bytes(b"PK\x03\x04")
    assert "unpack BUSBRA.zip first" in refused("bus-bra", str(tmp_path / "in"))


def test_a_table_of_another_year_names_the_column(write):
    table = "ID,case_id,Histology,Diagnosis\nbus_0001-l,1,Cyst,benign\n"
    text = refused("bus-bra", write("bus-bra", files={"BUSBRA/bus_data.csv": table}))
    assert "no column 'BBOX'" in text
    assert "another release" in text


def test_a_misspelt_folder_of_masks_is_asked_about(write):
    moved = {f"BUSBRA/Masks/mask_000{n}.png": None for n in ("1-l", "1-r", "2-s")}
    moved |= {"BUSBRA/mask/mask_0001-l.png": "=disk"}
    assert "is 'mask' their folder?" in refused("bus-bra", write("bus-bra", files=moved))


def test_a_name_that_is_none_and_flags_that_say_the_same(write):
    folder = write("busi")
    with pytest.raises(RequestError, match="no layout is called 'bsui'; did you mean 'busi'"):
        prepare.placed(Config(layout="bsui"), Request(inputs=(folder,)))
    with pytest.raises(RequestError, match="--layout and --labels both say"):
        prepare.placed(Config(layout="busi", labels="folder"), Request(inputs=(folder,)))
    with pytest.raises(RequestError, match="takes one folder"):
        apply.place("busi", (folder, folder))


def test_a_missing_table_is_one_warning_and_exit_code_3_where_it_is_strict(write, tmp_path, capsys):
    folder = write("fetal-planes", files={"FETAL_PLANES_ZENODO/FETAL_PLANES_DB_data.csv": None})
    command = ["extract", folder, "--layout", "fetal-planes", "--workers", "1"]
    for more, code in (([], 0), (["--strict"], 3)):
        with pytest.raises(SystemExit) as end:
            main([*command, "--out", str(tmp_path / f"{code}.h5"), *more])
        said = " ".join(capsys.readouterr().err.split())
        assert (end.value.code or 0) == code
        assert said.count("FETAL_PLANES_DB_data.csv is not there") == 1


def test_a_table_that_changes_is_another_request(write, tmp_path):
    folder, out = write("bus-bra"), str(tmp_path / "s.h5")
    request = Request(inputs=(folder,), out=out, workers=1)
    run(Config(layout="bus-bra"), request)
    assert run(Config(layout="auto"), request)["up_to_date"]
    with (Path(folder) / "BUSBRA/bus_data.csv").open("a") as file:
        file.write("bus_0009-l,9,Cyst,benign,2,A 1,40,32,left,\n")
    with pytest.raises(RequestError, match="sources have changed"):
        run(Config(layout="bus-bra"), request)


def test_linked_folders_are_read_and_a_loop_is_no_hang(write, tmp_path):
    folder = Path(write("bus-bra")) / "BUSBRA"
    (folder / "Images").rename(tmp_path / "elsewhere")
    (folder / "Images").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder)
    config, request = Config(layout="bus-bra"), Request(inputs=(str(folder),))
    _, facts, *_ = prepare.prepared(config, request, prepare.placed(config, request))
    assert [one.label for one in facts.values()] == ["benign", "benign", "malignant"]


def test_one_damaged_outline_of_many_is_counted(write):
    files = {"Normal/segmentation/liver/1.json": "[[1, 2", "Malignant/segmentation/mass/1.json": {"a": 1}}
    config, request = Config(layout="aul"), Request(inputs=(write("aul", files=files),))
    *_, extra = prepare.prepared(config, request, prepare.placed(config, request))
    assert extra.left["outline that is no JSON"] == 1
    assert extra.left["polygon of fewer than three points or of no numbers"] == 1


def test_pictures_below_the_folder_that_was_given_are_all_that_is_read(write):
    folder = write("fetus-framework")
    inner = Path(folder) / "Dataset for Fetus Framework/Dataset for Fetus Framework/Internal Test Set"
    config, request = Config(layout="fetus-framework"), Request(inputs=(str(inner),))
    found, facts, *_ = prepare.prepared(config, request, prepare.placed(config, request))
    assert [source.relative for source in found.sources] == ["Internal Test Set/Standard/12.png"]
    assert [one.split for one in facts.values()] == ["test"]


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe\x00", b"\x00" * 40, b"{", b'"a,b\nc', b"ID,Case\n" * 3])
def test_damaged_tables_are_one_sentence(write, damage):
    folder = write("bus-bra", files={"BUSBRA/bus_data.csv": damage})
    config, request = Config(layout="bus-bra"), Request(inputs=(folder,))
    said, facts = f"{folder}/bus_data.csv", {}
    try:
        _, facts, *_ = prepare.prepared(config, request, prepare.placed(config, request))
    except RequestError as error:
        said = str(error)
    assert "bus_data.csv" in said
    assert "\n" not in said
    assert not any(one.label for one in facts.values())
