"""Settings of dedup."""

from dataclasses import dataclass
from typing import Annotated

from usfm.config import Knob
from usfm.model import knobs

SCOPES = ("clip", "group", "all")
KEEPS = ("first", "sharpest", "central", "labelled")

VISUAL, SEMANTIC, REPORT = "Visual stage", "Semantic stage", "Report"


@dataclass(frozen=True)
class Config:
    """What counts as a near-duplicate, where it is looked for, and which copy stays."""

    visual_threshold: Annotated[
        float,
        Knob("cosine of two regions' low frequencies that makes near-duplicates", low=-1, high=1, panel=VISUAL),
    ] = 0.95
    phash_distance: Annotated[
        int | None,
        Knob(
            "largest Hamming distance of the perceptual hashes of near-duplicates",
            unit="bits",
            low=0,
            high=64,
            panel=VISUAL,
        ),
    ] = None
    scope: Annotated[
        str,
        Knob(
            "compare within a clip (the stills of one folder are one), within an exam or patient, or everywhere",
            choices=SCOPES,
            panel=VISUAL,
        ),
    ] = "clip"
    window: Annotated[
        float,
        Knob("largest time between compared frames of a clip; 0 = the whole clip", unit="s", low=0, panel=VISUAL),
    ] = 0.0
    against: Annotated[
        str | None,
        Knob(
            "also drop near-duplicates of the frames of this store, such as a test set",
            panel=VISUAL,
            metavar="OTHER.h5",
        ),
    ] = None
    keep: Annotated[str, Knob("which frame of a group is kept", choices=KEEPS)] = "first"
    target_keep: Annotated[
        float | None, Knob("set the last stage's threshold so that this share of the frames is kept", low=0, high=1)
    ] = None
    preset: Annotated[
        str | None,
        Knob("polarmae: the constants and the crop of PolarMAE's public code (visual stage)", choices=("polarmae",)),
    ] = None
    embedder: Annotated[
        str | None,
        Knob(
            "encoder of a second, semantic stage over the whole store: run, file, timm:NAME, vectors:FILE.h5, random",
            panel=SEMANTIC,
            metavar="SPEC",
        ),
    ] = None
    semantic_threshold: Annotated[
        float,
        Knob(
            "cosine of two embeddings that makes near-duplicates (PolarMAE's for MedCLIP; other encoders need another)",
            low=-1,
            high=1,
            panel=SEMANTIC,
        ),
    ] = 0.985
    resize: Annotated[str, knobs.resize(SEMANTIC)] = "auto"
    download: Annotated[bool, knobs.download(SEMANTIC)] = False
    report: Annotated[
        str | None,
        Knob(
            "folder for an HTML page: share kept at each threshold, pairs at each similarity, conflicting labels",
            content=False,
            panel=REPORT,
            metavar="DIR",
        ),
    ] = None
