"""A picture that is a mask is not ultrasound: masks are found under many names, and no picture is lost."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from usfm.config import Request
from usfm.errors import RequestError
from usfm.extract import masks, sources
from usfm.extract.config import Config
from usfm.extract.media import Media
from usfm.extract.run import run


def speckle(seed=0, shape=(96, 128), gain=70):
    random = np.random.default_rng(seed)
    rows, columns = np.indices(shape)
    fan = np.hypot(rows, columns - shape[1] / 2) < 0.95 * shape[0]
    return (np.clip(gain * random.rayleigh(1, shape), 0, 255) * fan).astype(np.uint8)


def lesion(kind="binary", shape=(96, 128)):
    rows, columns = np.indices(shape)
    away = np.hypot(rows - 40, columns - 60)
    inside, other = away < 20, np.hypot(rows - 70, columns - 30) < 9
    if kind == "binary":
        return (inside * 255).astype(np.uint8)
    if kind == "small values":
        return inside.astype(np.uint8) + 2 * other.astype(np.uint8)
    if kind == "black":
        return np.zeros(shape, np.uint8)
    if kind == "outline":
        return ((np.abs(away - 25) < 0.7) * 255).astype(np.uint8)
    if kind == "smooth":
        return np.clip(255 * (21 - away) / 2, 0, 255).astype(np.uint8)
    colours = np.zeros((*shape, 3), np.uint8)
    colours[inside], colours[other] = (255, 0, 0), (0, 255, 0)
    return colours


KINDS = ("binary", "small values", "black", "outline", "smooth", "coloured")


@pytest.mark.parametrize("kind", KINDS)
def test_masks_of_every_kind_look_like_masks(kind):
    assert masks.is_mask(lesion(kind))


@pytest.mark.parametrize("kind", ["binary", "outline", "smooth", "coloured"])
def test_a_mask_that_went_through_jpeg_looks_like_one(kind, tmp_path):
    Image.fromarray(lesion(kind)).save(tmp_path / "a.jpg", quality=80)
    assert masks.look_at(Media(str(tmp_path / "a.jpg"))).mask == (kind != "outline")


@pytest.mark.parametrize("gain", [3, 10, 30, 70, 150])
def test_frames_bright_and_dark_do_not_look_like_masks(gain):
    for seed in range(3):
        frame = speckle(seed, gain=gain)
        assert not masks.is_mask(frame) or frame.max() < masks.LEVELS
        assert not masks.is_mask(np.repeat(frame[..., None], 3, 2)) or frame.max() < masks.LEVELS


SCHEMES = (
    "{n}.png>{n}_mask.png", "{n}.png>{n}_mask_1.png", "{n}.png>mask_{n}.png", "img_{n}.jpg>mask-{n}.png",
    "images/{n}.png>masks/{n}.png", "image/{n}.png>GT/{n}.png", "US/{n}.png>annotations/{n}.png",
    "images/{n}.png>labels/{n}.png", "set/{n}_HC.png>set/{n}_HC_Annotation.png", "{n} Image.bmp>{n} Mask.tif",
    "train-image/{n}.jpg>train-mask/{n}.png", "{n}.jpg>{n}_gt.png", "{n}.tif>{n}_segmentation.tif",
    "JPEGImages/{n}.jpg>SegmentationClass/{n}.png", "a/{n}.png>a_ground_truth/{n}.png",
    "Images/{n}.png>tumormasks/{n}.png",
    "105 US Images/{n}.png>105 US Masks/{n} G man.png", "{n}.png>{n}-GroundTruth.png", "pictures/{n}.jpg>other/{n}.png",
)  # fmt: skip


@given(
    scheme=st.sampled_from(SCHEMES),
    kind=st.sampled_from(KINDS),
    numbers=st.lists(st.integers(0, 99_999), min_size=2, max_size=5, unique=True),
    prefix=st.sampled_from(["", "case", "benign ", "P_"]),
    root=st.sampled_from(["data", "busi", "segmentation set"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_masks_are_found_and_pictures_kept_under_any_name(scheme, kind, numbers, prefix, root):
    """The file system is left out: names, and what the pixels would say."""
    picture, mask = scheme.split(">")
    truth, listed = {}, []
    for n in numbers:
        for name, is_mask in ((picture, False), (mask, True)):
            below = f"{root}/{name.format(n=f'{prefix}{n:03d}')}"
            truth[below] = is_mask
            listed.append((below, below, 500))
    looks = {below: masks.Look(is_mask, (96, 128), 0.04) for below, is_mask in truth.items()}
    sizes = masks._size_of
    try:
        masks._size_of = lambda path: (96, 128)
        found = masks.find(listed, looks.__getitem__)
        again = masks.find(listed[::-1], looks.__getitem__)
    finally:
        masks._size_of = sizes
    assert found == again == {below for below, is_mask in truth.items() if is_mask}


def write(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def busi_like(root):
    for at, (name, kind) in enumerate([("benign", "binary"), ("malignant", "binary"), ("normal", "black")]):
        for n in range(1, 4):
            write(root / name / f"{name} ({n}).png", speckle(10 * at + n))
            write(root / name / f"{name} ({n})_mask.png", lesion(kind))
    write(root / "benign" / "benign (2)_mask_1.png", lesion("outline"))


def test_a_folder_of_classes_with_masks_beside_the_pictures(tmp_path, capsys):
    busi_like(tmp_path / "busi")
    request = Request(inputs=(str(tmp_path / "busi"),), out=str(tmp_path / "a.h5"), workers=1)
    summary = run(Config(labels="folder"), request)
    assert (summary["frames_out"], summary["masks"], summary["classes"]) == (9, 10, 3)
    assert "10 label masks" in capsys.readouterr().err
    kept = run(Config(masks="keep"), Request(inputs=request.inputs, out=str(tmp_path / "b.h5"), workers=1))
    assert (kept["frames_out"], kept["masks"]) == (19, 0)


def test_real_frames_in_folders_with_such_names_are_kept(tmp_path):
    for n in range(4):
        write(tmp_path / "in" / "label_a" / f"segment_{n}.png", speckle(n))
        write(tmp_path / "in" / "masks" / f"{n}.png", speckle(10 + n, gain=20))
        write(tmp_path / "in" / "line" / f"{n}.png", lesion("outline", (50 + n, 60)))  # no name and no neighbour
    found = sources.find([str(tmp_path / "in" / "label_a"), str(tmp_path / "in" / "masks")])
    assert (len(found.sources), found.masks) == (8, 0)
    assert sources.find([str(tmp_path / "in" / "line")]).masks == 0


def test_a_folder_of_masks_only_is_one_sentence(tmp_path):
    for n in range(3):
        write(tmp_path / "masks" / f"{n}.png", lesion())
    with pytest.raises(RequestError, match="--masks keep"):
        sources.find([str(tmp_path / "masks")])
    assert len(sources.find([str(tmp_path / "masks")], keep_masks=True).sources) == 3


def test_among_many_masks_a_picture_is_not_lost(tmp_path):
    """Of many files a sample is decoded; one that is heavier for its size is looked at all the same."""
    for n in range(masks.SAMPLE_FROM + 20):
        write(tmp_path / "masks" / f"{n:04d}.png", speckle(1, (24, 32)) if n == 7 else lesion("binary", (96, 128)))
    found = sources.find([str(tmp_path / "masks")])
    assert [source.below for source in found.sources] == ["0007.png"]


@pytest.mark.parametrize("include, exclude, left", [
    ((), ("masks",), {"a/1.png", "b/2.png"}), (("a",), (), {"a/1.png", "a/masks/1.png"}),
    (("*.png",), ("*/masks/*",), {"a/1.png", "b/2.png"}), (("b/*",), (), {"b/2.png"}), ((), ("1.png",), {"b/2.png"}),
])  # fmt: skip
def test_include_and_exclude(tmp_path, include, exclude, left):
    for at, name in enumerate(("a/1.png", "a/masks/1.png", "b/2.png")):
        write(tmp_path / name, speckle(at))
    found = sources.find([str(tmp_path)], include=include, exclude=exclude)
    assert {source.below for source in found.sources} == left
    assert found.excluded == 3 - len(left)


def test_nothing_left_says_why(tmp_path):
    write(tmp_path / "a.png", speckle())
    with pytest.raises(RequestError, match="leave out 1 files"):
        sources.find([str(tmp_path)], exclude=["*.png"])
    with pytest.raises(RequestError, match="--masks"):
        run(Config(masks="somewhere"), Request(inputs=(str(tmp_path),), out=str(tmp_path / "s.h5")))
