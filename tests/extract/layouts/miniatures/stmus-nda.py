"""Copies for training are left out."""

TOP = "Polito-Radboud-DeepLearningUS/"
FILES = {
    TOP + "BB/Healthy/Images/a.png": "=gray",
    TOP + "BB/Healthy/Masks/a.png": "=disk",
    TOP + "TA/Pathological/Images/a.png": "=gray",
    TOP + "TA/Pathological/Masks/a.png": "=disk",
    TOP + "Segmentation_models/data/MuscleCNN/BB/Healthy/Images/a.png": "=gray",
}
ROOT = TOP
INNER = "BB"
EXPECT = {
    "BB/Healthy/Images/a.png": dict(label="healthy", muscle="biceps brachii", mask={"muscle": 193}, group=""),
    "TA/Pathological/Images/a.png": dict(label="pathological", muscle="tibialis anterior", mask={"muscle": 193}),
}
