"""The collection: which patients, exams, clips and stills there are, and which repeat which."""

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from usfm.seeding import stream
from usfm.simulate.config import Config
from usfm.simulate.motion import Motion
from usfm.simulate.probe import Probe, View, fit_view
from usfm.simulate.scanner import Settings
from usfm.simulate.tissue import CLASSES

SHARES = (("test", 0.3), ("val", 0.15), ("train", 1.0))
"""Split by patient: cumulative from the first, the last takes the rest."""


@dataclass(frozen=True)
class Item:
    """One file to render.

    Attributes:
        path: relative to the media folder, class folder first.
        kind: "clip" or "still".
        label: one of `CLASSES`.
        patient: name of the patient, "p00" on.
        exam: name of the exam.
        split: "train", "val" or "test".
        number: which picture of the collection; a repeat has its original's.
        repeat_of: path of the original, "" for an original.
        repeat: how it repeats: "copy" (same bytes) or "reencoded" (same pictures, other quality).
    """

    path: str
    kind: str
    label: str
    patient: str
    exam: str
    split: str
    number: int
    repeat_of: str = ""
    repeat: str = ""


@dataclass(frozen=True)
class Look:
    """What all pictures of one patient share: the device, its settings and its screen."""

    view: View
    settings: Settings
    elements: tuple[str, ...]


def collection(config: Config, seed: int) -> list[Item]:
    """List every file of a collection, originals first.

    Patients take turns, and each patient's exams alternate between the classes, so that neither the patient nor the
    device says the class.
    """
    patients = min(config.patients, max(1, config.clips + config.stills))
    order = stream(seed, "split").permutation(patients)
    split = {}
    for place, patient in enumerate(order):
        split[int(patient)] = next(name for name, share in SHARES if place < _until(name, patients))
    items = []
    for number in range(config.clips + config.stills):
        clip = number < config.clips
        turn, patient = divmod(number, patients)
        which = (turn + patient) % len(CLASSES)
        suffix = "mp4" if clip else "png"
        name = f"p{patient:02d}_e{which + 1}_{'c' if clip else 's'}{turn:02d}"
        items.append(
            Item(
                path=f"{CLASSES[which]}/{name}.{suffix}",
                kind="clip" if clip else "still",
                label=CLASSES[which],
                patient=f"p{patient:02d}",
                exam=f"p{patient:02d}e{which + 1}",
                split=split[patient],
                number=number,
            )
        )
    draw = stream(seed, "repeats")
    for count, at in enumerate(draw.permutation(len(items))[: config.duplicates]):
        first = items[int(at)]
        stem, suffix = first.path.rsplit(".", 1)
        how = ("copy", "reencoded")[count % 2]
        path = f"{stem}_r{count:02d}.{suffix}"
        items.append(dataclasses.replace(first, path=path, repeat_of=first.path, repeat=how))
    return items


def _until(name: str, patients: int) -> float:
    """Place in the order before which patients belong to a split; with few patients each split still gets one."""
    total, until = 0.0, {}
    for split, share in SHARES:
        total += share
        until[split] = max(round(total * patients), len(until) + 1) if split != "train" else math.inf
    return until[name] if patients >= 3 or name == "train" else 0


def look(config: Config, seed: int, patient: str) -> Look:
    """Choose the device and its settings for a patient; sizes scale with `config.size`."""
    rng = stream(seed, "look", patient)
    shape = config.probe if config.probe != "mixed" else ("convex", "linear")[int(patient[1:]) % 2]
    width = config.size
    height = 2 * round(width * rng.choice([0.75, 0.8, 1.0]) / 2)
    width = 2 * (width // 2)
    rows = int(0.95 * height)
    if shape == "convex":
        depth = rng.uniform(110, 170)
        probe = Probe(
            "convex",
            radius_mm=rng.uniform(40, 60),
            half_width=math.radians(rng.uniform(28, 36)),
            depth_mm=depth,
            frequency_mhz=rng.uniform(3, 5),
            aperture_mm=rng.uniform(14, 20),
            focus_mm=depth * rng.uniform(0.4, 0.6),
            n_axial=rows,
            n_lateral=max(64, int(0.5 * width)),
        )
    else:
        depth = rng.uniform(30, 50)
        probe = Probe(
            "linear",
            radius_mm=0.0,
            half_width=rng.uniform(17, 21),
            depth_mm=depth,
            frequency_mhz=rng.uniform(7, 11),
            aperture_mm=rng.uniform(8, 12),
            focus_mm=depth * rng.uniform(0.3, 0.6),
            n_axial=rows,
            n_lateral=max(64, int(0.5 * width)),
        )
    settings = Settings(
        range_db=rng.uniform(52, 70),
        level=rng.uniform(0.38, 0.52),
        gamma=rng.uniform(0.9, 1.3),
        tgc_db=tuple(rng.uniform(-4, 4, 5)),
        noise_db=rng.uniform(-85, -70),
        persistence=rng.choice([0.0, 0.2, 0.35]),
    )
    box = (0.02, 0.11, 0.95, 0.94) if config.overlays else (0.01, 0.01, 0.99, 0.99)
    elements = ("header", "ruler") if config.overlays else ()
    return Look(fit_view(probe, height, width, box), settings, elements)


def motion(look: Look, rng: np.random.Generator) -> Motion:
    """Draw how the tissue of one clip moves; amplitudes scale with depth."""
    deep = look.view.probe.depth_mm
    return Motion(
        breath_mm=deep * rng.uniform(0.02, 0.06),
        breath_s=rng.uniform(2.5, 4.5),
        phase=rng.uniform(0, 1),
        direction_rad=rng.uniform(-0.9, 0.9),
        depth_mm=deep,
        drift_mm_s=deep * rng.uniform(-0.02, 0.02),
        tremor_mm=deep * rng.uniform(0.0005, 0.0015),
    )
