"""The catalogue: every collection, what extract makes of it, leaks both ways; the page of the documentation."""

import json
from pathlib import Path

import pytest

from usfm.cli.main import main
from usfm.extract import catalogue
from usfm.extract.layouts.contract import known, load, names
from usfm.tasks import benchmarks

ROOT = Path(__file__).parents[3]


def printed(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(["catalogue", *words])
    assert not end.value.code
    return capsys.readouterr().out


def test_markdown_is_the_page_of_the_documentation(capsys):
    assert printed(capsys, "--markdown").strip() == (ROOT / "docs" / "catalogue.md").read_text().strip()


def test_json_has_every_collection_and_what_it_is(capsys):
    found = json.loads(printed(capsys, "--json"))["collections"]
    assert [one["name"] for one in found] == list(known())
    assert len(names()) >= 46
    for one in found:
        assert one["title"]
        assert one["anatomy"]
        assert one["licence"]
        assert one["patients"]
        assert one["layout"] == one["name"] if load(one["name"]).find else one["why_no_layout"]


def test_leaks_hold_both_ways_and_reach_the_benchmarks():
    for name in known():
        assert name not in catalogue.leaks(name)
        assert all(name in catalogue.leaks(other) for other in catalogue.leaks(name))
    assert catalogue.entry("fetal-planes")["benchmarks"] == ["fetal-planes"]
    assert "hc18" in catalogue.leaks("fast-u-net")


@pytest.mark.parametrize("words", [(), ("hc18",), ("HC18", "pubseg")])
def test_one_or_all_on_a_screen(capsys, words):
    text = printed(capsys, *words)
    assert "hc18" in text
    assert "licence" in text
    if words:
        assert "392_2HC.png" in text.replace("\n", " ")


def test_a_name_that_is_none_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as end:
        main(["catalogue", "hc19"])
    assert end.value.code == 2
    assert "did you mean 'hc18'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, task", [(name, task) for name in benchmarks.names() for task in benchmarks.load(name).tasks]
)
def test_a_benchmark_is_of_a_layout_that_gives_what_it_needs(name, task):
    one = benchmarks.load(name, task)
    assert one.published
    assert one.caveats
    assert one.unknown
    if not one.runs:
        return
    read = catalogue.entry(one.layout)["read"]
    assert {"classify": "classes", "detect": "boxes", "segment": "masks"}[one.task] in read
    assert "split" in read or one.folds in {name for rule in load(one.layout).tables for name in rule.columns}
    assert set(one.shares) == set(catalogue.leaks(one.layout))
    values = set(load(one.layout).names.get("label", {}).values())
    assert not values or set(one.classes) <= values
