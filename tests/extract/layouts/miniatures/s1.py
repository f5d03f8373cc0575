"""Gray level of the mask is the class; the other folder of test pictures overlaps."""

FILES = {
    "S1/Data/TrainingDataSet/BreastTumourImages/1.jpg": "=gray",
    "S1/Data/TrainingDataSet/Expanded-3-channel-Labels/1.png": "=disk:127",
    "S1/Data/TrainingDataSet/General-1-channel-Labels/1.png": "=disk",
    "S1/Data/TestingDataSet/Test-Expanded-BreastTumourImages/1.jpg": "=gray",
    "S1/Data/TestingDataSet/Test-Expanded-3-channel-Labels/1.png": "=disk:255",
    "S1/Data/TestingDataSet/Test-General-1-BreastTumourImages/1.jpg": "=gray",
    "S1/Segmentation_Results/1.jpg": "=gray",
}
ROOT = "S1"
INNER = "Data/TrainingDataSet"
EXPECT = {
    "Data/TrainingDataSet/BreastTumourImages/1.jpg": dict(label="benign", split="train", mask={"benign": 193}),
    "Data/TestingDataSet/Test-Expanded-BreastTumourImages/1.jpg": dict(
        label="malignant", split="test", mask={"malignant": 193}
    ),
}
