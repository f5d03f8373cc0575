"""VOC: classes called 0 and 1, lists of the split."""


def voc(name, label):
    box = "<bndbox><xmin>11</xmin><ymin>6</ymin><xmax>20</xmax><ymax>25</ymax></bndbox>"
    size = "<size><width>40</width><height>32</height><depth>3</depth></size>"
    return f"<annotation><filename>{name}.jpg</filename>{size}<object><name>{label}</name>{box}</object></annotation>"


TOP = "TN5000_forReview/"
FILES = {
    TOP + "JPEGImages/000001.jpg": "=rgb",
    TOP + "JPEGImages/000002.jpg": "=rgb",
    TOP + "JPEGImages/000003.jpg": "=rgb",
    TOP + "Annotations/000001.xml": voc("000001", 0),
    TOP + "Annotations/000002.xml": voc("000002", 1),
    TOP + "Annotations/000003.xml": voc("000003", 1),
    TOP + "ImageSets/Main/train.txt": "000001\n",
    TOP + "ImageSets/Main/val.txt": "000002\n",
    TOP + "ImageSets/Main/trainval.txt": "000001\n000002\n",
    TOP + "ImageSets/Main/test.txt": "000003\n",
}
ROOT = "TN5000_forReview"
INNER = "JPEGImages"
WHERE = (10, 5, 20, 25)
EXPECT = {
    "JPEGImages/000001.jpg": dict(label="benign", split="train", boxes=[("benign", WHERE)]),
    "JPEGImages/000002.jpg": dict(label="malignant", split="val", boxes=[("malignant", WHERE)]),
    "JPEGImages/000003.jpg": dict(label="malignant", split="test", boxes=[("malignant", WHERE)]),
}
