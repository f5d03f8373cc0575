"""Cross-entropy and Dice of logits against a mask, with pixels that are not known left out."""

import torch
import torch.nn.functional as F

from usfm.tasks.segment.moving import IGNORE

CROSS_ENTROPY, DICE = 1.0, 1.0


def loss(
    logits: torch.Tensor,
    masks: torch.Tensor,
    *,
    cross_entropy: float = CROSS_ENTROPY,
    dice: float = DICE,
    ignore: int = IGNORE,
    class_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Weighted sum of cross-entropy and Dice's loss (one minus the soft Dice of the batch, mean over classes there).

    Args:
        logits: (B, K, H, W).
        masks: (B, H, W) a class for each pixel, or (B, K, H, W) with 0 and 1 where structures may overlap; `ignore`
            where the truth is not known.
        cross_entropy: weight of it.
        dice: weight of Dice's loss.
        ignore: value of pixels that count nowhere.
        class_weights: (K,) of the cross-entropy.

    Returns:
        A scalar; 0 where no pixel is known.
    """
    from segmentation_models_pytorch.losses import DiceLoss

    several = masks.ndim == 4
    known = masks != ignore
    logits = logits.float()
    if not known.any():
        return logits.sum() * 0
    if several:
        target = torch.where(known, masks, 0).to(logits.dtype)
        weight = None if class_weights is None else class_weights.view(1, -1, 1, 1)
        pixels = F.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="none")
        entropy = pixels[known].mean()
    else:
        entropy = F.cross_entropy(logits, masks.long(), weight=class_weights, ignore_index=ignore)
    overlap = DiceLoss("multilabel" if several else "multiclass", ignore_index=ignore)
    return cross_entropy * entropy + dice * overlap(logits, masks.long())
