"""The same content on a Dask cluster as in the process pool, also when a worker is killed in mid-part."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import job_works
import pytest

from usfm.errors import RequestError

pytest.importorskip("distributed")
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two workers, processes of their own, over loopback."""
    folder = tmp_path_factory.mktemp("cluster")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(job_works.__file__).parent), os.environ.get("PYTHONPATH", "")]),
        "DASK_LOGGING__DISTRIBUTED": "error",
    }
    dask = [sys.executable, "-m", "dask"]
    file = folder / "scheduler.json"
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file]
    worker = ["worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard", "--local-directory", folder]
    processes = [
        subprocess.Popen(
            [*dask, *words], cwd=folder, env=environment, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for words in (scheduler, [*worker, "--name", "a"], [*worker, "--name", "b"])
    ]
    deadline = time.monotonic() + 60
    while not file.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    address = json.loads(file.read_text())["address"]
    from distributed import Client

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
    yield address
    for process in reversed(processes):  # each with the workers that it watches over
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_same_content_as_the_process_pool(step, wanted, same, cluster, monkeypatch):
    monkeypatch.chdir(step.folder)
    step.out = Path("out.h5")  # relative: workers live elsewhere
    summary = step.run(cluster=cluster)
    assert summary["frames_out"] == 24
    assert same(step.out) == wanted
    assert not Path("out.h5.parts").exists()


def test_a_worker_killed_in_mid_part_has_its_part_run_elsewhere(step, wanted, same, cluster):
    step.faults = {2: {"kind": "die", "once": True}}
    step.run(cluster=cluster)
    assert step.started().count(2) == 2
    assert same(step.out) == wanted


@pytest.mark.parametrize("kind", ["system-exit", "keyboard", "panic", "stubborn"])
def test_what_a_part_raises_costs_it_and_no_worker(step, cluster, kind):
    from distributed import Client

    with Client(cluster, timeout=60, set_as_default=False) as client:
        before = set(client.scheduler_info(n_workers=-1)["workers"])
        step.faults = {2: {"kind": kind}}
        assert step.run(cluster=cluster)["rejected"] == 4
        assert before <= set(client.scheduler_info(n_workers=-1)["workers"])


@pytest.mark.slow
@pytest.mark.parametrize("fault, limits", [({"kind": "die"}, {}), ({"kind": "hang"}, {"limit_s": 1.0})])
def test_a_poison_part_is_rejected(step, cluster, fault, limits):
    step.faults, step.limits = {2: fault}, limits
    assert step.run(cluster=cluster)["rejected"] == 4


def test_nobody_answers(step, monkeypatch):
    monkeypatch.setattr("usfm.jobs.cluster.CONNECT_S", 0.5)
    with pytest.raises(RequestError, match="no Dask scheduler answers"):
        step.run(cluster="tcp://127.0.0.1:9")
    assert not step.out.exists()


@pytest.mark.slow
def test_a_local_cluster_answers_nobody_without_its_certificate(step, wanted, same, monkeypatch, capfd, tmp_path):
    from distributed import Client
    from distributed.security import Security

    from usfm.jobs import cluster as module

    seen: list = []
    real = module._same_everywhere

    def look(client, address, folder):
        url = client.scheduler_info(n_workers=-1)["address"]
        assert url.startswith("tls://127.0.0.1")
        strangers = [(url.replace("tls", "tcp"), None), (url, module._throw_away()), (url, Security())]
        for where, security in strangers:
            with pytest.raises((OSError, TypeError, ValueError, RuntimeError)):
                Client(where, timeout=2, security=security, set_as_default=False)
            seen.append(where)
        return real(client, address, folder)

    monkeypatch.setattr(module, "_same_everywhere", look)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    step.run(cluster="local")
    left = {path.name for path in (tmp_path / "temporary").iterdir()}
    assert not {name for name in left if not name.startswith("pymp-")}, left  # which Python takes away at its end
    assert len(seen) == 3
    assert same(step.out) == wanted
    assert "certificate" not in capfd.readouterr().err


def test_without_a_certificate_a_local_cluster_warns(monkeypatch, capsys):
    from usfm.jobs import cluster as module

    def absent(*_, **__):
        raise ImportError

    monkeypatch.setattr("distributed.security.Security.temporary", absent)
    monkeypatch.setenv("PATH", "")
    assert module._throw_away() is None
    assert "other users of this machine" in capsys.readouterr().err
