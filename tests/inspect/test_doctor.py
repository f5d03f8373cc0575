"""Doctor says what works and how to mend the rest, and ends in a sentence whatever is broken."""

import json
import socket
from importlib import metadata

import pytest

from usfm.cli.main import main
from usfm.config import Request
from usfm.inspect import doctor
from usfm.inspect.doctor_config import Config


def found(**_):
    summary = doctor.run(Config(), Request())
    return summary, {one["name"]: one for one in summary["checks"]}


def test_all_is_said_without_the_network(monkeypatch, capfd):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--json"])
    out, err = capfd.readouterr()
    assert not end.value.code, err
    checks = json.loads(out)["checks"]
    assert {"python", "torch", "GPU", "cores", "memory", "OCR models", "ffmpeg in PyAV", "key of pseudonyms"} <= {
        one["name"] for one in checks
    }
    assert all(one["state"] in (doctor.GOOD, doctor.MISSING, doctor.BROKEN) for one in checks)
    assert all(one["mend"] for one in checks if one["state"] == doctor.BROKEN)


def test_a_library_that_is_not_there_is_named_with_the_line_that_mends_it(monkeypatch, capsys):
    real = metadata.version

    def version(name):
        if name in ("timm", "wandb"):
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    summary, checks = found()
    if checks["libraries"]["state"] == doctor.MISSING:
        pytest.skip("usfm is not installed here")
    assert (summary["works"], summary["broken"]) == (False, ["libraries"])
    assert checks["libraries"]["mend"] == "pip install timm"
    assert "to mend: pip install timm" in capsys.readouterr().out
    assert checks["extra log"]["state"] == doctor.MISSING


def test_a_check_that_fails_is_a_row(monkeypatch, capsys):
    def _video():
        raise ImportError("libx.so: cannot open\n shared object")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (_video,))
    summary, checks = found()
    assert summary["broken"] == ["video"]
    assert "libx.so: cannot open shared object" in checks["video"]["found"]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_key_that_others_can_read(monkeypatch, tmp_path):
    monkeypatch.delenv("USFM_SALT")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "CHECKS", (doctor._key,))
    assert found()[1]["key of pseudonyms"]["state"] == doctor.MISSING
    path = doctor.key_file()
    path.parent.mkdir()
    path.write_text("x" * 32)
    path.chmod(0o644)
    assert found()[1]["key of pseudonyms"]["mend"] == f"others can read it: chmod 600 {path}"
    path.chmod(0o600)
    assert found()[1]["key of pseudonyms"]["state"] == doctor.GOOD
