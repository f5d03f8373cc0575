"""Text that leaves us: whatever it is, a terminal, a spreadsheet, LaTeX, a browser and a figure only show it."""

import csv
import io
import json
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from usfm import console, escape, provenance

ODD = "\x1b[31m\x9b2J\x07\x00\x7f\r\n\t\u202e\u2066\u200f\u2028\ud800\udcff[red]$_^~\\&%#{}<>|\"'=+-@;:smile:"
texts = st.one_of(st.text(max_size=30), st.text(st.sampled_from(ODD), max_size=12),
                  st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]), max_size=8))  # fmt: skip


class Stream(io.StringIO):
    """A stand-in for stdout or stderr: of an encoding, with or without a person before it."""

    def __init__(self, person=False, encoding="utf-8"):
        super().__init__()
        self._person, self._encoding = person, encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return self._person


def _said(text, *, person, encoding="utf-8"):
    """All that the console puts out for a text: what stands on stdout and on stderr."""
    out, err, saved = Stream(person, encoding), Stream(person, encoding), (sys.stdout, sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        console.configure(verbose=True)
        console.say(text)
        console.detail(text)
        console.warn(text)
        console.error(text)
        console.text(text)
        console.result({"out": text})
        console.table(text, ["name", text], [[text, 1]])
        console.configure(as_json=True)
        console.result({"out": text, text: [text]})
        console.configure()
    finally:
        sys.stdout, sys.stderr = saved
    return out.getvalue(), err.getvalue()


def _only_printable(said):
    return [char for char in said if not char.isprintable() and char not in "\n\t"]


@given(texts)
@settings(max_examples=30, deadline=None)
def test_a_log_holds_printable_text_and_a_message_is_one_line(text):
    out, err = _said(text, person=False)
    assert not _only_printable(out + err)
    lines = err.splitlines()
    assert sum(line.startswith(("usfm: ", "warning: ")) for line in lines[2:4]) == 2
    assert len(lines) == 4 + 2 + bool(text)
    assert json.loads(out.splitlines()[-1])


@given(texts)
@example(":smile: [red]x[/red] [/]")
@example("\x1b]0;title\x07")
@settings(max_examples=25, deadline=None)
def test_a_terminal_runs_nothing_of_a_text(text):
    os.environ["TERM"] = "xterm-256color"
    out, err = _said(text, person=True)
    ours = re.sub(r"\x1b\[[0-9;]*m", "", err)  # the colours that rich gives
    assert not _only_printable(out + ours)
    assert "\x1b" not in escape.shown(text)
    visible = escape.line(text).strip()
    if len(visible) < 30 and visible.split() == [visible]:  # rich wraps cells of a table, no message
        assert f"warning: {visible}" in ours


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
@pytest.mark.parametrize("person", [False, True])
def test_any_text_can_be_said_in_any_encoding(encoding, person):
    for said in _said("Mü\udcffller ☃ 心 \U0001f600", person=person, encoding=encoding):
        said.encode(encoding)


def test_a_path_goes_to_a_program_as_its_own_bytes(capfdbinary):
    name = os.fsdecode(b"M\xfc ller\n\x1b.h5")
    console.result({"out": name})
    assert capfdbinary.readouterr().out == os.fsencode(name) + b"\n"


@given(st.one_of(texts, st.floats(), st.integers(), st.none(), st.booleans()))
@example("＝1")
@example(" =1")
@example("-inf")
@example("+1e5")
@example("1_0")
@settings(deadline=None)
def test_no_cell_of_a_table_is_a_formula_and_a_number_stays_one(value):
    file = io.StringIO(newline="")
    escape.write_csv(file, ["a", str(value)], [["x", value], {"a": value, "ignored": 1}])
    file.getvalue().encode("utf-8")
    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert [len(row) for row in rows] == [2, 2, 2]
    for read in (cell for row in rows for cell in row):
        number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", read, re.ASCII | re.IGNORECASE)
        assert number or not read.strip().startswith(tuple("=+-@\t\r＝＋－＠"))
        assert not _only_printable(read)
    if isinstance(value, (int, float)) and value == value and abs(value) != float("inf"):
        assert rows[1][1] == str(value)
    assert escape.cell(escape.cell(value)) == escape.cell(value)


@given(texts)
def test_latex_gets_words_only(text):
    escaped = escape.latex(text)
    assert not _only_printable(escaped)
    assert "\n" not in escaped
    known = r"\\text(backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]|^\{[\[*]\}"
    assert not set(re.sub(known, "", escaped)) & set("\\&%$#_{}~^<>|")


class _Seen(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.tags, self.words, self.alt = [], "", []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, sorted(name for name, _ in attrs)))
        self.alt += [value for name, value in attrs if name == "alt"]

    def handle_data(self, data):
        self.words += data


def _read(page):
    seen = _Seen()
    seen.feed(page)
    seen.close()
    return seen


@given(texts)
@example('"><script>alert(1)</script>')
@example("' onerror='x")
@settings(max_examples=50, deadline=None)
def test_a_page_has_the_tags_that_we_wrote_whatever_the_text(text):
    from usfm.pictures import html

    def page(words):
        picture = html.figure(b"\x89PNG", words)
        parts = [html.paragraph(words), html.note(words), html.code(words), html.details(words, ""), picture,
                 html.table([words, "n"], [[words, 1]]), html.facts({words: words})]  # fmt: skip
        return html.page(words, [(words, part) for part in parts], words)

    page(text).encode("utf-8")
    plain, seen = _read(page("x")), _read(page(text or "x"))
    assert [tag for tag in seen.tags] == plain.tags
    assert not _only_printable(seen.words)
    assert seen.alt == [escape.shown(text or "x")]


@given(texts)
def test_a_markdown_cell_stays_one_cell(text):
    escaped = escape.markdown(text)
    assert not _only_printable(escaped)
    assert not re.search(r"\n|(?<!\\)(\\\\)*\||<|\]\(", escaped)


@given(st.recursive(st.one_of(texts, st.floats()), lambda inner: st.dictionaries(texts, inner) | st.lists(inner)))
@settings(max_examples=40, deadline=None)
def test_json_is_read_by_strict_readers(value):
    written = provenance.json_text(value)
    assert not _only_printable(written)
    assert not re.search(r"NaN|Infinity", re.sub(r'"(\\.|[^"\\])*"', "", written))
    json.dumps(json.loads(written), ensure_ascii=False).encode("utf-8")  # fails on half a surrogate


@pytest.mark.parametrize("text", ["$\\undefined{$ _", "_hidden\x1b[0m\udcff\\$\n"])
def test_figures_take_names_as_they_are(text, recwarn):
    import numpy as np

    from usfm.pictures import curves, matrix, sheet

    line = {text: ([0, 1], [0, 1])}
    assert curves.curves(None, line, text, text, title=text)
    assert curves.histogram(None, {text: [1, 2]}, text, lines={text: 1.5})
    assert curves.intervals(None, {text: (0, -1, 1)}, text)
    assert matrix.confusion(None, np.eye(2), [text, "b"], title=text)
    assert sheet.contact_sheet([np.zeros((4, 4))], [text], title=text).ndim == 3
    assert not list(recwarn)


def test_a_name_in_a_legend_is_drawn_as_written():
    from matplotlib.figure import Figure

    names = ["_a", "$b$", "c"]
    axis = Figure().add_subplot()
    for name in names:
        axis.plot([0, 1], label=escape.label(name))
    assert [text.get_text().strip() for text in axis.legend().get_texts()] == ["_a", "\\$b\\$", "c"]


def test_every_table_of_ours_is_written_in_one_place():
    root = Path(escape.__file__).parent
    own = [path.relative_to(root).as_posix() for path in root.rglob("*.py")
           if re.search(r"csv\.(writer|DictWriter)|\.to_csv\(.*path", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert own == ["escape.py"]


def test_only_the_console_prints():
    root = Path(console.__file__).parent
    own = [path.relative_to(root).as_posix() for path in root.rglob("*.py")
           if re.search(r"(?m)^\s*(print\(|sys\.std(out|err)\.write)", path.read_text(encoding="utf-8"))]  # fmt: skip
    assert own == ["console.py"]
