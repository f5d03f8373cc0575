"""USFM: a BEiT whose blocks share one table of relative positions."""

from usfm.model.families.beit import build
from usfm.model.families.contract import Family
from usfm.model.tensors import Weights


def marks(found: Weights) -> bool:
    """One table of relative positions, no absolute ones, no head of a language model."""
    t = found.tensors
    shared = "rel_pos_bias.relative_position_bias_table" in t and not any(n.startswith("lm_head") for n in t)
    return shared and "pos_embed" not in t


USFM = Family(
    "USFM",
    "one table of relative positions for all blocks, no `pos_embed`",
    "beit_base_patch16_224",
    marks,
    build=build,
    resize="stretch",
    norm=False,
    pool="mean, then its norm",
    licence="Apache-2.0 (its README says CC-BY-NC 4.0)",
    source="openmedlab/USFM; under transformers' names too",
)
