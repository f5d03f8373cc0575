"""Grades by view; videos are left out."""

TOP = "Cactus Dataset/"
FILES = {
    TOP + "Images Dataset/A4C/a.jpg": "=gray",
    TOP + "Images Dataset/Random/a.jpg": "=gray",
    TOP + "Grades/A4C_grades.csv": "Image Name,Subfolder Name,Grade\na.jpg,A4C,9\n",
    TOP + "Grades/Random_grades.csv": "Image Name,Subfolder Name,Grade\na.jpg,Random,0\n",
    TOP + "Videos/Training/Video1.mp4": "=gray x2",
}
ROOT = "Cactus Dataset"
INNER = "Images Dataset"
EXPECT = {
    "Images Dataset/A4C/a.jpg": dict(label="A4C", values={"grade": 9}, group=""),
    "Images Dataset/Random/a.jpg": dict(label="Random", values={"grade": 0}),
}
