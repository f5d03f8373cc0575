"""Words on scanner screens: headers, presets, results, toolbars, annotations, report pages. All names are made up."""

import cv2
import numpy as np

from usfm.imaging.overlay_drawing import COLOURS, CYAN, GRAY, WHITE, YELLOW, Overlay
from usfm.imaging.overlay_fonts import FONTS, lettering

NAMES = (
    "DOE, JANE", "MUSTER, MAX", "ROSSI, MARIO", "SMITH^ANNA", "NGUYEN, VAN", "PEREZ, ANA", "KIM, MIN-JI", "NOVAK, JAN",
    "Test Patient", "ID: 00000", "HANSEN^OLE", "Dupont Marie", "GARCIA, L.", "Yilmaz A", "KOWALSKA, EWA", "O'BRIEN, P",
)  # fmt: skip
PLACES = (
    "General Hospital", "City Clinic", "University Medical Center", "St. Mary's", "Radiology Dept.", "KLINIKUM NORD",
    "Hospital Central", "Women's Health", "Praxis Dr. Muster", "US LAB 2",
)  # fmt: skip
PRESETS = ("Abdomen", "Lung", "OB/2-3T", "Cardiac", "MSK", "Thyroid", "Vascular", "Nerve", "General", "Breast")
TISSUES = (
    "LIVER", "RT KIDNEY", "LT LOBE", "SAG", "TRANS", "LONG", "IVC", "AO", "GB", "R1", "L3", "RUL", "nodule", "Mass",
    "BPD", "LEFT", "A-lines?", "RLL", "PLEURA", "SUP", "4CH", "MEDIAL", "*", "Zyste",
)  # fmt: skip


def _size(overlay: Overlay, rng: np.random.Generator, share: float = 32) -> int:
    """A letter size that goes with the screen, 8 to 24 px."""
    return int(np.clip(overlay.cover.shape[0] / share * rng.uniform(0.85, 1.3), 8, 24))


def header(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """Patient name, number, hospital, date and time along the top.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    width = overlay.cover.shape[1]
    size, font = _size(overlay, rng, 36), FONTS[rng.integers(len(FONTS))]
    colour = (WHITE, WHITE, YELLOW, CYAN, GRAY)[rng.integers(5)]
    year, month, day = rng.integers(2007, 2026), rng.integers(1, 13), rng.integers(1, 29)
    date = (f"{year}-{month:02d}-{day:02d}", f"{day:02d}.{month:02d}.{year}", f"{month:02d}/{day:02d}/{year}")[
        rng.integers(3)
    ]
    clock = f"{rng.integers(7, 20):02d}:{rng.integers(60):02d}:{rng.integers(60):02d}"
    left = (f"{NAMES[rng.integers(len(NAMES))]}  {rng.integers(10**5, 10**7)}", PLACES[rng.integers(len(PLACES))])
    right = (
        (date, clock)
        if rng.random() < 0.6
        else (f"{date} {clock}", f"MI {rng.uniform(0.3, 1.4):.1f}  TIs 0.{rng.integers(1, 9)}")
    )
    for line in range(2):
        y_px = 2 + 1.25 * size * line
        box = overlay.write(left[line], 3, y_px, size, colour=colour, font=font)
        ink = lettering(right[line], size, font)
        if box[2] + 6 < width - ink.shape[1] - 3:
            overlay.stamp(ink, width - ink.shape[1] - 3, y_px, colour)


def presets(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A column of machine settings at the left or right side, over tissue where there is no room.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    size, font = _size(overlay, rng, 44), FONTS[rng.integers(len(FONTS))]
    words = [
        PRESETS[rng.integers(len(PRESETS))], f"{rng.choice(['C5-2', 'L12-4', 'P4-2', 'C1-5', '9L', 'RAB6'])}",
        f"{rng.integers(9, 60)}Hz", f"{rng.uniform(3, 20):.1f}cm", "2D", f"{rng.integers(40, 90)}%",
        f"C {rng.integers(45, 65)}", f"P {rng.choice(['Low', 'Med', 'High'])}", "Gen" if rng.random() < 0.5 else "HRes",
        f"Gn {rng.integers(-10, 30)}",
        f"FR {rng.integers(10, 60)}", f"DR {rng.integers(50, 90)}",
    ]  # fmt: skip
    words = words[: int(rng.integers(5, len(words) + 1))]
    inks = [lettering(word, size, font) for word in words]
    wide = max(ink.shape[1] for ink in inks)
    x_px = 3 if rng.random() < 0.65 else width - wide - 3
    y_px = height * rng.uniform(0.1, 0.3)
    for place, ink in enumerate(inks):
        overlay.stamp(ink, x_px, y_px + 1.25 * size * place, WHITE if place else CYAN)


def results(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A box of measurement results in a lower corner, on a dark ground.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    size, font = _size(overlay, rng, 36), FONTS[rng.integers(len(FONTS))]
    count = int(rng.integers(1, 5))
    names = rng.choice(["Dist", "D", "L", "HC", "BPD", "Area", "Circ", "AC"], count)
    lines = [f"{place + 1} {name} {rng.uniform(0.3, 30):.2f} cm" for place, name in enumerate(names)]
    inks = [lettering(line, size, font) for line in lines]
    wide, tall = max(ink.shape[1] for ink in inks) + 8, int(1.3 * size * count) + 6
    x_px = 3 if rng.random() < 0.5 else width - wide - 3
    y_px = height - tall - 4
    if rng.random() < 0.5 and x_px >= 0 and y_px >= 0:
        overlay.paste(np.full((tall, min(wide, width - x_px)), 24, np.uint8), int(x_px), int(y_px))
    colour = (YELLOW, WHITE, CYAN)[rng.integers(3)]
    for place, ink in enumerate(inks):
        overlay.stamp(ink, x_px + 4, y_px + 4 + 1.3 * size * place, colour)


def words(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """One to three annotations over tissue, in several fonts, sizes and inks.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    rows, cols = np.nonzero(region)
    if not rows.size:
        return
    for _ in range(int(rng.integers(1, 4))):
        at = rng.integers(rows.size)
        colour = WHITE if rng.random() < 0.5 else COLOURS[rng.integers(len(COLOURS))]
        size, font = int(rng.integers(8, 25)), FONTS[rng.integers(len(FONTS))]
        ink = lettering(TISSUES[rng.integers(len(TISSUES))], size, font)
        x_px = min(cols[at], overlay.cover.shape[1] - ink.shape[1] - 2)
        if rng.random() < 0.25:
            overlay.stamp(cv2.dilate(ink, np.ones((3, 3), np.uint8)), x_px, rows[at], (0, 0, 0))
            overlay.stamp(np.where(ink > 0.3, ink, 0), x_px, rows[at], colour)
        else:
            overlay.stamp(ink, x_px, rows[at], colour)


def toolbar(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A handheld's row of buttons along the bottom or the right side.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    thick = int(max(14, 0.085 * min(height, width)))
    low = rng.random() < 0.6
    bar = np.full((thick, width) if low else (height, thick), int(rng.integers(18, 60)), np.uint8)
    overlay.paste(bar, 0 if low else width - thick, height - thick if low else 0)
    count = int(rng.integers(4, 8))
    size = max(8, int(thick * 0.42))
    accent = COLOURS[rng.integers(len(COLOURS))]
    for place in range(count):
        along = ((place + 0.5) / count) * (width if low else height)
        x_px, y_px = (along, height - thick / 2) if low else (width - thick / 2, along)
        kind, colour = int(rng.integers(4)), accent if rng.random() < 0.3 else WHITE
        half = thick * 0.22
        if kind == 0:
            turns = np.linspace(0, 2 * np.pi, 17)[:-1]
            overlay.lines([(x_px + half * np.cos(t), y_px + half * np.sin(t)) for t in turns], colour, closed=True)
        elif kind == 1:
            overlay.polygon([(x_px - half, y_px - half), (x_px + half, y_px), (x_px - half, y_px + half)], colour)
        elif kind == 2:
            corners = [
                (x_px - half, y_px - half),
                (x_px + half, y_px - half),
                (x_px + half, y_px + half),
                (x_px - half, y_px + half),
            ]
            overlay.lines(corners, colour, closed=True)
        else:
            ink = lettering(("Gain", "Freeze", "B", "M", "CF", "Save", "2D")[rng.integers(7)], size)
            overlay.stamp(ink, x_px - ink.shape[1] / 2, y_px - ink.shape[0] / 2, colour)


def report(overlay: Overlay, region: np.ndarray, rng: np.random.Generator) -> None:
    """A page of results that fills the screen: title, table, a small growth chart; no tissue at all.

    Args:
        overlay: drawn on, in place.
        region: bool (H, W), the acoustic region.
        rng: of all choices.
    """
    height, width = overlay.cover.shape
    dark = rng.random() < 0.7
    overlay.paste(np.full((height, width), 12 if dark else 225, np.uint8), 0, 0)
    ink = WHITE if dark else (20, 20, 20)
    size, font = int(np.clip(height / 26, 9, 24)), FONTS[rng.integers(len(FONTS))]
    overlay.write(
        f"{PRESETS[rng.integers(len(PRESETS))]} Report", 0.3 * width, 0.03 * height, size + 2, colour=ink, font=font
    )
    overlay.write(NAMES[rng.integers(len(NAMES))], 6, 0.12 * height, size, colour=ink, font=font)
    overlay.write(PLACES[rng.integers(len(PLACES))], 0.55 * width, 0.12 * height, size, colour=ink, font=font)
    overlay.line((4, 0.2 * height), (width - 5, 0.2 * height), ink)
    for row in range(int(rng.integers(4, 9))):
        y_px = 0.23 * height + 1.45 * size * row
        for x_share, text in (
            (0.03, str(rng.choice(["BPD", "HC", "AC", "FL", "EF", "LVIDd", "RI", "PSV"]))),
            (0.25, f"{rng.uniform(1, 40):.2f} cm"),
            (0.5, f"{rng.integers(12, 39)}w{rng.integers(0, 7)}d"),
        ):
            overlay.write(text, x_share * width, y_px, size, colour=ink, font=font)
    x0, y0, x1, y1 = 0.7 * width, 0.3 * height, 0.96 * width, 0.7 * height
    overlay.lines([(x0, y0), (x0, y1), (x1, y1)], ink)
    for curve in range(3):
        points = [
            (x0 + (x1 - x0) * t, y1 - (y1 - y0) * (0.2 + 0.2 * curve) * (0.3 + 1.3 * t - 0.4 * t * t))
            for t in np.linspace(0, 1, 12)
        ]
        overlay.lines(points, COLOURS[curve])
