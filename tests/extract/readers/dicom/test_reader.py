"""The DICOM reader: recognition, offsets, times, what the header tells, what it must not tell, and bad input."""

import struct

import numpy as np
import pytest

from usfm.errors import MediaError
from usfm.extract.media import Media
from usfm.extract.readers import READERS
from usfm.extract.readers.contract import Notes
from usfm.extract.readers.dicom import headers, inflate
from usfm.extract.readers.dicom.directory import is_directory, listed
from usfm.extract.readers.dicom.reader import DicomReader
from usfm.extract.sampling import parse
from usfm.simulate.dicom import SYNTAXES, write_dicom

IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
DEFLATED, RLE, BASELINE = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50"


@pytest.fixture
def gray(bench, tmp_path):
    """Write a gray clip: ``gray(frames=3, syntax=EXPLICIT, **tags)``."""

    def write(frames=3, syntax=EXPLICIT, **tags):
        pixels = np.stack([bench.scene(number) for number in range(frames)]).tobytes()
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.dcm"
        return bench.save(path, bench.data_set(**({"NumberOfFrames": frames} | tags)), syntax, pixels)

    return write


@pytest.fixture
def packed(bench, tmp_path):
    """Write a JPEG clip, each frame in as many fragments as asked."""

    def write(frames=4, pieces=1, table=True, **tags):
        packed = [bench.jpeg(bench.scene(number)) for number in range(frames)]
        step = [-(-len(one) // pieces) // 2 * 2 + 2 for one in packed]
        cut = [[one[at : at + s] for at in range(0, len(one), s)] for one, s in zip(packed, step, strict=True)]
        data = bench.data_set(**({"NumberOfFrames": frames} | tags))
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.dcm"
        return bench.save(path, data, BASELINE, None, fragments=cut, table=table)

    return write


def same(got, bench, numbers, most=0):
    for one, number in zip(got, numbers, strict=True):
        assert np.abs(one.pixels.astype(int) - bench.scene(number)).max() <= most


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG])
def test_a_data_set_without_preamble_or_meta_is_known_by_its_elements(bench, tmp_path, syntax):
    pixels = bench.scene().tobytes()
    for options in ({"preamble": False}, {"meta": False}):
        if syntax == BIG and "meta" not in options:
            continue
        path = bench.save(tmp_path / "scan", bench.data_set(), syntax, pixels, **options)
        head = path.read_bytes()[:4096]
        assert [kind for kind, reader in READERS.items() if reader.recognises(head)] == ["dicom"]
        same(bench.read(path)[0], bench, [0])


def test_bytes_in_words_of_big_endian_change_places(bench, tmp_path):
    frames = np.stack([bench.scene(number)[:, :63] for number in range(2)])[:, :47]  # an odd number of bytes each
    flat = np.append(frames.ravel(), np.uint8(0)) if frames.size % 2 else frames.ravel()
    data = bench.data_set(rows=47, columns=63, NumberOfFrames=2)
    path = bench.save(tmp_path / "a.dcm", data, BIG, flat.reshape(-1, 2)[:, ::-1].tobytes(), words=True)
    for one, frame in zip(bench.read(path)[0], frames, strict=True):
        assert np.array_equal(one.pixels, frame)


def test_a_deflated_data_set_that_ends_early_ends_there(bench, gray):
    path = gray(frames=4, syntax=DEFLATED)
    path.write_bytes(path.read_bytes()[:-600])
    frames, _ = until_broken(path, "truncated")
    assert 1 <= len(frames) <= 3


@pytest.mark.parametrize("pieces", [1, 3])
@pytest.mark.parametrize("table", [True, False])
def test_frames_are_found_with_and_without_a_table_and_in_several_fragments(bench, packed, table, pieces):
    got, notes = bench.read(packed(pieces=pieces, table=table))
    same(got, bench, range(4), 12)
    assert notes.frames == 4
    assert not notes.faults


def test_an_extended_table_counts_and_one_that_lies_does_not(bench, tmp_path):
    frames = [[bench.jpeg(bench.scene(number))] for number in range(3)]
    sizes = [8 + len(one[0]) + len(one[0]) % 2 for one in frames]
    for offsets in ([0, sizes[0], sizes[0] + sizes[1]], [0, 17, 40], [5, 6, 7], [0, 1 << 40, 1 << 41]):
        tags = {"NumberOfFrames": 3, "ExtendedOffsetTable": struct.pack("<3Q", *offsets)}
        tags["ExtendedOffsetTableLengths"] = struct.pack("<3Q", *(size - 8 for size in sizes))
        path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), BASELINE, None, fragments=frames, table=False)
        same(bench.read(path)[0], bench, range(3), 12)


def test_the_first_frame_comes_without_reading_to_the_end(bench, packed, gray):
    class Watched:
        def __init__(self, file):
            self.file, self.most = file, 0

        def __getattr__(self, name):
            return getattr(self.file, name)

        def read(self, size=-1):
            data = self.file.read(size)
            self.most = max(self.most, self.file.tell())
            return data

    for path in (packed(frames=40), packed(frames=40, table=False), gray(frames=40)):
        with open(path, "rb") as file:
            watched = Watched(file)

            class Slow(Media):
                def open(self, watched=watched):
                    watched.__enter__ = lambda: watched
                    return _Context(watched)

            probe = DicomReader().probe(Slow(str(path)), stamps_above=1 << 30)
            assert probe.frames == 40
            assert watched.most < path.stat().st_size / 4


class _Context:
    def __init__(self, inner):
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    "tags, step_s",
    [
        ({"FrameTime": 40.0, "FrameIncrementPointer": 0x00181063}, 0.04),
        ({"FrameTime": 33.333, "CineRate": 50}, 0.033333),
        ({"FrameTime": 0.0, "FrameIncrementPointer": 0x00181063, "CineRate": 20}, 0.05),
        ({"FrameTime": -5.0, "RecommendedDisplayFrameRate": 10}, 0.1),
        ({"ActualFrameDuration": 25, "CineRate": 50}, 0.025),
        ({"FrameTimeVector": [0.0, 20.0, 20.0, 20.0], "FrameTime": 99.0, "FrameIncrementPointer": 0x00181065}, 0.02),
        ({"FrameTimeVector": [0.0, 20.0], "FrameIncrementPointer": 0x00181065}, 0.02),
        ({"FrameTimeVector": [0.0, 0.0, 0.0], "FrameIncrementPointer": 0x00181065, "FrameTime": 30.0}, 0.03),
        ({"FrameTime": 40.0, "FrameIncrementPointer": 0x00200032}, None),
        ({}, None),
    ],
)
def test_frame_times(bench, gray, tags, step_s):
    got, _ = bench.read(gray(frames=4, **tags))
    if step_s is None:
        assert all(np.isnan(one.time_s) for one in got)
        assert np.isnan(bench.probe(gray(frames=4, **tags)).fps)
    else:
        assert [one.time_s for one in got] == pytest.approx([number * step_s for number in range(4)], abs=1e-6)


def test_sampling_follows_a_vector_of_times_and_takes_all_where_there_is_no_time(bench, gray):
    vector = [0.0, *[100.0] * 9, 1000.0, *[100.0] * 9]
    path = gray(frames=20, FrameTimeVector=vector, FrameIncrementPointer=0x00181065)
    got, _ = bench.read(path, parse("2", None, None))
    assert [one.index for one in got] == [0, 5, 9, 11, 16]
    assert len(bench.read(gray(frames=20), parse("2", None, None))[0]) == 20
    assert len(bench.read(gray(frames=20), parse("3", 5, None))[0]) == 4


def test_ranges_give_what_a_whole_reading_gives(bench, packed, tmp_path):
    from fractions import Fraction

    from usfm.extract.readers.contract import Range

    deep = np.stack([bench.scene(number, bits=12) // 3 for number in range(6)])
    tags = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11, "NumberOfFrames": 6, "FrameTime": 50.0}
    path = bench.save(tmp_path / "b.dcm", bench.data_set(**tags), EXPLICIT, deep.tobytes())
    for one in (path, packed(frames=6, FrameTime=50.0)):
        probe = bench.probe(one, stamps_above=0)
        whole, _ = bench.read(one)
        assert [float(stamp * Fraction(*probe.tick_s)) for stamp in probe.stamps] == [f.time_s for f in whole]
        parts = []
        for indices in ((0, 1, 2), (3, 5)):
            stamps = tuple(probe.stamps[index] for index in indices)
            within = Range(indices, stamps, probe.stamps[0], 6, False, indices[-1] == 5, probe.full, low=probe.low)
            parts += bench.read(one, within=within)[0]
        for part in parts:
            assert part.time_s == whole[part.index].time_s
            assert np.array_equal(part.pixels, whole[part.index].pixels)


def region(**tags):
    from pydicom.dataset import Dataset

    item = Dataset()
    usual = {"RegionSpatialFormat": 1, "RegionDataType": 1, "RegionFlags": 0, "RegionLocationMinX0": 4,
             "RegionLocationMinY0": 2, "RegionLocationMaxX1": 60, "RegionLocationMaxY1": 40,
             "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3, "PhysicalDeltaX": 0.05,
             "PhysicalDeltaY": 0.04, "TransducerFrequency": 5000}  # fmt: skip
    for keyword, value in (usual | tags).items():
        setattr(item, keyword, value)
    return item


STRIP = {"RegionSpatialFormat": 3, "RegionDataType": 3, "RegionLocationMinY0": 41, "RegionLocationMaxY1": 47}


@pytest.mark.parametrize(
    "items, kind, spacing",
    [
        ([{}], "b-mode", (0.4, 0.5)),
        ([{}, {"RegionDataType": 2}], "color-doppler", (0.4, 0.5)),
        ([{}, STRIP], "b-mode", (0.4, 0.5)),
        ([STRIP], "spectral", None),
        ([{"RegionSpatialFormat": 2}], "m-mode", None),
        ([{"PhysicalUnitsXDirection": 4}], "b-mode", None),
        ([{}, {"PhysicalDeltaX": 0.09}], "b-mode", None),
        ([{"RegionLocationMaxX1": 2}], "", None),
    ],
)
def test_regions_tell_kind_and_spacing(bench, gray, items, kind, spacing):
    got, notes = bench.read(gray(SequenceOfUltrasoundRegions=[region(**one) for one in items]))
    assert notes.kind == kind
    assert np.array_equal(got[0].spacing_mm, spacing or (np.nan, np.nan), equal_nan=True)
    if kind:
        assert (notes.dicom_regions[0]["x0"], notes.dicom_regions[0]["x1"]) == (4, 60)


def test_pixel_spacing_counts_where_no_region_has_one_and_a_capture_says_so(bench, gray):
    got, notes = bench.read(gray(PixelSpacing=[0.3, 0.2], SOPClassUID="1.2.840.10008.5.1.4.1.1.7.2"))
    assert got[0].spacing_mm == (0.3, 0.2)
    assert notes.kind == "other"
    assert notes.metadata["secondary_capture"]


def test_planes_of_a_volume_have_their_own_spacing_kind_and_place(bench, tmp_path):
    from pydicom.dataset import Dataset

    def group(**sequences):
        out = Dataset()
        for sequence, tags in sequences.items():
            item = Dataset()
            for keyword, value in tags.items():
                setattr(item, keyword, value)
            setattr(out, sequence, [item])
        return out

    shared = group(PixelMeasuresSequence={"PixelSpacing": [0.5, 0.25], "SliceThickness": 0.8})
    own = [
        group(ImageDataTypeSequence={"DataType": word},
              PlanePositionVolumeSequence={"ImagePositionVolume": [0.0, 0.0, 0.8 * number]})
        for number, word in enumerate(("TISSUE_INTENSITY", "FLOW_POWER"))
    ]  # fmt: skip
    pixels = np.stack([bench.scene(0), bench.scene(1)]).tobytes()
    data = bench.data_set(SOPClassUID="1.2.840.10008.5.1.4.1.1.6.2", NumberOfFrames=2,
                          SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=own)  # fmt: skip
    got, notes = bench.read(bench.save(tmp_path / "a.dcm", data, EXPLICIT, pixels))
    assert [one.kind for one in got] == ["b-mode", "power-doppler"]
    assert {one.spacing_mm for one in got} == {(0.5, 0.25)}
    assert got[1].facts == {"position_mm": [0.0, 0.0, 0.8]}
    assert notes.metadata["plane_spacing_mm"] == 0.8


def test_nothing_that_names_anybody_is_told(bench, gray):
    from pydicom.dataset import Dataset

    path = gray(
        ReferringPhysicianName="Roe^Sam", PatientComments="Jane fell", InstitutionName="St. Elsewhere",
        StationName="ROOM9", DeviceSerialNumber="SN123", ManufacturerModelName="M5\x1b[31m", BurnedInAnnotation="YES",
        PatientBirthDate="19700101", AccessionNumber="ACC9", SequenceOfUltrasoundRegions=[region()],
        IconImageSequence=[Dataset()],
    )  # fmt: skip
    got, notes = bench.read(path)
    told = repr((notes, got[0].facts, got[0].kind))
    for secret in ("Doe", "Jane", "MRN", "Roe", "Elsewhere", "ROOM9", "SN123", "1970", "ACC9", "1.2.3", "\x1b"):
        assert secret not in told
    assert notes.metadata["burned_in"] == "YES"
    assert notes.names == ["Doe^Jane", "Roe^Sam"]
    identity = bench.probe(path).identity
    assert (identity.patient, identity.exam) == ("MRN-77", "1.2.3")
    assert "MRN" not in repr(bench.probe(path))
    _, notes = bench.read(path, keep_tags=("StationName", "NoSuchTag"))
    assert notes.metadata["StationName"] == "ROOM9"
    assert "NoSuchTag" not in notes.metadata


@pytest.mark.parametrize("center, width, function", [(128, 256, None), (100, 60, None), (100, 60, "LINEAR_EXACT"),
                                                     (100, 60, "SIGMOID")])  # fmt: skip
def test_one_window_for_a_clip_is_pydicoms(bench, gray, center, width, function):
    import pydicom
    from pydicom.pixels import apply_windowing

    tags = {"WindowCenter": [center, 1], "WindowWidth": [width, 2], "VOILUTFunction": function}
    path = gray(**tags)
    data = pydicom.dcmread(path)
    for one, frame in zip(bench.read(path)[0], data.pixel_array, strict=True):
        assert np.abs(one.pixels - apply_windowing(frame, data)).max() <= 1


def test_rescale_signs_and_tables(bench, tmp_path):
    from pydicom.dataset import Dataset

    deep = bench.scene(bits=12).astype(np.int16) - 1000
    tags = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}
    path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), EXPLICIT, deep.tobytes())
    wanted = (deep - deep.min()) / (deep.max() - deep.min()) * 255
    assert np.abs(bench.read(path)[0][0].pixels - wanted).max() <= 1
    turned = bench.data_set(RescaleSlope=-1, RescaleIntercept=255)
    path = bench.save(tmp_path / "a.dcm", turned, EXPLICIT, bench.scene().tobytes())
    assert np.abs(bench.read(path)[0][0].pixels - (255.0 - bench.scene())).max() <= 1
    table = Dataset()
    table.LUTDescriptor, table.LUTData = [256, 0, 8], np.arange(255, -1, -1, np.uint16).tobytes()
    path = bench.save(tmp_path / "a.dcm", bench.data_set(VOILUTSequence=[table]), EXPLICIT, bench.scene().tobytes())
    assert np.abs(bench.read(path)[0][0].pixels - (255.0 - bench.scene())).max() <= 1


def test_bits_beside_those_that_are_stored_do_not_count(bench, tmp_path):
    deep = bench.scene(bits=12)
    tags = {"BitsAllocated": 16, "BitsStored": 12, "HighBit": 11}
    path = bench.save(tmp_path / "a.dcm", bench.data_set(**tags), EXPLICIT, (deep | 0x9000).tobytes())
    assert np.abs(bench.read(path)[0][0].pixels - deep / 4095 * 255).max() <= 1


@pytest.mark.parametrize("what", [
    {"Modality": "CT", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"},
    {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1"}, {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"},
    {"Modality": "XA", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
    {"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
])  # fmt: skip
def test_what_holds_no_ultrasound_is_refused_with_its_name(bench, gray, what):
    with pytest.raises(MediaError) as caught:
        bench.probe(gray(**what))
    assert caught.value.reason == "no ultrasound picture"


@pytest.mark.parametrize("tags, reason", [
    ({"Rows": 20000, "Columns": 20000}, "too large"), ({"Rows": 0}, "damaged"), ({"BitsAllocated": 12}, "unknown"),
    ({"SamplesPerPixel": 4}, "unknown colours"), ({"PhotometricInterpretation": "PALETTE COLOR"}, "unknown colours"),
    ({"PhotometricInterpretation": "CMYK"}, "unknown colours"), ({"Rows": 100}, "truncated"),
    ({"BitsStored": 99}, "unknown"),
])  # fmt: skip
def test_headers_that_make_no_sense_are_refused(bench, gray, tags, reason):
    with pytest.raises(MediaError, match=reason):
        bench.read(gray(frames=1, **tags))
    with pytest.raises(MediaError, match=reason):
        bench.probe(gray(frames=1, **tags))


def test_pixel_data_may_be_missing_or_of_one_pixel(bench, tmp_path):
    with pytest.raises(MediaError, match="no picture"):
        bench.probe(bench.save(tmp_path / "a.dcm", bench.data_set(), EXPLICIT, None))
    path = bench.save(tmp_path / "a.dcm", bench.data_set(rows=1, columns=1), EXPLICIT, b"\x07")
    frames, notes = bench.read(path)
    assert [frame.pixels.tolist() for frame in frames] == [[[7]]]
    assert not notes.faults  # the byte that makes the length even is no frame


def test_fewer_and_more_frames_than_declared_are_told(bench, gray, packed, tmp_path):
    for path, reason, there in (
        (gray(NumberOfFrames=5), "missing frames", 3),
        (packed(NumberOfFrames=6), "missing frames", 4),
        (packed(NumberOfFrames=6, table=False), "missing frames", 4),
    ):
        frames, notes = until_broken(path, reason)
        assert sum(frame.pixels is not None for frame in frames) == notes.frames == there
    for path in (gray(NumberOfFrames=2), packed(NumberOfFrames=2), packed(NumberOfFrames=2, table=False)):
        got, notes = bench.read(path)
        assert len(got) == 2
        assert [fault.reason for fault in notes.faults] == ["further frames"]
    for path in (gray(NumberOfFrames=0), gray(NumberOfFrames=1), packed(NumberOfFrames=1, table=False)):
        got, notes = bench.read(path)
        assert len(got) == notes.frames == 1
        assert [fault.reason for fault in notes.faults] == ["further frames"]


def collect(reader, frames):
    for frame in reader:
        frames.append(frame)


def until_broken(path, reason):
    """Read until the reader says what is wrong: the frames before that, and the notes."""
    frames, notes = [], Notes()
    reader = DicomReader().read(Media(str(path)), parse("all", None, None), notes)
    with pytest.raises(MediaError, match=reason):
        collect(reader, frames)
    return frames, notes


def test_a_cut_file_keeps_its_whole_frames(bench, gray, packed):
    for path in (gray(), packed(), packed(table=False)):
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * 0.6)])
        frames, _ = until_broken(path, "truncated")
        assert sum(frame.pixels is not None for frame in frames) >= 1


def test_a_broken_frame_costs_only_itself(bench, packed):
    path = packed()
    data = bytearray(path.read_bytes())
    second = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xd8"][1]
    data[second : second + 2] = b"\0\0"
    path.write_bytes(data)
    got, _ = bench.read(path)
    assert [one.pixels is None for one in got] == [False, True, False, False]
    assert got[1].fault == "not decodable"


def test_a_compressed_frame_of_another_size_is_not_believed(bench, tmp_path):
    huge = bytearray(bench.jpeg(bench.scene()))
    at = huge.find(b"\xff\xc0")
    huge[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    path = bench.save(tmp_path / "a.dcm", bench.data_set(), BASELINE, None, fragments=[[bytes(huge)]])
    assert bench.read(path)[0][0].fault == "another size"


def test_a_deflated_bomb_stops(bench, gray, monkeypatch):
    path = gray(frames=40, syntax=DEFLATED)
    assert len(bench.read(path)[0]) == 40
    monkeypatch.setattr(inflate, "MOST_BYTES", 40_000)
    with pytest.raises(MediaError, match="too large"):
        bench.read(path)


def test_a_header_takes_no_more_than_its_share(bench, gray, monkeypatch):
    path = gray()
    monkeypatch.setattr(headers, "MOST_HEADER_BYTES", 300)
    with pytest.raises(MediaError, match="damaged"):
        bench.probe(path)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("frames", [1, 5])
def test_what_simulate_writes_comes_back_as_its_truth_says(bench, tmp_path, syntax, frames):
    rgb = syntax != "explicit"
    drawn = [np.ascontiguousarray(bench.scene(number, color=rgb)) for number in range(frames)]
    path = tmp_path / "a.dcm"
    write_dicom(path, drawn, syntax=syntax, fps=25, regions=[(3, 2, 60, 45)], spacing_mm=0.2, origin=(32, 0),
                who="P1", what="clip")  # fmt: skip
    got, notes = bench.read(path)
    most = {"explicit": 0, "rle": 0, "j2k": 0, "jpeg": 14, "palette": 26}[syntax]
    for one, frame in zip(got, drawn, strict=True):
        apart = np.abs(one.pixels.astype(int) - frame)
        assert np.quantile(apart, 0.97) <= most
        assert one.spacing_mm == pytest.approx((0.2, 0.2))
    if frames > 1:
        assert [one.time_s for one in got] == pytest.approx([0.04 * number for number in range(frames)])
    box = notes.dicom_regions[0]
    assert (box["x0"], box["y0"], box["x1"], box["y1"]) == (3, 2, 60, 45)
    assert notes.kind == "b-mode"


def directory_of(folder, names):
    import warnings

    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.filewriter import dcmwrite

    warnings.simplefilter("ignore")  # one of the names is none that DICOM allows
    data = Dataset()
    data.FileSetID = "DISC"
    records = []
    for name in names:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", name.split("/")
        records.append(record)
    data.DirectoryRecordSequence = records
    data.file_meta = FileMetaDataset()
    data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.1.3.10"
    data.file_meta.MediaStorageSOPInstanceUID, data.file_meta.TransferSyntaxUID = "1.2.3", EXPLICIT
    dcmwrite(folder / "DICOMDIR", data, enforce_file_format=True)
    return folder / "DICOMDIR"


def test_a_dicomdir_stands_for_the_files_that_it_lists(bench, tmp_path):
    import shutil

    from usfm.extract.sources import find

    (tmp_path / "disc/im").mkdir(parents=True)
    for number, patient in ((1, "P1"), (2, "P2")):
        data = bench.data_set(PatientID=patient)
        bench.save(tmp_path / f"disc/im/im{number}", data, EXPLICIT, bench.scene(number).tobytes())
    path = directory_of(tmp_path / "disc", ["IM/IM1", "IM/IM2", "IM/GONE", "../../etc/passwd"])
    assert is_directory(path.read_bytes()[:4096])
    assert listed(Media(str(path))) == ("IM/IM1", "IM/IM2", "IM/GONE")
    for given in (path, tmp_path / "disc"):
        found = find([str(given)])
        told = {source.below: source.kind or source.fault for source in found.sources}
        assert told == {"im/im1": "dicom", "im/im2": "dicom", "IM/GONE": "missing file"}
        assert found.passed == {"DICOMDIR": 1}
    for kind in ("zip", "gztar"):
        packed = shutil.make_archive(str(tmp_path / kind), kind, tmp_path, "disc")
        found = find([packed])
        told = {source.below: source.kind or source.fault for source in found.sources}
        assert told == {"disc/im/im1": "dicom", "disc/im/im2": "dicom", "disc/IM/GONE": "missing file"}
        assert found.passed == {"DICOMDIR": 1}
    with pytest.raises(MediaError, match="table of contents"):
        bench.probe(path)
