"""Suffixes differ; the turned masks are left out."""

FILES = {
    "FALLMUD/NeilCronin/images/a.tif": "=gray",
    "FALLMUD/NeilCronin/fascicle_masks/a.tif": "=disk",
    "FALLMUD/NeilCronin/aponeurosis_masks/a.jpg": "=black",
    "FALLMUD/RyanCunningham/images/a.jpg": "=gray",
    "FALLMUD/RyanCunningham/fascicle_masks/a.jpg": "=disk",
    "FALLMUD/RyanCunningham/aponeurosis_masks/a.jpg": "=disk @40,32",
}
ROOT = "FALLMUD"
INNER = "NeilCronin"
EXPECT = {
    "NeilCronin/images/a.tif": dict(mask={"fascicle": 193}, set="NeilCronin", group=""),
    "RyanCunningham/images/a.jpg": dict(mask={"fascicle": 193}),
}
