"""Slices of two studies."""

TOP = "Common Carotid Artery Ultrasound Images/"
FILES = {}
for name in ("202201121748VAS_slice_1", "202201121748VAS_slice_20", "202202071359VAS_slice_1"):
    FILES |= {TOP + f"US images/{name}.png": "=gray", TOP + f"Expert mask images/{name}.png": "=disk"}
ROOT = TOP
INNER = "US images"
EXPECT = {
    "US images/202201121748VAS_slice_1.png": dict(group="a", mask={"lumen": 193}),
    "US images/202201121748VAS_slice_20.png": dict(group="a", mask={"lumen": 193}),
    "US images/202202071359VAS_slice_1.png": dict(group="b", mask={"lumen": 193}),
}
