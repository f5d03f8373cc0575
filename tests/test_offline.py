"""No command asks the network for anything, and none leaves a file in HOME but the key."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from usfm import offline
from usfm.errors import RequestError
from usfm.jobs.pool import WorkerPool
from usfm.model import embedders

BENCH = Path(__file__).parent / "bench"
_QUIET = (*offline.SWITCHES, *offline.FOLDERS)


def _bench():
    spec = importlib.util.spec_from_file_location("offline_bench", BENCH / "offline.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _session(home: Path, code: str, **more: str) -> subprocess.CompletedProcess:
    """Run code in a process of its own: HOME empty, network forbidden, no variable set for any library."""
    return subprocess.run([sys.executable, "-c", code], env=_bench().environment(home, home.parent / "net") | more,
                          capture_output=True, text=True, check=False)  # fmt: skip


def _variables(names: tuple[str, ...]) -> dict[str, str]:
    return {name: os.environ.get(name, "") for name in names}


def test_a_worker_of_the_pool_has_every_variable():
    with WorkerPool(1) as pool:
        found = pool.submit(_variables, _QUIET).result()
    assert found == _variables(_QUIET)
    assert all(found.values())


@pytest.mark.parametrize("name", offline.SWITCHES)
def test_no_word_of_the_environment_turns_a_switch(name):
    variables = {"HOME": "/home/ada", name: "something else"}
    offline.switch_off(variables)
    assert variables[name] == offline.SWITCHES[name]


@pytest.mark.parametrize("name", offline.FOLDERS)
@pytest.mark.parametrize("given", ["", "{home}/own", "~/own", "{home}/../{last}/own"])
def test_a_folder_in_home_is_replaced_and_one_outside_stands(tmp_path, monkeypatch, name, given):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    variables = {"HOME": str(tmp_path / "home"), name: given.format(home=tmp_path / "home", last="home")}
    private = offline.switch_off(variables)
    assert variables[name].startswith(private + os.sep)
    assert not os.path.lexists(private), "made by the library that wants it, not before"
    other = {"HOME": str(tmp_path / "home"), name: str(tmp_path / "scratch")}
    offline.switch_off(other)
    assert other[name] == str(tmp_path / "scratch")


def test_a_child_shares_the_folder_and_the_download_of_its_parent():
    variables = {"HOME": "/home/ada"}
    offline.switch_off(variables)
    variables["HF_HUB_OFFLINE"] = "0"  # as allow_hub leaves it
    before = dict(variables)
    assert offline.switch_off(variables) == ""
    assert variables == before


def test_the_private_folder_goes_with_its_process(tmp_path):
    code = "import os, usfm; f = os.environ['MPLCONFIGDIR']; os.makedirs(f); open(f + '/a', 'w'); print(f)"
    done = _session(tmp_path, code, TMPDIR=str(tmp_path))
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)
    assert not list(tmp_path.glob("usfm-cache-*"))


def test_download_alone_turns_the_hub_on(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    seen = []

    def fetch(name, **settings):
        seen.append((constants.is_offline_mode(), os.environ["HF_HUB_OFFLINE"]))
        raise OSError("no network")

    monkeypatch.setattr("timm.create_model", fetch)
    with pytest.raises(RequestError, match="not in the local cache"):
        embedders.load("timm:resnet18", device="cpu")
    assert constants.is_offline_mode()
    assert not seen
    with pytest.raises(RequestError, match="cannot be fetched"):
        embedders.load("timm:resnet18", device="cpu", download=True)
    assert seen == [(False, "0")]


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_download_does_not_go_against_the_users_own_word(monkeypatch, name):
    variables = {"HOME": "/home/ada", name: "yes"}
    offline.switch_off(variables)
    for key in ("HF_HUB_OFFLINE", "_USFM_HUB_KEPT_OFF"):
        monkeypatch.setenv(key, variables[key])
    with pytest.raises(RequestError, match="HF_HUB_OFFLINE forbids it"):
        embedders.load("timm:resnet18", device="cpu", download=True)
    assert os.environ["HF_HUB_OFFLINE"] == "1"


def test_reading_text_and_the_list_of_fonts_leave_nothing(tmp_path):
    """The two that did, in a process of their own; all commands are in the slow test."""
    home = tmp_path / "home"
    home.mkdir()
    code = """if True:
        import numpy as np
        from usfm.curate.clean.text import find_text
        find_text(np.zeros((64, 64), np.uint8))
        import matplotlib.font_manager
    """
    done = _session(home, code)
    assert done.returncode == 0, done.stderr
    assert not list(home.rglob("*"))
    assert not (tmp_path / "net").exists()


def test_a_look_up_is_seen(tmp_path):
    """What forbids the network forbids it."""
    done = _session(tmp_path / "home", "import socket; socket.getaddrinfo('example.org', 80)")
    assert "no network" in done.stderr
    assert "example.org" in (tmp_path / "net").read_text()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_command_is_silent(tmp_path):
    found = _bench().look(tmp_path, strace=shutil.which("strace") is not None)
    assert {name: what["code"] for name, what in found.items()} == {n: w["wanted"] for n, w in found.items()}
    assert {name: what["net"] + what["files"] for name, what in found.items()} == {name: [] for name in found}
