"""How often `sector` finds what a frame shows and how many views it has, against the truth of simulated files.

    usfm simulate --out clips --scene heart && python tests/bench/frame_kinds.py clips [more folders]

Each folder is extracted and cut anew in a temporary folder. A clip counts once, with what most of its frames are said
to show. Prints for each true kind and each true number of views: n, recall with Wilson's interval, and what the others
were taken for.
"""

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from usfm.config import Request
from usfm.curate.sector import config as sector_config
from usfm.curate.sector import run as sector
from usfm.extract import config as extract_config
from usfm.extract import run as extract
from usfm.store.reader import Store
from usfm.tasks.proportions import wilson

TRUE = {"spectral": "spectral", "m_mode": "m-mode", "report": "report"}
"""Screen layout of the simulator -> kind; a colour box that shows flow is color-doppler, others are b-mode."""


def true_kind(item: dict) -> str:
    """What an item shows, "" where nobody can say: a colour box without a pixel of flow."""
    if item.get("shows"):
        return item["shows"]
    if item["layout"] == "doppler":
        return "color-doppler" if "doppler" in item["masks"] else ""
    return TRUE.get(item["layout"], "b-mode")


def found(media: Path, folder: Path) -> dict[str, tuple[str, int]]:
    """Path of a file -> kind and views that most of its frames have."""
    raw, out = str(folder / "raw.h5"), str(folder / "sector.h5")
    extract.run(extract_config.Config(fps="5", color=True), Request((str(media),), raw, workers=1))
    sector.run(sector_config.Config(size=64, color=True), Request((raw,), out, workers=1))
    store, votes = Store.open(out), defaultdict(Counter)
    for path, *said in zip(store.of_frames("path"), store.column("kind"), store.column("views"), strict=True):
        votes[str(path)][str(said[0]), int(said[1])] += 1
    for path, reason in zip(store.rejected()["source"], store.rejected()["reason"], strict=True):
        if reason == "empty frame":
            votes[str(path)]["blank", 0] += 1
    return {path: counts.most_common(1)[0][0] for path, counts in votes.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("media", type=Path, nargs="+")
    parser.add_argument("--wrong", action="store_true", help="name the files that are taken for something else")
    args = parser.parse_args()
    kinds, views = defaultdict(Counter), defaultdict(Counter)
    for media in args.media:
        with tempfile.TemporaryDirectory() as folder:
            said = found(media, Path(folder))
        truth = media.with_name(media.name + ".truth") / "truth.json"
        for item in json.loads(truth.read_text())["items"]:
            kind, path = true_kind(item), item["path"]
            if not kind or item["kind"] == "broken" or path not in said:
                continue
            kinds[kind][said[path][0]] += 1
            if len(item["geometries"]):
                views[len(item["geometries"])][said[path][1]] += 1
            right = said[path] == (kind, len(item["geometries"]))
            if args.wrong and not right and item["geometries"]:
                print(f"{media.name}/{path}: {kind}, {len(item['geometries'])} views; found {said[path]}")
    for title, table in (("kind", kinds), ("views", views)):
        for true, counts in sorted(table.items()):
            n, right = counts.total(), counts[true]
            low, high = wilson(right, n)
            others = ", ".join(f"{name} {count}" for name, count in counts.most_common() if name != true)
            print(f"{title} {true}: n {n}, recall {right / n:.3f} ({low:.3f} to {high:.3f}); {others or 'all right'}")


if __name__ == "__main__":
    main()
