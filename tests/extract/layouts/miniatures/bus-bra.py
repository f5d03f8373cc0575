"""Case 1 has two pictures; another case one; a notebook and a sample lie beside."""

FILES = {
    "BUSBRA/Images/bus_0001-l.png": "=gray",
    "BUSBRA/Images/bus_0001-r.png": "=gray",
    "BUSBRA/Images/bus_0002-s.png": "=gray",
    "BUSBRA/Masks/mask_0001-l.png": "=disk",
    "BUSBRA/Masks/mask_0001-r.png": "=disk",
    "BUSBRA/Masks/mask_0002-s.png": "=disk",
    "BUSBRA/bus_data.csv": "ID,Case,Histology,Pathology,BIRADS,Device,Width,Height,Side,BBOX\n"
    'bus_0001-l,1,Cyst,benign,2,A 1,40,32,left,"[12,8,16,16]"\n'
    'bus_0001-r,1,Cyst,benign,2,A 1,40,32,right,"[12,8,16,16]"\n'
    'bus_0002-s,2,IDC,malignant,5,B 2,40,32,,"[12,8,16,16]"\n',
    "BUSBRA/5-fold-cv.csv": "ID,Pathology,kFold,valid_1\nbus_0001-l,benign,3,1\nbus_0002-s,malignant,1,0\n",
    "BUSBRA/look.ipynb": "{}",
    "BUSBRA/sample.png": "=gray",
}
ROOT = "BUSBRA"
INNER = "Images"
BOX = [("lesion", (12, 8, 28, 24))]
EXPECT = {
    "Images/bus_0001-l.png": dict(label="benign", group="a", mask={"lesion": 193}, boxes=BOX, fold_5="3", fold_10=""),
    "Images/bus_0001-r.png": dict(label="benign", group="a", mask={"lesion": 193}, boxes=BOX, side="right"),
    "Images/bus_0002-s.png": dict(label="malignant", group="b", mask={"lesion": 193}, boxes=BOX, birads="5"),
}
