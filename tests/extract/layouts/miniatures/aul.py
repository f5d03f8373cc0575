"""Numbers that start again, a normal picture without mass, a nested folder, an outline that is missing."""


def square(low, high):
    return [[low, low], [high, low], [high, high], [low, high]]


FILES = {
    "Benign/Benign/image/1.jpg": "=rgb",
    "Benign/Benign/segmentation/liver/1.json": square(4, 28),
    "Benign/Benign/segmentation/mass/1.json": square(10, 20),
    "Benign/Benign/segmentation/outline/1.json": square(1, 30),
    "Malignant/image/1.jpg": "=rgb",
    "Malignant/segmentation/mass/1.json": square(10, 20),
    "Malignant/segmentation/outline/1.json": square(1, 30),
    "Normal/image/1.jpg": "=rgb",
    "Normal/segmentation/liver/1.json": square(4, 28),
}
ROOT = ""
INNER = "Normal"
EXPECT = {
    "Benign/Benign/image/1.jpg": dict(label="benign", group="a", mask={"outline": 275, "liver": 480, "mass": 110}),
    "Malignant/image/1.jpg": dict(label="malignant", group="b", mask={"outline": 755, "mass": 110}),
    "Normal/image/1.jpg": dict(label="normal", group="c", mask={"liver": 590}),
}
