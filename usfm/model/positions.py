"""Fixed two-dimensional sine-cosine positions, and their resampling to another grid."""

import numpy as np
import torch
import torch.nn.functional as F


def _code_1d(positions: np.ndarray, dim: int) -> np.ndarray:
    """Sine and cosine of each position at dim/2 frequencies: (n,) -> (n, dim)."""
    frequencies = 10000.0 ** (-np.arange(dim // 2, dtype=np.float64) / (dim / 2))
    angles = positions.reshape(-1, 1) * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def sincos_2d(dim: int, grid: tuple[int, int], *, cls: bool = True) -> torch.Tensor:
    """The position table of MAE: the column's code first, then the row's.

    Source: He et al. 2022, official code. Half the width codes the column index and half the row index, each as
    [sin(i w_d), cos(i w_d)] with w_d = 10000^(-d / (dim/4)). The same to the last float32 bit.

    Args:
        dim: width of a token; a multiple of 4.
        grid: (rows, columns) of patches; tokens are row-major.
        cls: put a row of zeros in front, for the class token.

    Returns:
        (cls + rows * columns, dim) float32.

    Raises:
        ValueError: `dim` is no multiple of 4.
    """
    if dim % 4:
        raise ValueError(f"sine-cosine positions need a width that is a multiple of 4, not {dim}")
    rows, columns = np.meshgrid(
        np.arange(grid[0], dtype=np.float64), np.arange(grid[1], dtype=np.float64), indexing="ij"
    )
    table = np.concatenate([_code_1d(columns, dim // 2), _code_1d(rows, dim // 2)], axis=1)
    if cls:
        table = np.concatenate([np.zeros((1, dim)), table])
    return torch.from_numpy(table.astype(np.float32))


def resize_positions(positions: torch.Tensor, old: tuple[int, int], new: tuple[int, int]) -> torch.Tensor:
    """Resample a (1, prefix + L, D) table from one patch grid to another (bicubic); prefix rows stay as they are.

    Args:
        positions: (1, prefix + rows * columns, D), as in a checkpoint.
        old: its (rows, columns).
        new: the wanted (rows, columns).

    Returns:
        (1, prefix + new rows * new columns, D), in the dtype that came in.
    """
    if old == new:
        return positions
    prefix = positions.shape[1] - old[0] * old[1]
    head, grid = positions[:, :prefix], positions[:, prefix:]
    grid = grid.reshape(1, *old, -1).permute(0, 3, 1, 2).float()
    grid = F.interpolate(grid, size=new, mode="bicubic", align_corners=False)
    return torch.cat([head, grid.flatten(2).transpose(1, 2).to(head.dtype)], dim=1)
