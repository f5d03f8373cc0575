"""Results that are a file or a directory of their own: up to date, in the way, or written whole or not at all."""

import fnmatch
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from usfm import console
from usfm.errors import RequestError
from usfm.provenance import json_text
from usfm.store.whole import begun_folder, is_private, place, put_in_place, sweep, sync_all, whole_file

MADE = "made"
"""Key of a marker under which the names of all files of its directory stand."""


def up_to_date(out: str | Path, key: str, overwrite: bool, key_of: "Callable[[Path], str | None] | Marker") -> bool:
    """Decide what to do about an output that may exist.

    Args:
        out: where the result goes.
        key: digest of everything that makes the result: inputs and options that change content.
        overwrite: whether the user allows it to be replaced.
        key_of: reads the key of an existing result, None if it is not one of ours; or the marker of a directory.

    Returns:
        True if the same result is there already (and says so), False if the work is to be done.

    Raises:
        RequestError: something else is there, or `overwrite` would remove what no command here has made.
    """
    found_at = place(out)
    if not found_at.exists() or (found_at.is_dir() and not any(found_at.iterdir())):
        return False
    found = key_of.key_of(found_at) if isinstance(key_of, Marker) else key_of(found_at)
    if found == key and not overwrite:
        say_up_to_date(out)
        return True
    if found is None:
        raise RequestError(f"{out}: exists and was not made by this command; choose another --out")
    if not overwrite:
        raise RequestError(f"{out}: exists, made with other inputs or options; choose another --out or add --overwrite")
    if isinstance(key_of, Marker):
        key_of.refuse_strangers(found_at)
    return False


def say_up_to_date(out: str | Path) -> None:
    """Say that a result is there already; every command says it like this."""
    console.say(f"{out} is up to date")


def check_free(out: str | Path, overwrite: bool, key_of: "Callable[[Path], str | None] | Marker") -> None:
    """For a dry run: refuse what `up_to_date` would refuse whatever the key is, and a place that may not be written.

    Args:
        out: where the result would go.
        overwrite: whether the user allows it to be replaced.
        key_of: as for `up_to_date`.

    Raises:
        RequestError: something else is there, or the folder may not be written.
    """
    check_writable(out)
    found_at = place(out)
    if not found_at.exists() or (found_at.is_dir() and not any(found_at.iterdir())):
        return
    found = key_of.key_of(found_at) if isinstance(key_of, Marker) else key_of(found_at)
    if found is None or overwrite:
        up_to_date(out, "", overwrite, key_of)
    else:
        console.say(f"{out} exists: it is up to date if made from the same, else the run asks for --overwrite")


def check_writable(out: str | Path) -> None:
    """See that something could be written under a name, without writing anything.

    Args:
        out: where a result would go.

    Raises:
        RequestError: no permission, or a file is in the way of a folder.
    """
    above = next(folder for folder in [*place(out).parents, Path()] if os.path.lexists(folder))
    if not above.is_dir():
        raise RequestError(f"{above}: a file is in the way of a folder, or a folder of a file; choose another --out.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise RequestError(f"{above}: no permission to write there; choose another --out.")


class Marker:
    """The file of a result directory that says who made it, from what, and which files are in it.

    Args:
        file: its name, a JSON file.
        says: what it must hold, such as {"kind": "finetune"}; the user may have a file of this name too.
        older: patterns of the files of results that were made before markers listed them.
    """

    def __init__(self, file: str, says: dict, older: Iterable[str] = ()):
        self.file, self.says, self.older = file, says, tuple(older)

    def key_of(self, out: Path) -> str | None:
        """The key of an existing result; None where it is not one of this command.

        Raises:
            RequestError: the result holds a file that somebody else put there.
        """
        try:
            if not (out / self.file).is_file():  # a pipe would hold the command up
                return None
            found = json.loads((out / self.file).read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        if not isinstance(found, dict) or not isinstance(found.get("key"), str):
            return None
        if any(found.get(name) != value for name, value in self.says.items()):
            return None
        return found["key"]

    def refuse_strangers(self, out: Path) -> None:
        """See that everything in a result was made with it, before it is replaced.

        Raises:
            RequestError: names the first file that was not.
        """
        found = json.loads((out / self.file).read_text(encoding="utf-8"))
        listed = found.get(MADE)
        patterns = [*listed, self.file] if isinstance(listed, list) else [*self.older, self.file]
        refuse_strangers(out, [str(one) for one in patterns], literal=isinstance(listed, list))


def refuse_strangers(out: Path, own: Iterable[str], *, literal: bool = False) -> None:
    """See that a directory holds nothing but what a command of ours made.

    Args:
        out: the directory.
        own: paths in it, or patterns such as "figures/*.png" (a star takes "/" too).
        literal: whether `own` are names rather than patterns.

    Raises:
        RequestError: names the first file that is none of them.
    """
    own = list(own)
    names = set(own)
    for parent, folders, files in os.walk(out):
        below = Path(parent).relative_to(out)
        linked = [name for name in folders if Path(parent, name).is_symlink()]
        empty = [name for name in folders if name not in linked and not any(Path(parent, name).iterdir())]
        inside = [(below / name).as_posix() for name in [*files, *linked]]
        for name in [*inside, *((below / one).as_posix() + "/" for one in empty)]:
            known = name in names if literal else any(fnmatch.fnmatchcase(name, one) for one in own)
            empty_of_ours = name.endswith("/") and any(one.startswith(name) for one in own)
            if not known and not empty_of_ours and not is_private(Path(name).name):
                raise RequestError(
                    f"{out}: holds {name}, which usfm did not make, so --overwrite will not remove the folder; move "
                    "that file away or choose another --out"
                )


@contextmanager
def whole_directory(out: str | Path, marker: Marker, *, overwrite: bool = False) -> Iterator[Path]:
    """Build a directory under a private name, and give it its own in one step when everything went well.

    An old one under the final name is removed only then; after an error it is as it was and nothing else is left.

    Args:
        out: final name.
        marker: the file that says what the directory is; who uses this writes it, and the names of all files are added.
        overwrite: whether a result of the same command may be replaced.

    Yields:
        The private folder, to be written to.

    Raises:
        RequestError: what has the name now is not a result of this command, or holds files of somebody else.
    """
    out = place(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    sweep(out)
    new, fd = begun_folder(out)
    try:
        yield new
        _list_made(new, marker)
        sync_all(new)
        _may_replace(out, new, marker, overwrite)
        old = put_in_place(new, out)
        if old is not None:
            shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)
        os.close(fd)


def _list_made(new: Path, marker: Marker) -> None:
    made = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if not path.is_dir())
    file = new / marker.file
    file.write_text(json_text({**json.loads(file.read_text(encoding="utf-8")), MADE: made}, indent=2) + "\n", "utf-8")


def _may_replace(out: Path, new: Path, marker: Marker, overwrite: bool) -> None:
    """Look again, since much time may have gone by since the work began."""
    if not os.path.lexists(out):
        return
    if out.is_dir() and not any(out.iterdir()):
        out.rmdir()
        return
    found = marker.key_of(out) if out.is_dir() else None
    if found is None or not (overwrite or found == marker.key_of(new)):
        raise RequestError(f"{out}: something else has taken this name meanwhile; choose another --out")
    marker.refuse_strangers(out)


# ---------------------------------------------------------------- reports


_OURS = '<meta name="generator" content="usfm">'


def check_report(folder: str | Path | None) -> None:
    """See before the work that a report can be written: ``index.html`` in a folder.

    Raises:
        RequestError: the folder cannot be made or written, or the user has another ``index.html`` there.
    """
    if folder is None:
        return
    folder = place(folder)
    try:
        there = folder / "index.html"
        if there.exists() and (not there.is_file() or _OURS not in there.read_text("utf-8", "replace")):
            raise RequestError(f"{folder}: holds an index.html that usfm did not make; choose another --report")
        made = [one for one in [folder, *folder.parents] if not one.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            tempfile.TemporaryFile(dir=folder).close()
        finally:
            for one in made:
                one.rmdir()
    except OSError as error:
        raise RequestError(
            f"{folder}: no report can be written there ({error.strerror}); choose another --report"
        ) from None


def write_report(folder: str | Path, page: str) -> Path:
    """Write a report's page whole, with the mark by which `check_report` knows it.

    Args:
        folder: where the page goes, as ``index.html``.
        page: whole HTML.

    Returns:
        Path of the page.
    """
    folder = place(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "index.html") as temporary:
        temporary.write_text(page.replace("<head>", f"<head>{_OURS}", 1), encoding="utf-8")
    return folder / "index.html"
