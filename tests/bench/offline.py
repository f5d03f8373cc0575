"""Run every command with the network forbidden and an empty HOME; print what each asked of it and left there.

    python tests/bench/offline.py --work FOLDER [--only clean,onnx] [--no-strace]

Python's own calls are forbidden in every process (`silent/sitecustomize.py`). With strace, on the path, the system
calls of native code are seen too: connects and sends that leave the machine's own sockets, and files made anywhere but
in the work folder and the folder for temporary files. The wanted answer is 0 everywhere; the key file is the one
exception, and in a group of processes PyTorch's store asking for the name of 127.0.0.1.
"""

import argparse
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEY = ".config/usfm/salt.key"
LOOPBACK = ("cluster", "group")
"""Steps whose processes talk to each other on this machine."""
OWN_NAME = r"\003127\7in-addr\4arpa"
"""In a message to the name service: which name 127.x.x.x has. PyTorch's store asks, in torchrun as in its processes."""
_TINY = "--recipe debug --set steps=4 --set batch_size=4 --set saves=2 --set checks=2 --device cpu"


def steps() -> dict[str, tuple[str, int]]:
    """Name -> what is typed after `usfm`, and the exit code that is wanted."""
    found = {
        "simulate": "simulate --out clips --clips 8 --stills 4 --patients 4 --duplicates 2 --seconds 0.8 --fps 10 "
                    "--size 96 --workers 2",
        "extract": "extract clips --fps all --labels folder --group (?P<patient>p[0-9]+) --out raw.h5 --workers 2",
        "clean": "clean --in raw.h5 --out clean.h5 --workers 2",
        "dedup": "dedup --in clean.h5 --embedder random --visual-threshold 0.999 --device cpu --out unique.h5 --workers 2",  # noqa: E501
        "sector": "sector --in clean.h5 --size 128 --out sector.h5 --workers 2",
        "pretrain": f"pretrain --in sector.h5 --out run {_TINY}",
        "finetune": "finetune classify --in sector.h5 --encoder run --out probe --folds 2 --device cpu",
        "eval": "eval probe --out report --bootstrap 50",
        "embed": "embed --in sector.h5 --encoder run --out features.h5 --device cpu",
        "timm": "embed --in sector.h5 --encoder timm:resnet18 --out never.h5 --device cpu",
        "to-timm": "export run --to timm --out encoder.safetensors",
        "to-mae": "export run --to mae --out encoder.pth",
        "to-onnx": "export run --to onnx --out encoder.onnx",
        "info": "info sector.h5 --verify",
        "sheet": "info sector.h5 --sheet sheet.png",
        "demo": "demo --dry-run --out demo",
    }  # fmt: skip
    if importlib.util.find_spec("distributed"):
        found["cluster"] = "extract clips --fps all --out cluster.h5 --workers 2 --cluster local"
    for name in ("tensorboard", "wandb"):
        if importlib.util.find_spec(name):
            found[name] = f"pretrain --in sector.h5 --out with-{name} --log {name} {_TINY}"
    found["group"] = f"pretrain --in sector.h5 --out grouped {_TINY}"
    return {name: (words, 2 if name == "timm" else 0) for name, words in found.items()}


def look(work: Path, strace: bool, only: tuple[str, ...] = (), known: dict | None = None) -> dict[str, dict]:
    """Run the steps in a folder.

    Args:
        work: an empty folder.
        strace: watch system calls too.
        only: report these; the ones before them still run.
        known: the steps, default all.

    Returns:
        Name -> `code`, `wanted` code, `net` and `files` (lists of lines), `seconds`, `said`.
    """
    found = {}
    for name, (words, wanted) in (known or steps()).items():
        home = work / "homes" / name
        home.mkdir(parents=True)
        log, trace = work / f"{name}.net", work / f"{name}.trace"
        command = [sys.executable, "-m", "usfm", *shlex.split(words)]
        if name == "group":
            command[1:1] = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        if strace:
            calls = "connect,sendto,sendmmsg,sendmsg,mkdir,mkdirat,openat,open,creat"
            command = ["strace", "-ff", "--seccomp-bpf", "-qq", "-s", "200", "-e", f"trace={calls}", "-o", str(trace),
                       *command]  # fmt: skip
        started = time.monotonic()
        done = subprocess.run(command, cwd=work, env=environment(home, log, name), capture_output=True, text=True,
                              check=False)  # fmt: skip
        net = log.read_text().splitlines() if log.exists() else []
        files = [str(path.relative_to(home)) for path in home.rglob("*") if not path.is_dir()]
        if strace:
            traces = sorted(work.glob(f"{trace.name}.*"))  # one a thread: no line is cut in two
            seen = [line for path in traces for line in path.read_text(errors="replace").splitlines()]
            net += [line for line in seen if _leaves(line, name in LOOPBACK)]
            if name == "group" and len(net) <= sum(OWN_NAME in line for line in seen):
                net = [line for line in net if "htons(53)" not in line]
            files += [line for line in seen if _made_elsewhere(line, work)]
        if not only or name in only:
            found[name] = {"code": done.returncode, "wanted": wanted, "net": net,
                           "files": [line for line in files if line != KEY],
                           "seconds": time.monotonic() - started, "said": done.stderr}  # fmt: skip
    return found


def environment(home: Path, log: Path, name: str = "") -> dict[str, str]:
    """A user's environment with an empty HOME, nothing set for any library, and the network forbidden."""
    plain = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
    paths = [str(HERE / "silent"), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**plain, "HOME": str(home), "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1", "USFM_NET_LOG": str(log),
            "USFM_NET_LOOPBACK": "1" if name in LOOPBACK else "0"}  # fmt: skip


def _leaves(line: str, loopback: bool) -> bool:
    """Whether a system call goes to an address of the internet; one to this machine may be allowed."""
    if not re.search(r"\b(connect|sendto|sendmsg|sendmmsg)\(", line) or "AF_INET" not in line:
        return False
    own = re.search(r'inet_addr\("127\.|"::1"|"::ffff:127\.', line)
    return not (loopback and own)


def _made_elsewhere(line: str, work: Path) -> bool:
    """Whether a system call made a file or folder that is neither in the work folder nor temporary."""
    call = re.search(r'\b(mkdir|mkdirat|openat|open|creat)\((?:AT_FDCWD, |\d+, )?"([^"]*)"(.*)', line)
    if not call or " = -1 " in line or (call[1].startswith("open") and "O_CREAT" not in call[3]):
        return False
    if "/homes/" in call[2]:
        return KEY.split("/")[0] not in call[2]
    temporary = (str(work), os.environ.get("TMPDIR", "/tmp") + "/", "/dev/", "/proc/")
    return os.path.isabs(call[2]) and not call[2].startswith(temporary)


def main() -> None:
    """Print a line a command; exit 1 when one is not silent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--no-strace", action="store_true")
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(parents=True)
    strace = not options.no_strace and shutil.which("strace") is not None
    print(f"strace: {'yes' if strace else 'no, Python calls only'}")
    found = look(work, strace, tuple(filter(None, options.only.split(","))))
    for name, what in found.items():
        print(f"{name:10} exit {what['code']} (wanted {what['wanted']})  connects {len(what['net'])}  "
              f"files {len(what['files'])}  {what['seconds']:.0f} s")  # fmt: skip
        for line in (what["net"] + what["files"])[:20]:
            print(f"    {line[:200]}")
        if what["code"] != what["wanted"]:
            print(what["said"][-1500:])
    sys.exit(any(what["net"] or what["files"] or what["code"] != what["wanted"] for what in found.values()))


if __name__ == "__main__":
    main()
