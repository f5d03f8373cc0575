"""Semicolons, a header with a space behind, a picture with alpha."""

TOP = "FETAL_PLANES_ZENODO/"
FILES = {
    TOP + "Images/Patient00001_Plane1_1_of_2.png": "=gray",
    TOP + "Images/Patient00001_Plane3_2_of_2.png": "=rgba",
    TOP + "Images/Patient00168_Plane6_1_of_1.png": "=gray",
    TOP + "FETAL_PLANES_DB_data.csv": "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n"
    "Patient00001_Plane1_1_of_2;1;Other;Not A Brain;Op. 1;Aloka;1\n"
    "Patient00001_Plane3_2_of_2;1;Fetal brain;Trans-thalamic;Op. 1;Aloka;1\n"
    "Patient00168_Plane6_1_of_1;168;Maternal cervix;Not A Brain;Other;Voluson E6;0\n",
}
ROOT = "FETAL_PLANES_ZENODO"
INNER = "Images"
EXPECT = {
    "Images/Patient00001_Plane1_1_of_2.png": dict(label="Other", split="train", group="1", machine="Aloka"),
    "Images/Patient00001_Plane3_2_of_2.png": dict(
        label="Fetal brain", split="train", group="1", brain_plane="Trans-thalamic"
    ),
    "Images/Patient00168_Plane6_1_of_1.png": dict(label="Maternal cervix", split="test", group="2"),
}
