"""Each picture in all pairs of COCO files; the fold is that in which it is in val."""


def coco(*numbers):
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 32, "width": 40} for n in numbers]
    ring = [[10, 10, 20, 10, 20, 20, 10, 20]]
    marks = [
        {"id": n, "image_id": n, "category_id": 1 + n % 2, "bbox": [10, 10, 10, 10], "segmentation": ring}
        for n in numbers
    ]
    return {
        "images": images,
        "annotations": marks,
        "categories": [{"id": 1, "name": "lmym"}, {"id": 2, "name": "gist"}],
    }


TOP = "usd514_jpeg_roi/"
FILES = {TOP + f"images/{n}.jpg": "=rgb" for n in range(1, 4)}
for k in range(3):
    FILES[TOP + f"annotations/val_anno_crop_split_{k}.json"] = coco(k + 1)
    FILES[TOP + f"annotations/train_anno_crop_split_{k}.json"] = coco(*({1, 2, 3} - {k + 1}))
ROOT = ""
INNER = "usd514_jpeg_roi"
WHERE = (10, 10, 20, 20)
EXPECT = {
    TOP + "images/1.jpg": dict(label="GIST", group="a", fold="0", boxes=[("GIST", WHERE)], mask={"GIST": 110}),
    TOP + "images/2.jpg": dict(label="leiomyoma", group="b", fold="1", boxes=[("leiomyoma", WHERE)]),
    TOP + "images/3.jpg": dict(label="GIST", group="c", fold="2", boxes=[("GIST", WHERE)]),
}
