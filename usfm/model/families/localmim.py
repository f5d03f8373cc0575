"""LocalMIM: a plain ViT with a norm a tapped block, the last of which is the output's."""

from usfm.model.families.contract import USUAL, Family
from usfm.model.tensors import Weights


def marks(found: Weights) -> bool:
    """Norms of the lower taps."""
    return {"norm.0.weight", "norm.2.weight"} <= set(found.tensors)


LOCALMIM = Family(
    "LocalMIM",
    "`norm.0` to `norm.3`",
    "vit_base_patch16_224",
    marks,
    heads=USUAL,
    licence="CC-BY-NC by its file headers, no licence file",
    source="Haoqing-Wang/LocalMIM",
)
