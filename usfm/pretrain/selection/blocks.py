"""Drawing whole blocks of patches, as SimMIM and USFM do: neighbours are seen or hidden together."""

import torch

from usfm.errors import RequestError
from usfm.pretrain.selection.progressive import tiers
from usfm.pretrain.settings import Selection


def draw_blocks(
    probabilities: torch.Tensor,
    first: int,
    targets: int,
    uniform: torch.Tensor,
    settings: Selection,
    grid: tuple[int, int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose visible blocks in proportion to their patches' probabilities, and targets among the rest or all.

    Args:
        probabilities: (B, L), from `prior`.
        first: visible patches, a multiple of the block's.
        targets: how many.
        uniform: (NOISES, B, L) in [0, 1).
        settings: the recipe's; `block` is the side.
        grid: (rows, columns) of patches.

    Returns:
        ids_visible (B, first) and ids_target (B, targets), int64.

    Raises:
        RequestError: blocks do not tile the grid.
    """
    side = settings.block
    rows, columns = grid[0] // side, grid[1] // side
    if grid[0] % side or grid[1] % side:
        raise RequestError(
            f"selection.block = {side} does not divide a grid of {grid[0]}x{grid[1]} patches; take another block, or "
            "another image size"
        )
    whole = probabilities.view(-1, rows, side, columns, side).sum((2, 4)).flatten(1)
    gumbel = -torch.log(-torch.log(uniform[1, :, : rows * columns].clamp(1e-7, 1 - 1e-7)))
    order = tiers(whole.clamp(min=1e-30).log() + gumbel, torch.ones_like(whole)).argsort(1, descending=True)
    place = torch.arange(grid[0] * grid[1], device=order.device).view(rows, side, columns, side)
    members = place.permute(0, 2, 1, 3).reshape(rows * columns, side * side)
    ids = members[order].flatten(1)
    if settings.targets_from == "all":
        return ids[:, :first], ids[:, :targets] if targets < ids.shape[1] else ids
    return ids[:, :first], ids[:, first : first + targets]
