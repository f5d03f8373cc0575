"""ResNets under torchvision's names, such as LVM-Med's ResNet-50."""

import re
from typing import Any, cast

from usfm.model.families.contract import Built, Family
from usfm.model.spec import Told
from usfm.model.tensors import STEM, Weights

_DEEPEST, _PX = 64, 224


def marks(found: Weights) -> bool:
    """A first convolution, and a fourth stage of bottlenecks."""
    return STEM in found.tensors and "layer4.0.conv3.weight" in found.tensors


def build(found: Weights, family: Family, source: str, told: Told) -> Built:
    """See `Builder`. Timm's ResNet of bottlenecks, as deep as the file's."""
    from timm.models.resnet import Bottleneck, ResNet

    t = found.tensors
    places = {tuple(map(int, m.groups())) for name in t if (m := re.match(r"layer([1-4])\.(\d{1,3})\.", name))}
    layers = [sum(stage == each for each, _ in places) for stage in range(1, 5)]
    whole = {(stage + 1, block) for stage, count in enumerate(layers) for block in range(count)}
    if (
        places != whole
        or min(layers) < 1
        or max(layers) > _DEEPEST
        or tuple(t["layer1.0.conv1.weight"].shape) != (64, 64, 1, 1)
    ):
        raise ValueError(f"stages of {layers} blocks, some of them missing or of another width")
    model = ResNet(cast(Any, Bottleneck), tuple(layers), in_chans=t[STEM].shape[1], num_classes=0)
    px = told.px or _PX
    return Built(model, (px, px), name=f"resnet{3 * sum(layers) + 2}")


RESNET = Family(
    "LVM-Med (ResNet-50), or another ResNet",
    "torchvision's names (`layer4.0.conv3`)",
    "resnet50",
    marks,
    build=build,
    pool="mean",
    licence="CC-BY-NC-SA (its README says CC-BY-NC-ND)",
    source="duyhominhnguyen/LVM-Med",
)
