"""DICOM: write frames as an ultrasound object with regions and calibration, in several transfer syntaxes."""

from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless, generate_uid

SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "palette": ExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg": JPEGBaseline8Bit,
    "j2k": JPEG2000Lossless,
}
"""Transfer syntaxes that can be written, by name."""

MULTI_FRAME, SINGLE_FRAME = "1.2.840.10008.5.1.4.1.1.3.1", "1.2.840.10008.5.1.4.1.1.6.1"


def write_dicom(
    path: Path,
    frames: list[np.ndarray],
    *,
    syntax: str,
    fps: float,
    regions: list[tuple[int, int, int, int]],
    spacing_mm: float,
    origin: tuple[int, int],
    who: str,
    what: str,
) -> None:
    """Write an ultrasound image or cine.

    Args:
        path: where.
        frames: uint8 gray (H, W) or RGB (H, W, 3).
        syntax: one of `SYNTAXES`.
        fps: frames per second.
        regions: boxes of the acoustic regions, x0, y0, x1, y1, inclusive.
        spacing_mm: size of a pixel.
        origin: (x, y) of the pixel where depth starts.
        who: made-up patient.
        what: seed of the identifiers: the same text gives the same ones.
    """
    gray = all(frame.ndim == 2 for frame in frames)
    if not gray:
        frames = [frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2) for frame in frames]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = UID(MULTI_FRAME if len(frames) > 1 else SINGLE_FRAME)
    data.file_meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[what, "instance"])
    data.file_meta.TransferSyntaxUID = SYNTAXES[syntax]
    data.file_meta.ImplementationClassUID = generate_uid(entropy_srcs=["usfm simulate"])
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID = generate_uid(entropy_srcs=[who, "study"])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[what, "series"])
    data.PatientName, data.PatientID, data.PatientBirthDate, data.PatientSex = f"Phantom^{who}", who, "19700101", "O"
    data.StudyDate, data.StudyTime, data.StudyID, data.AccessionNumber = "20200101", "120000", "1", ""
    data.Modality, data.Manufacturer, data.ManufacturerModelName = "US", "usfm", "phantom"
    data.SeriesNumber = data.InstanceNumber = 1
    data.ReferringPhysicianName, data.PatientOrientation, data.ImageType = "", "", ["ORIGINAL", "PRIMARY"]
    data.Rows, data.Columns = frames[0].shape[:2]
    data.SamplesPerPixel = 1 if gray else 3
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PhotometricInterpretation = "MONOCHROME2" if gray else "RGB"
    if not gray:
        data.PlanarConfiguration = 0
    if len(frames) > 1:
        data.NumberOfFrames = len(frames)
        data.FrameTime = round(1000 / fps, 4)
        data.CineRate = round(fps)
        data.FrameIncrementPointer = 0x00181063
    data.SequenceOfUltrasoundRegions = Sequence([_region(box, spacing_mm, origin) for box in regions])
    _pixels(data, frames, syntax)
    data.save_as(path, enforce_file_format=True)


def _region(box: tuple[int, int, int, int], spacing_mm: float, origin: tuple[int, int]) -> Dataset:
    """One calibrated two-dimensional tissue region (DICOM PS3.3, C.8.5.5)."""
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, 1, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = max(0, box[0]), max(0, box[1])
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = box[2], box[3]
    region.ReferencePixelX0, region.ReferencePixelY0 = origin[0] - box[0], origin[1] - box[1]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.ReferencePixelPhysicalValueX = region.ReferencePixelPhysicalValueY = 0.0
    region.PhysicalDeltaX = region.PhysicalDeltaY = spacing_mm / 10
    return region


def _pixels(data: Dataset, frames: list[np.ndarray], syntax: str) -> None:
    """Put the frames into the data set in a transfer syntax."""
    if syntax == "palette":
        frames = _palette(data, frames)
    if syntax in ("explicit", "palette"):
        raw = b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames)
        data.PixelData = raw + b"\0" * (len(raw) % 2)
        data["PixelData"].VR = "OB"
    elif syntax == "rle":
        data.compress(RLELossless, np.stack(frames) if len(frames) > 1 else frames[0], generate_instance_uid=False)
    else:
        packed = [_jpeg(frame) if syntax == "jpeg" else _j2k(frame) for frame in frames]
        if frames[0].ndim == 3:
            data.PhotometricInterpretation = "YBR_FULL_422" if syntax == "jpeg" else "YBR_RCT"
        data.PixelData = encapsulate(packed)
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        if syntax == "jpeg":
            size = frames[0].size * len(frames)
            data.LossyImageCompression = "01"
            data.LossyImageCompressionRatio = round(size / sum(len(part) for part in packed), 2)
            data.LossyImageCompressionMethod = "ISO_10918_1"


def _jpeg(frame: np.ndarray) -> bytes:
    flags = [cv2.IMWRITE_JPEG_QUALITY, 92, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422]
    return cv2.imencode(".jpg", frame if frame.ndim == 2 else frame[..., ::-1], flags)[1].tobytes()


def _j2k(frame: np.ndarray) -> bytes:
    import io

    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, format="JPEG2000", no_jp2=True, irreversible=False)
    return stream.getvalue()


def _palette(data: Dataset, frames: list[np.ndarray]) -> list[np.ndarray]:
    """Turn frames into indices of a 256-entry palette: 216 colours of a cube and 40 grays."""
    levels = np.linspace(0, 255, 6)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(-1, 3)
    table = np.concatenate([cube, np.repeat(np.linspace(0, 255, 40)[:, None], 3, axis=1)])
    out = []
    for frame in frames:
        rgb = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
        cell = np.rint(rgb / 51.0).astype(np.int32)
        index = cell[..., 0] * 36 + cell[..., 1] * 6 + cell[..., 2]
        grayish = rgb.max(axis=2).astype(int) - rgb.min(axis=2) < 12
        out.append(np.where(grayish, 216 + np.rint(rgb.mean(axis=2) / 255 * 39), index).astype(np.uint8))
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "PALETTE COLOR"
    if "PlanarConfiguration" in data:
        del data.PlanarConfiguration
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(data, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(data, f"{name}PaletteColorLookupTableData", np.rint(table[:, channel] * 257).astype("<u2").tobytes())
    return out
