"""What extract prepares of a public collection: the same five things as of any other input, as its layout says them."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from usfm import console
from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract.config import Config
from usfm.extract.identity import Paths, Pseudonyms, load_key
from usfm.extract.imported import Imported
from usfm.extract.labels import Facts
from usfm.extract.layouts import cineclip
from usfm.extract.layouts.apply import Placed, Read, place, read, source_files
from usfm.extract.layouts.contract import found as pattern_fits
from usfm.extract.layouts.unpacked import Unpacked
from usfm.extract.plan import Piece
from usfm.extract.sources import Found, find

SAID_BY_LAYOUT = ("manifest", "labels", "label_regex", "group", "annotations", "mask_suffix", "mask_pattern",
                  "keep_column")  # fmt: skip
"""Settings that say what a layout says already."""


CODE: dict[str, Callable[[str, str], Found]] = {"cineclip": cineclip.found_in}
"""Layouts whose files are not sources as they are: what cuts them, by (root, path below it)."""


def placed(config: Config, request: Request) -> Placed | None:
    """Find the layout that is asked for, and say what it is.

    Args:
        config: The settings.
        request: The inputs.

    Returns:
        The layout and its root; None where none is asked for.

    Raises:
        RequestError: If it does not fit, or is asked for with settings that say the same.
    """
    if config.layout is None:
        return None
    other = next((name for name in SAID_BY_LAYOUT if getattr(config, name)), "")
    other = other or ("masks" if config.masks != "auto" else "")
    if other:
        raise RequestError(
            f"extract: --layout and --{other.replace('_', '-')} both say what is labelled; give one of them."
        )
    here = place(config.layout, request.inputs)
    about = here.layout.about
    console.say(
        f"extract: layout {here.layout.name}: {about.title} ({about.anatomy}; published: {about.frames or '?'}); "
        f"licence: {about.licence}; {about.home or 'home page not known'}"
    )
    if here.within:
        console.say(f"extract: of the collection only {here.within.rstrip('/')} is read, which was given.")
    return here


def settled(config: Config, here: Placed) -> Config:
    """Settle the settings.

    Args:
        config: As the user gave them.
        here: The layout.

    Returns:
        Them with the layout's name, and its own sampling where the user asks for none.
    """
    find = here.layout.find
    usual = config.fps == Config().fps and config.every is None
    fps = find.fps if find and find.fps and usual else config.fps
    most = find.most if find and find.most and config.max_frames is None else config.max_frames
    return replace(config, layout=here.layout.name, fps=fps, max_frames=most)


def prepared(
    config: Config, request: Request, here: Placed
) -> tuple[Found, dict[str, Facts], Paths, Pseudonyms | None, Imported]:
    """Find the sources, what is known about each, and their labels; paths are plain unless the user hides them.

    Args:
        config: The settings.
        request: What is common to all commands.
        here: The layout and its root.

    Returns:
        The sources, what is known about each, how paths are shown, pseudonyms, and the labels.

    Raises:
        RequestError: If tables or masks are of another release, or what must be unpacked is not.
    """
    code = here.layout.find.code if here.layout.find else ""
    if here.packed and code:
        raise RequestError(f"{here.packed.folder}: unpack it first; {here.layout.name} is not read in an archive.")
    if here.packed:
        what = _of_packed(here, here.packed, config)
    elif code:
        what = read(
            here, CODE[code](here.root, next(path for path in here.listed if here.picture(path))), config.dataset
        )
    else:
        found = find((here.root,), claims=here.claims, include=config.include, exclude=config.exclude)
        what = read(here, found, config.dataset)
    hide = config.anonymous_paths is True
    people = any(one.patient or one.exam for one in what.facts.values())
    names = Pseudonyms(load_key(config.salt, create=not request.dry_run)) if hide or people else None
    bits = config.mask_kind == "bits"
    extra = Imported(
        what.annotations, what.matched, what.masks, what.left, config.fill_outlines, bits,
        gaps=what.gaps,
        under=here.layout.under, tables=tuple(source_files(here, what.files)),
    )  # fmt: skip
    return what.found, what.facts, Paths(names if hide else None), names, extra


def _of_packed(here: Placed, packed: Unpacked, config: Config) -> Read:
    """Read what the layout knows of a collection in archives: only its tables and outlines are unpacked."""
    claims = packed.claims(here.root, here.is_mask)
    found = find((packed.folder,), claims=claims, include=config.include, exclude=config.exclude)
    layout = here.layout
    rules = [rule.file for rule in (*layout.tables, *layout.outlines)]
    wanted = [path for path in here.listed if any(pattern_fits(rule, path) is not None for rule in rules)]
    with tempfile.TemporaryDirectory(prefix="usfm-") as folder:
        packed.write(here.root, folder, wanted)
        try:
            return read(replace(here, root=folder), packed.found(here.root, found), config.dataset)
        except RequestError as error:
            raise RequestError(str(error).replace(folder, here.root)) from None


def labelled(cut: Sequence[Piece], labels: Mapping[str, str]) -> list[Piece]:
    """Put the classes that masks say onto their pictures, where nothing else says one.

    Args:
        cut: The pieces.
        labels: Relative path of a source -> class.

    Returns:
        The pieces, in order.
    """
    found = []
    for piece in cut:
        label = piece.facts.label or labels.get(piece.source.relative, "")
        found.append(replace(piece, facts=replace(piece.facts, label=label)))
    return found
