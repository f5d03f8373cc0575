"""Chords of one frame; a clip without; names with and without suffix."""

TOP = "EchoNet-Dynamic/"
CHORDS = [(20, 4, 20, 28), (14, 8, 26, 8), (12, 16, 28, 16), (14, 24, 26, 24)]
FILES = {
    TOP + "Videos/0X1A.avi": "=gray x3",
    TOP + "Videos/0X2B.avi": "=gray x3",
    TOP + "FileList.csv": "FileName,EF,ESV,EDV,FrameHeight,FrameWidth,FPS,NumberOfFrames,Split\n"
    "0X1A,78.5,14.8,69.2,768,1024,50,3,VAL\n0X2B,31,60,90,112,112,50,3,TRAIN\n",
    TOP + "VolumeTracings.csv": "FileName,X1,Y1,X2,Y2,Frame\n"
    + "".join(f"0X1A.avi,{a},{b},{c},{d},1\n" for a, b, c, d in CHORDS),
}
ROOT = "EchoNet-Dynamic"
INNER = "Videos"
EXPECT = {
    "Videos/0X1A.avi": dict(
        frames=3,
        at=1,
        group="a",
        split="val",
        values={"ef_percent": 78.5, "edv_ml": 69.2},
        mask={"left ventricle": 240},
    ),
    "Videos/0X2B.avi": dict(frames=3, group="b", split="train", values={"ef_percent": 31}, mask=None),
}
