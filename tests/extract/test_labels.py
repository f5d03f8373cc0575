"""Manifest, folders and groups: what is matched, what is reported, what is refused."""

import pytest

from usfm.errors import RequestError
from usfm.extract.identity import Pseudonyms
from usfm.extract.labels import class_names, gather
from usfm.extract.manifest import read_manifest
from usfm.extract.matching import match
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
    ("file,image,label\na,b,x\n", "rename the column 'file'"),
    ("pth,label\na,x\n", "rename the column 'pth'"),
    ("path,label:cyst\na,1\nb,maybe\n", "line 3.*neither 1 nor 0"),
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
    assert table("path,lable\na,x\n").columns == ("lable",)
    assert "'lable' is kept as it is; did you mean 'label'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", "patient_id PatientID Patient-ID patientId subject subject_id case case_id MRN pid".split()
)
def test_a_usual_name_of_the_patient_is_taken_as_the_patient_and_told(table, capsys, name):
    manifest = table(f"path,{name},probe\na.png,Jane Doe,convex\n")
    assert f"'{name}' is taken as the patient" in capsys.readouterr().err
    facts = gather(sources("a.png"), manifest=manifest)["a.png"]
    assert (facts.patient, facts.columns, manifest.people) == ("Jane Doe", {"probe": "convex"}, True)


@pytest.mark.parametrize(
    "name", "patient_name name dob BirthDate accession SSN pateint study_date patient_nmae e-mail".split()
)
def test_a_column_that_may_name_somebody_is_left_out_unless_asked_for(table, capsys, name):
    text = f"path,label,{name}\na.png,x,somebody\n"
    manifest = table(text)
    assert (manifest.columns, manifest.people) == ((), True)
    assert f"--keep-column {name}" in capsys.readouterr().err
    assert "somebody" not in str(manifest.rows)
    (manifest_file := manifest.file)
    assert read_manifest(manifest_file, keep=(name,)).columns == (name,)


def test_a_column_that_repeats_a_patient_or_a_path_is_left_out_where_paths_are_hidden(table):
    rows = "path,patient,note,source_file,gain\nDoe_1.png,Jane Doe,seen: jane doe,Doe_1.png,5\n"
    assert table(rows).columns == ("gain",)
    assert table("path,origin,gain\nDoe_1.png,scans/Doe_1.png,5\n").columns == ("origin", "gain")


def test_two_columns_of_one_meaning_are_refused(table):
    with pytest.raises(RequestError, match="'patient_id' and 'subject' both say the patient"):
        table("path,patient_id,subject\na,1,2\n")


@pytest.mark.parametrize("value", ["", "nan", "NaN", "NA", "n/a", "None", "null", "NULL", "#N/A", "<NA>"])
def test_what_stands_for_no_value_is_none(table, value):
    known = "label", "patient", "exam", "split", "dataset"
    manifest = table(f"path,{','.join(known)},gain\na.png{f',{value}' * 6}\n")
    facts = gather(sources("a.png"), manifest=manifest)["a.png"]
    assert (facts.label, facts.patient, facts.exam, facts.split, facts.dataset) == ("",) * 5
    assert facts.columns == {"gain": value}


ROWS = [{"path": "1.png", "label": "ä"}, {"path": "2.png", "label": "b"}]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_line_ends_encodings_and_empty_columns_of_spreadsheets(tmp_path, ends, encoding):
    text = ends.join(["path,label,,", "1.png,ä,,", "2.png,b,,,", ",,,", ""])
    (tmp_path / "m.csv").write_bytes(text.encode(encoding))
    assert [row for _, row in read_manifest(str(tmp_path / "m.csv")).rows] == ROWS


def test_a_cell_of_any_length_is_read(table):
    assert len(table(f"path,note\n1.png,{'x' * 200_000}\n").rows[0][1]["note"]) == 200_000


@pytest.mark.parametrize("text, words", [
    ('path,label,note\n1.png,a,x\n2.png,b,"open\n3.png,c,y\n', "line 3: a quote is opened and never closed"),
    ('path,label,note\n1.png,a,"open\n2.png,b,"more"\n', "line 2: text stands behind a closing quote"),
    ("path,label,,\n1.png,a,,stray\n", "line 2 has 4 cells"),
    ("path,a/b,a_b\n1.png,1,2\n", "'a/b' and 'a_b' would both be called 'a_b'"),
    ("path,frames,manifest_frames\n1.png,1,2\n", "would both be called 'manifest_frames'"),
])  # fmt: skip
def test_a_table_that_cannot_be_read_whole_is_refused(table, text, words):
    with pytest.raises(RequestError, match=words):
        table(text)


def test_a_quote_that_swallows_the_row_of_a_source_is_refused(table):
    manifest = table('path,label,note\n1.png,a,"open\n2.png,b,ok"\n')
    with pytest.raises(RequestError, match="line 2: a quoted cell goes on to line 3"):
        match(manifest, sources("1.png", "2.png"))
    fine = table('path,label,note\n1.png,a,"two lines,\nof a note"\n')
    assert match(fine, sources("1.png"))["1.png"]["note"] == "two lines,\nof a note"


@pytest.mark.parametrize("disk, row", [
    ("Mu\u0308ller.png", "M\u00fcller.png"),
    ("M\u00fcller.png", "Mu\u0308ller.png"),
    ("1.PNG", "1.png"),
    ("A/1.png", "a\\\\1.PNG".replace("\\\\", "\\")),
    ("M\\xfcller.png", "M\u00fcller.png"),
])  # fmt: skip
def test_names_that_look_the_same_are_the_same(table, disk, row):
    assert set(match(table(f"path,label\n{row},x\n"), sources(disk))) == {disk}


def test_names_that_differ_only_in_case_keep_their_rows(table):
    found = match(table("path,label\na.png,x\nA.png,y\n"), sources("a.png", "A.png"))
    assert (found["a.png"]["label"], found["A.png"]["label"]) == ("x", "y")


@pytest.mark.parametrize("names, expected", [
    (["train/sick/1", "test/well/2", "3"], [("sick", "train"), ("well", "test"), ("", "")]),
    (["train/sick/1", "sick/2"], [("sick", "train"), ("sick", "")]),
    (["sick/train/1", "sick/val/2"], [("sick", "train"), ("sick", "val")]),
    (["train/1", "plane/2"], [("train", ""), ("plane", "")]),
    (["train/day/1", "plane/day/2"], [("train", ""), ("plane", "")]),
    (["Training/a/1", "Testing/a/2"], [("a", "train"), ("a", "test")]),
    (["train/1", "test/2"], [("", "train"), ("", "test")]),
])  # fmt: skip
def test_folders_of_splits_are_splits_where_they_can_be(names, expected):
    found = gather(sources(*names), labels="folder")
    assert [(found[name].label, found[name].split) for name in names] == expected


def test_the_folder_that_holds_the_file_or_a_pattern_is_the_class():
    names = ["set/train/sick/1", "set/test/well/2"]
    found = gather(sources(*names), labels="parent")
    assert [(found[name].label, found[name].split) for name in names] == [("sick", "train"), ("well", "test")]
    found = gather(sources("a/sick/images/1"), label_regex="(?P<label>[^/]+)/images")
    assert found["a/sick/images/1"].label == "sick"


def test_a_split_that_is_none_is_refused(table):
    with pytest.raises(RequestError, match=r"'tain' is none of train, val, test; did you mean 'train'"):
        gather(sources("a"), manifest=table("path,split\na,tain\n"))


def test_class_folders(capsys):
    facts = gather(sources("sick/a/1.mp4", "well/2.mp4", "3.mp4"), labels="folder")
    assert [one.label for one in facts.values()] == ["sick", "well", ""]
    assert "1 sources lie beside" in capsys.readouterr().err
    flat = sources("1.mp4", root="/data/sick") + sources("2.mp4", root="/data/well")
    assert [one.label for one in gather(flat, labels="folder").values()] == ["sick", "well"]


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
    facts = gather(sources("10/a", "9/b", "2/c"), labels="folder")
    assert class_names(facts.values()) == ["2", "9", "10"]
    assert class_names(gather(sources("b/1", "a/2", "10/3"), labels="folder").values()) == ["10", "a", "b"]
    hidden = gather(sources("pat7"), group=r"(?P<patient>pat\d)")["pat7"].hidden(Pseudonyms(b"k"))
    assert len(hidden.patient) == 16
    assert hidden.exam == ""
