"""The documentation is true: generated pages are current, shown commands parse, links lead somewhere."""

import functools
import re
import runpy
import shlex
from pathlib import Path

import click
import pytest

from usfm.cli.demo import LINES
from usfm.cli.main import build
from usfm.cli.table import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
GENERATOR = runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("name", sorted(GENERATOR["PAGES"]))
def test_generated_pages_are_current(name):
    assert (ROOT / "docs" / name).read_text() == GENERATOR["PAGES"][name](), "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


built = functools.cache(build)


def shown_commands():
    for page in PAGES:
        for block in re.findall(r"```(?:sh|bash)\n(.*?)```", page.read_text(), flags=re.S):
            for line in block.replace("\\\n", " ").splitlines():
                line = line.split(" #")[0].strip()
                if line.startswith("usfm ") and "$(" not in line:
                    yield pytest.param(line, id=f"{page.name}: {line[:60]}")


@pytest.mark.parametrize("line", shown_commands())
def test_shown_commands_parse(line):
    top = built()
    name, *arguments = shlex.split(line)[1:]
    command = top.commands[name]
    with click.Context(top) as parent:
        command.make_context(name, arguments, parent=parent)


def test_the_tutorial_shows_the_demo_line_by_line():
    tutorial = (ROOT / "docs" / "tutorial.md").read_text()
    places = [tutorial.find(line) for line in LINES]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_explained_in_prose(name):
    prose = "".join(page.read_text() for page in PAGES if page.name != "cli.md")
    assert f"usfm {name}" in prose


def test_readme_has_the_two_commands_each_on_one_line():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert sum(line.startswith("python3 -m venv .venv &&") for line in lines) == 2


def test_changelog_has_an_unreleased_part():
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text()


def test_the_snippets_for_an_encoder_run(good, tmp_path, monkeypatch):
    import torch

    from usfm.config import Request
    from usfm.inspect.export import run
    from usfm.inspect.export_config import Config
    from usfm.model import checkpoint
    from usfm.model.vit import build_encoder

    encoder = build_encoder("vit_nano_patch16_64", depth=2, in_chans=1)
    folder = tmp_path / "runs" / "polar"
    folder.mkdir(parents=True)
    checkpoint.save(folder / "last", encoder.state_dict(), encoder.shape, model={})
    (folder / "card.json").write_text("{}")
    (tmp_path / "sector.h5").symlink_to(good / "sector.h5")
    run(Config(to="timm"), Request(inputs=(str(folder),), out=str(tmp_path / "encoder.safetensors")))
    monkeypatch.chdir(tmp_path)
    snippets = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "questions.md").read_text(), flags=re.S)
    for snippet, frames in zip(snippets, (4, 2), strict=True):
        names = {}
        exec(snippet, names)
        assert names["vectors"].shape == (frames, encoder.shape.embed_dim)
        assert torch.isfinite(torch.as_tensor(names["vectors"])).all()
