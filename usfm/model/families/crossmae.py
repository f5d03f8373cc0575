"""Masked autoencoders with cross-attention: CrossMAE, SelectiveMAE and PolarMAE, told apart by their decoders."""

from usfm.model.families.contract import USUAL, Family
from usfm.model.tensors import PROJECTION, Weights

_KEYS = "decoder_blocks.0.cross_attn.kv.weight"


def _crossmae(found: Weights) -> bool:
    cross = any(name.startswith(("dec_norms.", "wfm.")) for name in (*found.tensors, *found.outside))
    return cross and "norm.weight" not in found.tensors


def _memory(found: Weights) -> int:
    """How wide the memory of the first cross-attention is; 0 without one."""
    keys = found.tensors.get(_KEYS)
    return keys.shape[1] if keys is not None and keys.ndim == 2 else 0


def _selectivemae(found: Weights) -> bool:
    return tuple(found.tensors[PROJECTION].shape[:1]) == (_memory(found),) and "norm.weight" in found.tensors


def _polarmae(found: Weights) -> bool:
    return _memory(found) > 0 and tuple(found.tensors[PROJECTION].shape[:1]) != (_memory(found),)


CROSSMAE = Family(
    "CrossMAE",
    "`dec_norms` or `wfm` beside the encoder",
    "vit_base_patch16_224",
    _crossmae,
    heads=USUAL,
    norm=False,
    licence="CC-BY-NC 4.0",
    source="TonyLianLong/CrossMAE",
)
SELECTIVEMAE = Family(
    "SelectiveMAE",
    "cross-attention to tokens as wide as the encoder's",
    "vit_base_patch16_224",
    _selectivemae,
    heads=USUAL,
    licence="MIT (its README says Apache-2.0)",
    source="MiliLab/SelectiveMAE",
)
POLARMAE = Family(
    "PolarMAE",
    "cross-attention to tokens brought to the decoder's width",
    "vit_base_patch16_224",
    _polarmae,
    heads=USUAL,
    licence="none given",
    source="lvmenggit/PolarMAE",
)
