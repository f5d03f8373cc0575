"""Sets of augmentations on the device: image, region, sector, masks and boxes move together, drawn by counter."""
