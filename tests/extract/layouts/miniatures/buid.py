"""Cut-outs are left out; masks are smeared."""

FILES = {}
for label in ("Benign", "Malignant"):
    FILES |= {
        f"{label}/1 {label} Image.bmp": "=gray",
        f"{label}/1 {label} Mask.tif": "=noisy",
        f"{label}/1 {label} Lesion.bmp": "=gray",
    }
ROOT = ""
INNER = "Benign"
EXPECT = {
    "Benign/1 Benign Image.bmp": dict(label="benign", mask={"lesion": 193}, group=""),
    "Malignant/1 Malignant Image.bmp": dict(label="malignant", mask={"lesion": 193}),
}
