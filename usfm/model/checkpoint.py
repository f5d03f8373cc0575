"""Run directories and weight files: written whole or not at all, read with a count of what matched."""

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from usfm.errors import RequestError
from usfm.model import header
from usfm.model.card import CARD, card_of
from usfm.model.files import Weights
from usfm.model.vit import Encoder, Shape
from usfm.model.weights import LoadReport, load_into, read_weights, shape_of
from usfm.store.disk import sync
from usfm.store.whole import complete, private, put_in_place, sync_all

ENCODER, MODEL, STATE = "encoder.safetensors", "model.safetensors", "state.pt"


# ---------------------------------------------------------------- writing


def save(
    directory: str | Path,
    encoder: Mapping[str, torch.Tensor] | None,
    shape: Shape | None,
    *,
    model: Mapping[str, torch.Tensor] | None = None,
    state: dict | None = None,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write one checkpoint directory (`last`, `best`, `step-0001000`), whole or not at all.

    Everything goes into a folder with a private name, is synced, and changes places with the old one: a reader finds
    a complete checkpoint at every moment (`usfm.store.whole.complete`).

    Args:
        directory: where to; its parent exists.
        encoder: the encoder's state dict (timm key names); None where it is none of ours.
        shape: its shape, written into the file's metadata so that the file alone can be loaded.
        model: the state dict of everything trained (encoder, decoder, ...), for a warm start.
        state: what is needed to go on (optimiser, step, generators): plain values and tensors.
        notes: more metadata strings for the encoder file.

    Raises:
        OSError: the disk is full or fails; the checkpoint that was there before is as it was.
    """
    from safetensors.torch import save_file

    directory = Path(directory)
    new = private(directory)
    new.mkdir()
    own = {} if shape is None else {"usfm": json.dumps({"encoder": shape.as_dict()})}
    about = {"format": "pt", **own, **dict(notes or {})}
    try:
        with _as_os_error(new):
            for name, weights, metadata in ((ENCODER, encoder, about), (MODEL, model, {"format": "pt"})):
                if weights is not None:
                    plain = _plain(weights)
                    metadata = {**metadata, header.DIGEST: header.digest_of(plain, metadata)}
                    _write(new / name, lambda path, p=plain, m=metadata: save_file(p, path, metadata=m))
            if state is not None:
                _write(new / STATE, lambda path: save_plain(state, path))
        sync_all(new)
        old = put_in_place(new, directory)
        sync(directory.parent)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _plain(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in weights.items()}


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file that has the mode of the user's umask, whatever the library would give it."""
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    write(path)
    path.chmod(mode)


class _Told:
    """A file for `torch.save` that remembers what the system said: the library says it in its own words."""

    def __init__(self, fd: int):
        self.fd, self.error = fd, None

    def write(self, data) -> int:
        view = memoryview(data).cast("B")
        size = len(view)
        try:
            while view:
                view = view[os.write(self.fd, view) :]
        except OSError as error:
            self.error = self.error or error
            raise
        return size

    def flush(self) -> None:
        """Nothing waits here."""


def save_plain(thing: object, path: str | Path) -> None:
    """`torch.save` whose failure is the system's own.

    Args:
        thing: plain values and tensors.
        path: where to.

    Raises:
        OSError: the disk is full or fails.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        told = _Told(fd)
        try:
            torch.save(thing, told)  # pyright: ignore[reportArgumentType]  it asks for `write` alone
        except BaseException:
            if told.error is not None:
                raise told.error from None
            raise
    finally:
        os.close(fd)


@contextmanager
def _as_os_error(path: Path) -> Iterator[None]:
    """Give what libraries raise when the disk has no room the form that Python has for it."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        found = re.search(r"os error (\d+)", str(error))
        full = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize < _LITTLE_BYTES
        number = int(found[1]) if found else errno.ENOSPC if full else errno.EIO
        if not found and "write" not in str(error):
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


_LITTLE_BYTES = 1 << 26


def load_state(directory: str | Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The model's weights and the state to go on from, of a checkpoint directory.

    Raises:
        RequestError: a file is missing or damaged.
    """
    directory = Path(directory)
    try:
        model, state = header.load(directory / MODEL)[0], header.load(directory / STATE)[0]
    except RequestError as error:
        raise incomplete(directory, str(error).partition(";")[0]) from None
    if not isinstance(model, dict) or not isinstance(state, dict):
        raise incomplete(directory, f"{directory / STATE} holds no state")
    header.check_tensors(directory / MODEL, model)
    return model, state


def incomplete(directory: str | Path, why: str) -> RequestError:
    """The refusal of a checkpoint that a run cannot go on from.

    Args:
        directory: of the checkpoint.
        why: a clause.

    Returns:
        The error, to be raised.
    """
    return RequestError(
        f"the checkpoint {directory} is incomplete or damaged ({why}): take another one of the run, or start again "
        "with --overwrite"
    )


# ---------------------------------------------------------------- reading


def locate(path: str | Path) -> tuple[Path, dict]:
    """A weight file and its run's card, from a run directory, a checkpoint directory or a file.

    A run directory means its `last`. `best` has the lowest reconstruction loss on a few held-out sources: a noisy
    figure that can be lowest early, and that says little about features. Name it to have it.

    Raises:
        RequestError: there is nothing, or no weights in it.
    """
    path = complete(Path(path))
    if not path.exists():
        raise RequestError(f"{path}: no such run or checkpoint file")
    if path.is_file():
        return path, {}
    for folder in (path, complete(path / "last"), complete(path / "best")):
        if (folder / ENCODER).is_file():
            run = folder.parent if folder.name != path.name or not (folder / CARD).is_file() else folder
            return folder / ENCODER, card_of(run)
    raise RequestError(f"{path}: holds no {ENCODER}, so it is no run directory (expected last/ or best/ in it)")


def load_encoder(
    path: str | Path,
    *,
    image_size: int | tuple[int, int] | None = None,
    in_chans: int | None = None,
    drop_path: float = 0.0,
    heads: int = 0,
    found: Weights | None = None,
) -> tuple[Encoder, dict, LoadReport]:
    """An encoder with its weights, from a run directory or a checkpoint file.

    Args:
        path: run directory (its last checkpoint), checkpoint directory, .safetensors, .pth or .pt.
        image_size: run at another size than it was trained at (positions are resampled).
        in_chans: 1 or 3 where it differs from the file's (folded exactly for gray frames).
        drop_path: stochastic depth, for fine-tuning.
        heads: attention heads of a file that does not tell them; 0 = as usual at its width, or refused.
        found: the tensors, where they were read before.

    Returns:
        The encoder in evaluation mode, the run's card ({} for a bare file), and what matched.

    Raises:
        RequestError: nothing there, damaged, no plain vision transformer, or a tensor of it is missing.
    """
    file, card = locate(path)
    weights = read_weights(file) if found is None else found
    known, said = shape_of(weights, file, heads)
    size = known.image_size if image_size is None else image_size
    size = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
    if size[0] % known.patch or size[1] % known.patch:
        raise RequestError(
            f"image size {size[0]}x{size[1]} is no multiple of the patch of {file} ({known.patch} pixels)"
        )
    shape = replace(known, image_size=size, in_chans=known.in_chans if in_chans is None else in_chans)
    encoder = Encoder(shape, drop_path=drop_path)
    report = load_into(encoder, weights, file, known.grid, (said,))
    return encoder.eval(), card, report
