from html.parser import HTMLParser

import numpy as np

from usfm.pictures import html

VOID = {"meta", "img", "br"}


class _Checker(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in VOID:
            self.open.append(tag)
        self.sources += [v for k, v in attrs if k == "src" or (k == "href" and not v.startswith("#"))]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_page_is_well_formed_escaped_and_self_contained(tmp_path):
    png = html.to_png(np.zeros((4, 4), np.uint8))
    (tmp_path / "a.png").write_bytes(png)
    body = (
        html.paragraph("<script>alert(1)</script>")
        + html.table(["a & b", "n"], [["<x>", 1.23456], ["y", None]])
        + html.facts({"k": float("nan")})
        + html.figure(np.ones((3, 3)), 'say "hi"')
        + html.figure(png, width_px=40)
        + html.figure(tmp_path / "a.png")
        + html.note("n")
        + html.details("more", html.code("a < b"))
    )
    text = html.page("T & t", [("One", body), ("Two", ""), ("Three", "")], "lead")
    checker = _Checker()
    checker.feed(text)
    assert checker.open == []
    assert "<script" not in text
    assert "T &amp; t" in text
    assert "1.235" in text
    assert "</a><a" not in text  # a browser breaks a line of links only at a space
    assert len(checker.sources) == 3
    assert all(s.startswith("data:image/png;base64,") for s in checker.sources)
