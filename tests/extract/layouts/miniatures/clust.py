"""Two sequences of one prefix; points are left out."""

FILES = {
    "CLUST/TrainingSet/ETH-01-1/Data/00001.png": "=gray",
    "CLUST/TrainingSet/ETH-01-2/Data/0001.png": "=gray",
    "CLUST/TrainingSet/MED-02-1/Data/00001.png": "=gray",
    "CLUST/TrainingSet/ETH-01-1/Annotation/ETH-01-1_1.txt": "1 12.5 14.0\n",
}
ROOT = "CLUST"
INNER = "TrainingSet"
EXPECT = {
    "TrainingSet/ETH-01-1/Data/00001.png": dict(group="a"),
    "TrainingSet/ETH-01-2/Data/0001.png": dict(group="a"),
    "TrainingSet/MED-02-1/Data/00001.png": dict(group="b"),
}
