"""What keeps dependencies quiet: no telemetry, no update check, no file in HOME; in force before any of them is loaded.

Libraries read these variables when they are imported, and child processes inherit them. So `usfm/__init__.py` calls
`switch_off` first of all, in a command, in its workers and wherever else usfm is imported.
"""

import atexit
import os
import secrets
import sys
from collections.abc import MutableMapping

SWITCHES = {
    "DO_NOT_TRACK": "1",
    "DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime: else a collector's address and a data base in ~/.cache
    "HF_HUB_OFFLINE": "1",  # `allow_hub` turns it over for --download
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
    "YOLO_OFFLINE": "true",  # ultralytics knows no other word; it also ends its analytics
    "YOLO_AUTOINSTALL": "false",
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "WANDB_DISABLE_GIT": "true",
    "WANDB_DISABLE_CODE": "true",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "IMAGEIO_NO_INTERNET": "1",
    "MPL_IGNORE_SYSTEM_FONTS": "1",  # else fontconfig's program is run, which writes a cache; Matplotlib has its own fonts  # noqa: E501
    "OPENCV_OPENCL_CACHE_ENABLE": "0",
}
"""Set whatever the user's environment says: the other value opens the network or writes outside the output."""

FOLDERS = {
    "MPLCONFIGDIR": "matplotlib",
    "DASK_CONFIG": "dask",  # where Dask writes a sample of its settings; it still reads ~/.config/dask
    "YOLO_CONFIG_DIR": "ultralytics",
    "WANDB_CACHE_DIR": "wandb",
    "WANDB_CONFIG_DIR": "wandb",
    "WANDB_DATA_DIR": "wandb",
    "WANDB_ARTIFACT_DIR": "wandb",
    "TORCHINDUCTOR_CACHE_DIR": "inductor",
    "TORCH_EXTENSIONS_DIR": "extensions",
    "PYTORCH_KERNEL_CACHE_PATH": "kernels",
    "TRITON_HOME": "triton",
    "TRITON_CACHE_DIR": "triton",
    "CUDA_CACHE_PATH": "cuda",
    "NUMBA_CACHE_DIR": "numba",
    "IMAGEIO_USERDIR": "imageio",
    "SKIMAGE_DATADIR": "skimage",
    "SCIKIT_LEARN_DATA": "sklearn",
    "POCL_CACHE_DIR": "pocl",
}
"""Folders that a library insists on, below one private folder; a user's own choice stands where it is outside HOME."""

_ROOT = "_USFM_CACHE"
_KEPT_OFF = "_USFM_HUB_KEPT_OFF"


def switch_off(environment: MutableMapping[str, str] | None = None) -> str:
    """Switch off what dependencies do unasked, and send their caches to a private folder.

    The caches of the Hugging Face hub and of PyTorch's hub stay where they are: they are read for `timm:NAME` and
    written with `--download` alone.

    Args:
        environment: the variables to set, default those of this process.

    Returns:
        The private folder when it is new with this call, else "", for a process that inherits its parent's. It is not
        made: a library that wants it makes it.

    Example:
        >>> of_a_child = {"HOME": "/home/ada", "WANDB_MODE": "online", "MPLCONFIGDIR": "/scratch/fonts"}
        >>> new = switch_off(of_a_child)
        >>> of_a_child["WANDB_MODE"], of_a_child["MPLCONFIGDIR"]
        ('offline', '/scratch/fonts')
        >>> of_a_child["DASK_CONFIG"] == f"{new}/dask"
        True
        >>> switch_off(of_a_child)
        ''
    """
    variables = os.environ if environment is None else environment
    root = variables.get(_ROOT, "")
    new = "" if root else os.path.join(_temporary(variables), f"usfm-cache-{secrets.token_hex(8)}")
    if new:
        variables[_ROOT] = root = new
        if _is_true(variables.get("HF_HUB_OFFLINE")) or _is_true(variables.get("TRANSFORMERS_OFFLINE")):
            variables[_KEPT_OFF] = "1"
    home = os.path.realpath(variables.get("HOME") or os.path.expanduser("~"))
    allowed = variables.get("HF_HUB_OFFLINE") if not new else None  # a parent's --download holds for its children
    variables.update(SWITCHES)
    if allowed is not None:
        variables["HF_HUB_OFFLINE"] = allowed
    for name, folder in FOLDERS.items():
        if name == "DASK_CONFIG" and os.path.isfile(variables.get(name, "")):
            continue  # settings of the user's own, in a file, where no sample can be written
        if not variables.get(name) or not _stands(variables[name], home, root):
            variables[name] = os.path.join(root, folder)
    return new


def allow_hub() -> bool:
    """Let the Hugging Face hub be asked from now on, as `--download` wishes.

    Returns:
        False where the user's own HF_HUB_OFFLINE forbids it: then it stays off.
    """
    if os.environ.get(_KEPT_OFF):
        return False
    os.environ["HF_HUB_OFFLINE"] = "0"
    if constants := sys.modules.get("huggingface_hub.constants"):  # it has read the variable already
        vars(constants)["HF_HUB_OFFLINE"] = False
    return True


def remove_at_exit(folder: str) -> None:
    """Remove the private folder when this process ends; a fork of this process leaves it alone."""
    if folder:
        atexit.register(_remove, folder, os.getpid())


def _remove(folder: str, owner: int) -> None:
    if os.getpid() == owner and os.path.isdir(folder):
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def _temporary(variables: MutableMapping[str, str]) -> str:
    """As `tempfile.gettempdir`, which would write a file to find out."""
    for folder in (variables.get("TMPDIR"), variables.get("TEMP"), variables.get("TMP"), "/tmp", "/var/tmp"):
        if folder and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK):
            return os.path.abspath(folder)
    return "/tmp"


def _stands(folder: str, home: str, root: str) -> bool:
    """Whether a folder in a variable is the private one or one outside HOME."""
    folder = os.path.realpath(os.path.expanduser(folder))
    return _inside(folder, os.path.realpath(root)) or not _inside(folder, home)


def _inside(folder: str, other: str) -> bool:
    return os.path.commonpath([folder, other]) == other


def _is_true(word: str | None) -> bool:
    return (word or "").strip().upper() in ("1", "ON", "YES", "TRUE")
