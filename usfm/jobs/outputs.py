"""Results that are a file or a directory of their own: up to date, in the way, or written whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from usfm import console
from usfm.errors import RequestError


def up_to_date(out: str | Path, key: str, overwrite: bool, key_of: Callable[[Path], str | None]) -> bool:
    """Decide what to do about an output that may exist.

    Args:
        out: where the result goes.
        key: digest of everything that makes the result: inputs and options that change content.
        overwrite: whether the user allows it to be replaced.
        key_of: reads the key of an existing result; None if it is not one of ours.

    Returns:
        True if the same result is there already (and says so), False if the work is to be done.

    Raises:
        RequestError: something else is there, or `overwrite` would remove what no command here has made.
    """
    out = Path(out)
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    found = key_of(out)
    if found == key and not overwrite:
        console.say(f"{out} is up to date")
        return True
    if found is None:
        raise RequestError(f"{out}: exists and was not made by this command; choose another --out")
    if not overwrite:
        raise RequestError(f"{out}: exists, made with other inputs or options; choose another --out or add --overwrite")
    return False


def key_in(file: str) -> Callable[[Path], str | None]:
    """Make a `key_of` that reads ``"key"`` of a JSON file in the output directory."""

    def key_of(out: Path) -> str | None:
        try:
            found = json.loads((out / file).read_text(encoding="utf-8")).get("key")
        except (OSError, ValueError, AttributeError):
            return None
        return found if isinstance(found, str) else None

    return key_of


@contextmanager
def whole_directory(out: str | Path) -> Iterator[Path]:
    """Build a directory under another name, and give it its own in one step when everything went well.

    An old one under the final name is removed only then; after an error nothing is left behind.
    """
    out = Path(out)
    new, old = out.with_name(out.name + ".new"), out.with_name(out.name + ".old")
    out.parent.mkdir(parents=True, exist_ok=True)
    for leftover in (new, old):
        shutil.rmtree(leftover, ignore_errors=True)
    new.mkdir()
    try:
        yield new
        if out.exists():
            os.replace(out, old)
        os.replace(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
