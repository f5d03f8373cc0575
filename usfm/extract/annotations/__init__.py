"""Annotation files of others as one record a picture: COCO, YOLO, Pascal VOC, LabelMe, recognised by their content."""
