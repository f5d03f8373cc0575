"""Classes without meaning are not read, nor the folder that repeats."""

TOP = "Ultrasound Fetus Dataset/Ultrasound Fetus Dataset/Data/Data/"
FILES = {
    TOP + "Datasets/benign/000_HC.png": "=gray",
    TOP + "Datasets/malignant/001_2HC.png": "=gray",
    TOP + "train/Benign/000_HC.png": "=gray",
    TOP + "FetusDataset.csv": "baseline value,fetal_health\n120,2\n",
}
ROOT = TOP
INNER = "Datasets"
EXPECT = {
    "Datasets/benign/000_HC.png": dict(group="a"),
    "Datasets/malignant/001_2HC.png": dict(group="b"),
}
