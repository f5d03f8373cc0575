"""UltraDINO: DINOv2 on ultrasound, whose patch projection reads one channel."""

from usfm.model.families.contract import OF_64, Family
from usfm.model.families.dinov2 import marks as of_dinov2
from usfm.model.families.vit import vit
from usfm.model.tensors import PROJECTION, Weights


def marks(found: Weights) -> bool:
    """DINOv2's tensors with one channel."""
    return of_dinov2(found) and tuple(found.tensors[PROJECTION].shape[1:2]) == (1,)


ULTRADINO = Family(
    "UltraDINO",
    "DINOv2's tensors with one channel",
    "vit_small_patch16_224",
    marks,
    build=vit,
    normalisation=((0.18429248,), (0.21877054,)),
    resize="stretch",
    heads=OF_64,
    pool="class token",
    licence="Apache-2.0 (code); no weights are public",
    source="the authors; train your own",
)
