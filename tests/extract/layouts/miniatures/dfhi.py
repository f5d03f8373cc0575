"""A plane set and the diverse set; the cavum has two colours; a copy of the original size."""

THAL, DIV = "Trans-thalamic/", "Diverse Fetal Head Images/"
FILES = {
    THAL + "Trans-thalamic/Patient00168_Plane3_1_of_3.png": "=rgb",
    THAL + "Trans-thalamic-Segmentation/SegmentationClass/Patient00168_Plane3_1_of_3.png": "=disk:#ff0000,#00ff00",
    THAL + "Trans-thalamic-Segmentation/labelmap.txt": "brain:255,0,0::\n",
    DIV + "Orginal_train_images_to_959_661/010_HC.png": "=rgb",
    DIV + "Fetal-Head-PASCAL/SegmentationClass/010_HC.png": "=disk:#ff0000,#0000ff,#ffff00",
    DIV + "Original_size/010_HC.png": "=copy:" + DIV + "Orginal_train_images_to_959_661/010_HC.png",
}
ROOT = ""
INNER = "Diverse Fetal Head Images"
THREE = {"brain": 0, "lateral ventricles": 0, "cavum septi pellucidi": 0}
EXPECT = {
    THAL + "Trans-thalamic/Patient00168_Plane3_1_of_3.png": dict(
        label="Trans-thalamic", group="a", mask={"brain": 0, "cavum septi pellucidi": 0}
    ),
    DIV + "Orginal_train_images_to_959_661/010_HC.png": dict(label="diverse", group="b", mask=THREE),
}
