"""LabelMe in pinyin, one file with bytes that are no UTF-8."""

import json

SQUARE = [[10, 10], [20, 10], [20, 20], [10, 20]]
FILES = {"UBPD/JPEGImages/1.jpg": "=gray", "UBPD/JPEGImages/2.jpg": "=gray"}
for name, label, note in (("1", "shenjing", b"fine"), ("2", "jingmai", b"\xb3\xac")):
    text = json.dumps({
        "shapes": [{"label": label, "points": SQUARE, "shape_type": "polygon"}],
        "imagePath": f"..\\JPEGImages\\{name}.jpg", "imageHeight": 32, "imageWidth": 40, "note": "NOTE",
    })  # fmt: skip
    FILES[f"UBPD/json_train/{name}.json"] = text.encode().replace(b"NOTE", note)
ROOT = "UBPD"
INNER = "JPEGImages"
EXPECT = {
    "JPEGImages/1.jpg": dict(mask={"nerve": 110}, boxes=[("nerve", (10, 10, 20, 20))], group=""),
    "JPEGImages/2.jpg": dict(mask={"vein": 110}),
}
