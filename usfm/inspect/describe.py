"""What is in a store, as numbers and as text."""

from collections import Counter

import numpy as np

from usfm.console import format_table
from usfm.escape import line
from usfm.inspect import clean_split
from usfm.inspect import labels as labels_of
from usfm.store.reader import Store

_LINES = 20
_COUNTED = ("frames", "sources", "patients")


def counts(store: Store) -> dict:
    """Everything countable about a store, as JSON takes it."""
    split, labels = store.split(), store.labels_class()
    names = [*store.class_names, ""]
    patients = store.of_frames("patient")
    dropped, rejected = store.dropped(), store.rejected()
    return {
        "content_id": store.content_id,
        "frames": len(store),
        "sources": store.num_sources,
        "patients": len(set(patients) - {""}),
        "fixed_shape": store.fixed_shape,
        "sizes": dict(Counter(store.column("pixels_group").tolist()).most_common()),
        "kinds": dict(Counter(store.column("kind").tolist()).most_common()),
        "datasets": dict(Counter(store.of_frames("dataset").tolist()).most_common()),
        "regions": _regions(store),
        "labels": {
            "classes": {
                s or "(no split)": {
                    names[c] or "(none)": int(((split == s) & (labels == c)).sum())
                    for c in _present(labels[split == s])
                }
                for s in sorted(set(split.tolist()))
            },
            "patients": {s or "(no split)": len(set(patients[split == s]) - {""}) for s in sorted(set(split.tolist()))},
            "by_kind": labels_of.counts(store),
            "conflicts": labels_of.identical_conflicts(store),
            "masks": int(store.has_masks().sum()),
            "boxed": int(store.has_boxes().sum()),
        },
        "dropped": dict(Counter(dropped["stage"].tolist()).most_common()),
        "rejected": {
            f"{stage}: {reason}": count
            for (stage, reason), count in Counter(
                zip(rejected["stage"].tolist(), rejected["reason"].tolist(), strict=True)
            ).most_common()
        },
        "parts": len(store.parts()["name"]),
        "history": store.history,
    }


def _present(labels: np.ndarray) -> list[int]:
    return [int(label) for label in np.unique(labels)]


def _regions(store: Store) -> dict:
    if not store.num_regions:
        return {}
    table = store.region_table()
    return {
        "rows": store.num_regions,
        "evidence": dict(Counter(table["evidence"].tolist()).most_common()),
        "shapes": dict(Counter(shape or "(unknown)" for shape in table["shape"].tolist()).most_common()),
        "confidence_median": round(float(np.nanmedian(table["confidence"])), 3),
    }


def text(found: dict, title: str) -> str:
    """`counts` as a person reads it.

    Args:
        found: from `counts`.
        title: above the table.

    Returns:
        The lines, joined.
    """
    shape = found["fixed_shape"]
    first = [
        ["frames", f"{found['frames']:,}"],
        ["sources", f"{found['sources']:,}"],
        ["patients", f"{found['patients']:,}"],
        ["frame size", "x".join(map(str, shape)) + ", contiguous" if shape else _listed(found["sizes"])],
        ["kinds", _listed(found["kinds"])],
    ]
    if set(found["datasets"]) - {""}:
        first.append(["datasets", _listed(found["datasets"])])
    if found["regions"]:
        first.append(["regions", f"{found['regions']['rows']:,}: {_listed(found['regions']['evidence'])}"])
        first.append(["shapes", _listed(found["regions"]["shapes"])])
    for name, label in (("masks", "label masks"), ("boxed", "frames with boxes known")):
        if found["labels"][name]:
            first.append([label, f"{found['labels'][name]:,}"])
    blocks = ["\n".join([line(title), *(line(f"  {name:<11} {value}") for name, value in first)])]
    blocks += _label_block(found["labels"])
    if found.get("split_check"):
        blocks.append("\n".join(line(one) for one in clean_split.lines(found["split_check"])))
    blocks += _kinds_block(found["labels"])
    if found["dropped"]:
        blocks.append(_table("dropped by", found["dropped"]))
    if found["rejected"]:
        blocks.append(_table("rejected by", found["rejected"]))
    if found["history"]:
        blocks.append("history\n" + "\n".join(line(_step(step)) for step in found["history"]))
    return "\n\n".join(blocks)


def _listed(many: dict) -> str:
    shown = [f"{name or '(none)'} {count:,}" for name, count in list(many.items())[:6]]
    return ", ".join(shown) + (f" and {len(many) - 6} more" if len(many) > 6 else "")


def _label_block(labels: dict) -> list[str]:
    classes = labels["classes"]
    names = list(dict.fromkeys(name for one in classes.values() for name in one))
    if names == ["(none)"] and list(classes) == ["(no split)"]:
        return []
    rows = [
        [split, *(one.get(name, 0) for name in names[:_LINES]), labels["patients"][split]]
        for split, one in classes.items()
    ]
    return [format_table("", ["split", *names[:_LINES], "patients"], rows)]


def _predicted(kind: dict) -> str:
    return f", predicted by run {kind['predicted_by']}" if kind.get("predicted_by") else ""


def _kinds_block(labels: dict) -> list[str]:
    """Tables of the kinds of labels beside the class, and the conflicts."""
    found, blocks = labels["by_kind"], []
    if len(found.get("class", {})) > 1:
        rows = [[name, *(f"{one[key]:,}" for key in _COUNTED)] for name, one in list(found["class"].items())[:_LINES]]
        blocks.append(format_table("", ["class", *_COUNTED], rows))
    if "multi" in found:
        rows = [[name, f"{one['yes']:,}", f"{one['no']:,}"] for name, one in list(found["multi"].items())[:_LINES]]
        blocks.append(format_table("", ["several may apply", "yes", "no"], rows))
    if "masks" in found and found["masks"]["names"]:
        shown = ", ".join(found["masks"]["names"][:_LINES])
        told = _predicted(found["masks"])
        blocks.append(line(f"structures of label masks ({found['masks']['kind']}{told}): {shown}"))
    if "boxes" in found:
        classes = list(found["boxes"]["classes"].items())[:_LINES]
        rows = [[name, f"{one['boxes']:,}", f"{one['frames']:,}"] for name, one in classes]
        blocks.append(format_table("", [f"class of boxes{_predicted(found['boxes'])}", "boxes", "frames"], rows))
    if "values" in found:
        rows = [[name, f"{one['frames']:,}", *(f"{one[key]:.4g}" for key in ("least", "median", "most"))]
                for name, one in list(found["values"].items())[:_LINES]]  # fmt: skip
        blocks.append(format_table("", ["number", "frames", "least", "median", "most"], rows))
    conflicts = labels["conflicts"]
    if conflicts["sets"]:
        lines = [f"{conflicts['sets']:,} sets of identical frames carry different classes"]
        for one in conflicts["named"][:_LINES]:
            each = zip(one["sources"], one["classes"], strict=True)
            lines.append("  " + "; ".join(f"{source}: {name}" for source, name in each))
        blocks.append("\n".join(map(line, lines)))
    return blocks


def _table(title: str, many: dict) -> str:
    rows = [[name, f"{count:,}"] for name, count in list(many.items())[:_LINES]]
    return format_table("", [title, "count"], rows)


def _step(step: dict) -> str:
    found = step.get("counts", {})
    flow = ""
    if found:
        many = [_number(found, name) for name in ("frames_in", "frames_out", "dropped", "rejected")]
        flow = "{} in = {} out + {} dropped + {} rejected".format(*many)
        flow = flow.replace(" in =", f" in + {found['added']:,} added =") if found.get("added") else flow
        flow += f", {found['sources_rejected']:,} sources rejected" if found.get("sources_rejected") else ""
    version = step.get("software", {}).get("usfm", "?")
    return f"  {step.get('command', '?'):<9} {flow}  ({step.get('seconds', 0):.1f} s, usfm {version})"


def _number(counts: dict, name: str) -> str:
    """A count with commas, "?" where a step has none."""
    value = counts.get(name)
    return "?" if value is None else f"{value:,}"
