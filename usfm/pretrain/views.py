"""A batch of stored frames as the model and the priors see it: augmented pixels, coverage, beam coordinates."""

import numpy as np
import torch
import torch.nn.functional as F

from usfm.engine.augment import beam_coordinates, cut_coverage, cut_images, geometry_rows, source_points
from usfm.engine.augmentation.sets import augment
from usfm.engine.crops import AreaTables
from usfm.errors import RequestError
from usfm.model.vit import luminance
from usfm.pretrain.selection.contract import View
from usfm.pretrain.settings import Recipe
from usfm.store.reader import Store


class Regions:
    """The regions of a store, resident: a mask per different layout, never one per frame.

    Attributes:
        rows: (N,) which mask each frame of the store has.
        masks: (R, H, W) uint8 0/1, on the device.
        geometry: (R, 7) float32, on the device; NaN where a layout has no fit.
        areas: summed-area tables, on the host.
        without_fit: frames whose layout has no fitted geometry.
    """

    def __init__(self, store: Store, device: torch.device):
        frame_rows = store.column("region_row")
        used, inverse = np.unique(frame_rows, return_inverse=True)
        masks = store.region_masks(used)
        if masks.shape[1:] != store.frame_size:
            raise RequestError(f"{store.paths[0]}: regions and frames differ in size; run `usfm sector` on it again")
        if not masks.any():
            raise RequestError(
                f"{store.paths[0]}: every region is empty; look at `usfm info --sheet`, then run sector again"
            )
        geometry = geometry_rows(store.region_table())[used]
        whole = np.concatenate([masks.reshape(len(used), -1).view(np.uint8), geometry.numpy().view(np.uint8)], axis=1)
        first, same = _different(whole)
        self.rows = same[inverse].astype(np.int64)
        self.areas = AreaTables.of(masks[first])
        self.masks = torch.from_numpy(masks[first].astype(np.uint8)).to(device)
        self.geometry = geometry[first].to(device)
        self.without_fit = int(geometry[inverse].isnan().any(1).sum())


def _different(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first of each different row, and which of those each row equals."""
    index: dict[bytes, int] = {}
    same = np.array([index.setdefault(row.tobytes(), len(index)) for row in rows])
    return np.unique(same, return_index=True)[1], same


class Views:
    """Makes (images, View) from frames and crops, on the device.

    Args:
        recipe: says the image size, the channels, and whether samples are rotated.
        grid: (rows, columns) of patches.
        size: (rows, columns) of a sample, px.
        regions: the store's, or None for no region constraint.
    """

    def __init__(self, recipe: Recipe, grid: tuple[int, int], size: tuple[int, int], regions: Regions | None):
        self.grid, self.size, self.regions = grid, size, regions
        patch = size[0] // grid[0]
        self.cells = next(cells for cells in (4, 2, 1) if patch % cells == 0)
        self.gray = recipe.model.in_chans == 1
        self.rotated, self.kind = recipe.augment.rotate_deg > 0, recipe.augment.kind
        self.beam, self.within = recipe.selection.by_beam, recipe.selection.region

    @torch.no_grad()
    def make(self, frames: torch.Tensor, crops: torch.Tensor, regions: torch.Tensor) -> tuple[torch.Tensor, View]:
        """Augment a batch.

        Args:
            frames: (B, C, H, W) uint8, or float 0 to 255.
            crops: (B, 7).
            regions: (B,) rows of the region masks.

        Returns:
            (B, 1 or C, h, w) float images, 0 to 255, and the same as the priors see it.
        """
        plain = luminance(frames) if frames.shape[1] == 3 else frames
        pixels = plain if self.gray else frames
        images = cut_images(pixels, crops, self.size, rotated=self.rotated)
        if self.gray or frames.shape[1] == 1:
            gray = images
        else:
            gray = cut_images(plain, crops, self.size, rotated=self.rotated)
        if self.regions is None or not self.within:
            coverage = torch.ones(len(frames), self.grid[0] * self.grid[1], device=frames.device)
            return images, View(gray, coverage, self.grid)
        cells = (self.cells * self.grid[0], self.cells * self.grid[1])
        masks = self.regions.masks[regions]
        fine = cut_coverage(masks, crops, cells, rotated=self.rotated, points=8 // self.cells).unsqueeze(1)
        coverage = F.avg_pool2d(fine, self.cells).flatten(1)
        if not self.beam:
            return images, View(gray, coverage, self.grid, fine=fine)
        rows, columns = source_points(crops, *self.grid)
        depth, angle = beam_coordinates(self.regions.geometry[regions], rows.flatten(1), columns.flatten(1))
        return images, View(gray, coverage, self.grid, depth, angle, fine)

    @torch.no_grad()
    def by_set(self, frames: torch.Tensor, uniform: np.ndarray, regions: torch.Tensor) -> tuple[torch.Tensor, View]:
        """Augment a batch by the recipe's named set.

        Args:
            frames: (B, C, H, W) uint8, or float 0 to 255.
            uniform: (B, `usfm.engine.augmentation.sets.DRAWS`) in [0, 1), of the samples.
            regions: (B,) rows of the region masks.

        Returns:
            As `make`. Depth and angle of a patch are those of the pixel below and right of its centre.
        """
        pixels = luminance(frames) if self.gray and frames.shape[1] == 3 else frames
        known = self.regions
        masks, geometry = (None, None) if known is None else (known.masks[regions], known.geometry[regions])
        seen = augment(self.kind, pixels, uniform, self.size, geometry=geometry, regions=masks)
        gray = luminance(seen.images) if seen.images.shape[1] == 3 else seen.images
        if known is None or not self.within:
            coverage = torch.ones(len(frames), self.grid[0] * self.grid[1], device=frames.device)
            return seen.images, View(gray, coverage, self.grid)
        patch = self.size[0] // self.grid[0]
        fine = F.avg_pool2d(seen.inside.float().unsqueeze(1), patch // self.cells)
        coverage = F.avg_pool2d(fine, self.cells).flatten(1)
        if not self.beam:
            return seen.images, View(gray, coverage, self.grid, fine=fine)
        depth, angle = seen.beams[:, :, patch // 2 :: patch, patch // 2 :: patch].flatten(2)
        return seen.images, View(gray, coverage, self.grid, depth, angle, fine)
