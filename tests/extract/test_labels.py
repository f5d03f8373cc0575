"""Manifest, folders and groups: what is matched, what is reported, what is refused."""

import pytest

from usfm.errors import RequestError
from usfm.extract.identity import Pseudonyms
from usfm.extract.labels import class_names, gather, match, read_manifest
from usfm.extract.sources import Source


def sources(*names, root="/data/clips"):
    return [Source(f"{root}/{name}", name, name, root.rsplit("/", 1)[1]) for name in names]


@pytest.fixture
def table(tmp_path):
    def write(text, name="meta.csv"):
        (tmp_path / name).write_text(text)
        return read_manifest(str(tmp_path / name))

    return write


def test_known_columns_are_read_and_others_kept(table, capsys):
    manifest = table("path,patient,exam,split,label,probe,frames\na/1.mp4,p1,e1,training,covid,convex,99\n")
    facts = gather(sources("a/1.mp4"), manifest=manifest, dataset="pocus")["a/1.mp4"]
    assert (facts.patient, facts.exam, facts.split, facts.label, facts.dataset) == (
        "p1",
        "e1",
        "train",
        "covid",
        "pocus",
    )
    assert facts.columns == {"probe": "convex", "manifest_frames": "99"}
    assert capsys.readouterr().err == ""


def test_a_byte_order_mark_semicolons_and_empty_lines(table):
    manifest = table('\ufeffpath;label\n"a;1.mp4";x\n\n;\n')
    assert [row for _, row in manifest.rows] == [{"path": "a;1.mp4", "label": "x"}]


@pytest.mark.parametrize("path", ["a/1.mp4", "./a/1.mp4", "1.mp4", "clips/a/1.mp4", "/data/clips/a/1.mp4", "a\\1.mp4"])
def test_a_path_is_found_however_it_is_written(table, path):
    assert match(table(f"path,label\n{path},x\n"), sources("a/1.mp4", "b/2.mp4")) == {"a/1.mp4": {"label": "x"}}


def test_a_path_from_the_manifests_own_folder(tmp_path, table):
    manifest = table("path,label\nclips/1.mp4,x\nelse/clips/1.mp4,y\n")
    here = sources("1.mp4", root=str(tmp_path / "clips"))
    there = [Source(str(tmp_path / "else/clips/1.mp4"), "else/1.mp4", "1.mp4", "clips")]
    assert match(manifest, here + there) == {"1.mp4": {"label": "x"}, "else/1.mp4": {"label": "y"}}


def test_what_does_not_fit_is_told(table, capsys):
    facts = gather(sources("a/1.mp4", "a/22.mp4"), manifest=table("path,label\na/1.mp4,x\na/2.mp4,y\n"))
    told = capsys.readouterr().err
    assert "1 of 2 rows fit no source: a/2.mp4" in told
    assert "did you mean 'a/22.mp4'" in told
    assert "1 sources have no row" in told
    assert facts["a/22.mp4"].label == ""


def test_a_name_that_fits_two_files_is_refused(table):
    with pytest.raises(RequestError, match="fits 2 sources"):
        match(table("path,label\n1.mp4,x\n"), sources("a/1.mp4", "b/1.mp4"))


def test_two_rows_for_one_file_must_agree(table):
    manifest = table("path,label\na/1.mp4,x\n1.mp4,y\n")
    with pytest.raises(RequestError, match="lines 2 and 3"):
        match(manifest, sources("a/1.mp4"))
    assert match(table("path,label\na/1.mp4,x\n1.mp4,x\n"), sources("a/1.mp4"))


@pytest.mark.parametrize("text, words", [
    ("file,label\na,x\n", "rename the column 'file'"),
    ("Path,label\na,x\n", "rename the column 'Path'"),
    ("", "empty"),
    ("path,label,label\na,x,y\n", "twice"),
    ("path,label\na,x,y\n", "line 2 has 3 cells"),
    ("path,label\na,x\0y\n", "NUL"),
])  # fmt: skip
def test_a_manifest_that_is_wrong_is_one_sentence(table, text, words):
    with pytest.raises(RequestError, match=words):
        table(text)


def test_a_manifest_that_is_not_text(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"path,label\n\xff\xfe\x00,x\n")
    with pytest.raises(RequestError, match="UTF-8"):
        read_manifest(str(tmp_path / "m.csv"))
    with pytest.raises(RequestError, match="cannot read"):
        read_manifest(str(tmp_path / "none.csv"))


def test_a_column_that_looks_like_a_known_one_is_pointed_at(table, capsys):
    table("path,patient_id,lable\na,1,x\n")
    told = capsys.readouterr().err
    assert "'patient_id' is kept as it is; did you mean 'patient'" in told
    assert "'lable' is kept as it is; did you mean 'label'" in told


def test_a_split_that_is_none_is_refused(table):
    with pytest.raises(RequestError, match=r"'tain' is none of train, val, test; did you mean 'train'"):
        gather(sources("a"), manifest=table("path,split\na,tain\n"))


def test_class_folders(capsys):
    facts = gather(sources("sick/a/1.mp4", "well/2.mp4", "3.mp4"), folders=True)
    assert [one.label for one in facts.values()] == ["sick", "well", ""]
    assert "1 sources lie beside" in capsys.readouterr().err
    flat = sources("1.mp4", root="/data/sick") + sources("2.mp4", root="/data/well")
    assert [one.label for one in gather(flat, folders=True).values()] == ["sick", "well"]


def test_groups_out_of_the_path_and_the_manifest_wins(table, capsys):
    names = sources("Reg_pat1Image_132943.mpeg", "Cov_2.mov")
    facts = gather(names, group=r"pat(?P<patient>\d+)Image_(?P<exam>\d+)")
    assert (facts["Reg_pat1Image_132943.mpeg"].patient, facts["Reg_pat1Image_132943.mpeg"].exam) == ("1", "132943")
    assert "fits 1 of 2 paths" in capsys.readouterr().err
    manifest = table("path,patient\nCov_2.mov,77\nReg_pat1Image_132943.mpeg,4\n")
    facts = gather(names, manifest=manifest, group=r"pat(?P<patient>\d+)")
    assert [facts[source.relative].patient for source in names] == ["4", "77"]


@pytest.mark.parametrize("group, words", [
    ("(", "not a regular expression"),
    (r"pat\d+", "names no group"),
    (r"(?P<pateint>\d+)", "did you mean 'patient'"),
])  # fmt: skip
def test_a_group_that_is_wrong_is_one_sentence(group, words):
    with pytest.raises(RequestError, match=words):
        gather(sources("a"), group=group)


def test_classes_in_order_and_facts_hidden():
    facts = gather(sources("10/a", "9/b", "2/c"), folders=True)
    assert class_names(facts.values()) == ["2", "9", "10"]
    assert class_names(gather(sources("b/1", "a/2", "10/3"), folders=True).values()) == ["10", "a", "b"]
    hidden = gather(sources("pat7"), group=r"(?P<patient>pat\d)")["pat7"].hidden(Pseudonyms(b"k"))
    assert len(hidden.patient) == 16
    assert hidden.exam == ""
