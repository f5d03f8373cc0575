"""The original: a case of two pictures in one XML file; one point list is damaged."""

SQUARE = '[{"points": [{"x": 10, "y": 10}, {"x": 20, "y": 10}, {"x": 20, "y": 20}, {"x": 10, "y": 20}]}]'
FILES = {
    "ddti/1_1.jpg": "=rgb",
    "ddti/1_2.jpg": "=rgb",
    "ddti/1.xml": f"<case><number>1</number><composition>solid</composition><tirads>4a</tirads>"
    f"<mark><image>1</image><svg>{SQUARE}</svg></mark><mark><image>2</image><svg>[{{</svg></mark></case>",
    "ddti/2_1.jpg": "=rgb",
    "ddti/2.xml": f"<case><number>2</number><tirads>2</tirads><mark><image>1</image><svg>{SQUARE}</svg></mark></case>",
}
ROOT = "ddti"
INNER = ""
LEFT_OUT = {"outline that is no JSON": 1}
EXPECT = {
    "1_1.jpg": dict(label="TI-RADS 4a", group="a", mask={"nodule": 110}, composition="solid"),
    "1_2.jpg": dict(label="TI-RADS 4a", group="a", mask=None),
    "2_1.jpg": dict(label="TI-RADS 2", group="b", mask={"nodule": 110}),
}
