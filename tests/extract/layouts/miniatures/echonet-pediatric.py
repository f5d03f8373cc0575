"""The same name in both views, points of one frame, 'No Systolic'."""

TOP = "pediatric_echo_avi/pediatric_echo_avi/"
HEAD = "FileName,EF,Sex,Age,Weight,Height,Split\n"
FILES = {
    TOP + "A4C/Videos/CR1.avi": "=gray x2",
    TOP + "A4C/FileList.csv": HEAD + "CR1.avi,61.9,F,0,2.7,51,9\n",
    TOP + "A4C/VolumeTracings.csv": "FileName,X,Y,Frame\n"
    + "".join(f"CR1.avi,{x},{y},1\n" for x, y in ((10, 10), (20, 10), (20, 20), (10, 20)))
    + "CR1.avi,1,1,No Systolic\n",
    TOP + "PSAX/Videos/CR1.avi": "=gray x2",
    TOP + "PSAX/FileList.csv": HEAD + "CR1.avi,40,M,5,20,120,0\n",
    TOP + "PSAX/VolumeTracings.csv": "FileName,X,Y,Frame\n",
}
ROOT = TOP
INNER = "A4C"
LEFT_OUT = {"tracing without a frame": 1}
EXPECT = {
    "A4C/Videos/CR1.avi": dict(
        frames=2, at=1, fold="9", group="", values={"ef_percent": 61.9}, mask={"left ventricle": 110}
    ),
    "PSAX/Videos/CR1.avi": dict(frames=2, fold="0", values={"ef_percent": 40}, mask=None, view="PSAX"),
}
