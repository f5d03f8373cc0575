"""Simulated and real pictures; a real one without mask."""

TOP = "abdominal_US/"
FILES = {
    TOP + "AUS/images/train/a.png": "=gray",
    TOP + "AUS/annotations/train/a.png": "=disk:#640064,#ffff00",
    TOP + "RUS/images/test/b.jpg": "=gray",
    TOP + "RUS/annotations/test/b.png": "=disk:#0000ff",
    TOP + "RUS/images/test/c.png": "=gray",
}
ROOT = "abdominal_US"
INNER = "AUS"
EXPECT = {
    "AUS/images/train/a.png": dict(split="train", mask={"liver": 0, "kidney": 0}, origin="simulated"),
    "RUS/images/test/b.jpg": dict(split="test", mask={"pancreas": 193}, origin="real"),
    "RUS/images/test/c.png": dict(split="test", mask=None),
}
