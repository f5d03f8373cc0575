"""Take a frame of an input store over into a part, with all that is known about it."""

from usfm.imaging.beam import BeamMap
from usfm.store.codec import compress
from usfm.store.schema import group_shape, view_id


def copy_frame(part, store, i: int, pixels, region: tuple, overlay: tuple, framing, changes: dict) -> int:
    """Do what `PartWriter.copy` says; the arguments are its own, bundled.

    Args:
        part: the `writer.PartWriter` that takes the frame.
        store: the input, a `reader.Store`.
        i: frame of the input.
        pixels: new pixels, None for those of the input.
        region: (region, its key); (None, "") for that of the input.
        overlay: (mask, its key, detail); (None, "", None) for that of the input.
        framing: `imaging.framing.Framing` or `imaging.beam.BeamMap`, None where the frame is not moved.
        changes: new kind, views, view, coverage, split and of_source, None each for what stays; without: kinds of label
            left behind.

    Returns:
        Row of the frame in the part.

    Raises:
        ValueError: a new region or overlay has no key.
    """
    file, row, at = store.place(int(i))
    known = file.row(row)
    size = (known["height"], known["width"])
    if framing is not None and framing.is_identity and size == (framing.out_height_px, framing.out_width_px):
        framing = None
    values = {name: known[name] for name in ("frame_id", "index", "time_s", "kind", "part", "views")}
    sources, places = store.sources_joined()
    source = sources[int(places[at][known["source"]])]
    view = changes["view"]
    values["source"] = part.source(**source | (changes["of_source"] or {}))
    values.update(_geometry(known, framing))
    values |= {name: changes[name] for name in ("kind", "views") if changes[name] is not None}
    if view is not None:
        values |= {"frame_id": view_id(known["frame_id"], view.number), "part": view.number, "views": 1}
    values["region_row"] = _region(part, store, file, known, at, region, framing)
    values["overlay_row"] = _overlay(part, store, file, known, at, overlay, framing)
    if pixels is None and framing is not None:
        pixels = framing.apply(file.frame(row))
    labels = part.labels.carried(file, row, framing, changes["without"], view)
    labels |= {name: changes[name] for name in ("split", "coverage") if changes[name] is not None}
    labels |= {name: changes[name] for name in ("mask", "boxes") if changes[name] is not None}
    if changes["scores"]:
        labels["scores"] = {**labels.get("scores", {}), **changes["scores"]}
    if pixels is not None:
        return part.frame(pixels, **values, **labels)
    return _pass_through(part, file, row, values, labels)


def _pass_through(part, file, row: int, values: dict, labels: dict) -> int:
    """Add a frame whose pixels do not change: its bytes are checked, and go over as they are."""
    group = file.place(row)[0]
    shape = group_shape(group)
    part.labels.add(len(part), shape, labels)
    contiguous = file.groups[group] is not None
    chunk, digest = file.raw_frame(row)
    if part.contiguous and not contiguous:
        chunk = file.frame(row).tobytes()
    elif contiguous and not part.contiguous:
        chunk = compress(chunk)
    return part.add_chunk(shape, chunk, digest, values)


def _geometry(known: dict, framing) -> dict:
    crop = known["crop_row_px"], known["crop_col_px"], known["scale"]
    spacing = known["row_spacing_mm"], known["col_spacing_mm"]
    if framing is not None:
        crop = framing.source_crop(*crop)
        spacing = framing.spacings(*spacing)
    names = ("crop_row_px", "crop_col_px", "scale", "row_spacing_mm", "col_spacing_mm")
    return dict(zip(names, (*crop, *spacing), strict=True))


def _moved_key(key: str, framing) -> str:
    """A region that is moved is another region: its key says by what."""
    return key if framing is None else f"{key}@{framing.name}"


def _region(part, store, file, known: dict, at: int, given: tuple, framing) -> int:
    region, key = given
    if region is None:
        if known["region_row"] < 0:
            return -1
        row = known["region_row"] + int(store.first_region[at])
        key = store.region_key(row)
    elif not key:
        raise ValueError("a new region needs its region_key")
    moved = _moved_key(key, framing)
    found = part.regions.find(moved)
    if found is not None:
        return found
    region = store.region(row) if region is None else region
    if framing is not None:
        region = framing.apply_region(region) if isinstance(framing, BeamMap) else region.framed(framing)
    return part.region(region, moved)


def _overlay(part, store, file, known: dict, at: int, given: tuple, framing) -> int:
    mask, key, detail = given
    if mask is None:
        if known["overlay_row"] < 0:
            return -1
        row = known["overlay_row"] + int(store.first_overlay[at])
        detail = store.overlay_detail(row)
        key = detail.pop("key")
    elif not key:
        raise ValueError("a new overlay needs its overlay_key")
    moved = _moved_key(key, framing)
    found = part.overlays.find(moved)
    if found is not None:
        return found
    mask = store.overlay(row) if mask is None else mask
    return part.overlay(mask if framing is None else framing.apply_mask(mask), moved, detail)
