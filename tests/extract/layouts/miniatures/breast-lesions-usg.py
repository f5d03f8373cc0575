"""The table is a download of its own; pictures and masks have alpha; a normal case has no mask."""

FOLDER = "BrEaST-Lesions_USG-images_and_masks-Dec-15-2023/BrEaST-Lesions_USG-images_and_masks/"
HEAD = ["CaseID", "Image_filename", "Mask_tumor_filename", "Mask_other_filename", "Pixel_size", "Age", "BIRADS"]
FILES = {
    FOLDER + "case001.png": "=rgba",
    FOLDER + "case001_tumor.png": "=disk",
    FOLDER + "case001_other1.png": "=ring",
    FOLDER + "case002.png": "=rgba",
    FOLDER + "case002_tumor.png": "=disk",
    FOLDER + "case045.png": "=rgba",
    "BrEaST-Lesions-USG-clinical-data-Dec-15-2023.xlsx": [
        [*HEAD, "Verification", "Diagnosis", "Classification"],
        [1, "case001.png", "case001_tumor.png", "case001_other1.png", 0.007, 57, "2", "", "Cyst & fat", "benign"],
        [2, "case002.png", "case002_tumor.png", None, 0.01, 43, "5", "biopsy", "IDC", "malignant"],
        [45, "case045.png", None, None, 0.01, 43, "1", "", "", "normal"],
    ],
}
ROOT = ""
INNER = FOLDER
EXPECT = {
    FOLDER + "case001.png": dict(label="benign", group="a", diagnosis="Cyst & fat", mask={"tumour": 0, "other": 0}),
    FOLDER + "case002.png": dict(label="malignant", group="b", birads="5", mask={"tumour": 193}),
    FOLDER + "case045.png": dict(label="normal", group="c", mask=None),
}
