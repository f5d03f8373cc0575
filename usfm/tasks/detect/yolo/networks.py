"""Networks that ultralytics' trainer takes: an encoder of usfm's behind its Detect head, and its own."""

import re
from pathlib import Path

import torch
import yaml
from torch import nn
from torchvision.ops import FeaturePyramidNetwork
from ultralytics.nn.modules.head import Detect
from ultralytics.nn.tasks import DetectionModel
from ultralytics.utils.torch_utils import initialize_weights

from usfm.errors import RequestError
from usfm.model import header
from usfm.model.network import Network
from usfm.tasks.detect.heads import Taken, taken_of, width_of
from usfm.tasks.detect.yolo.asking import weights_of
from usfm.tasks.detect.yolo.stock import Stock
from usfm.tasks.segment.heads import Pyramid

STRIDES = (8, 16, 32)
"""Of the three levels that Detect sees, as in ultralytics' own networks."""

_OF_CLASSES = re.compile(r"^model\.\d+\.(one2one_)?cv3\.")
"""Branches of Detect whose width depends on the number of classes."""


class Neck(nn.Module):
    """Maps of an encoder -> three levels of one width, each of which knows the coarser ones.

    Args:
        taken: the maps.
    """

    def __init__(self, taken: Taken):
        super().__init__()
        self.taken = taken
        self.pyramid = Pyramid(taken.channels) if taken.alike else None
        self.fpn = FeaturePyramidNetwork(list(taken.channels), width_of(taken.channels))

    def forward(self, network: Network, frames: torch.Tensor) -> list[torch.Tensor]:
        """Maps of the frames.

        Args:
            network: the encoder.
            frames: (B, C, H, W) of 0 to 255.

        Returns:
            Three of (B, width, rows, columns), strides 8, 16 and 32.
        """
        maps = self.taken.maps(network, frames, self.pyramid)
        return [*self.fpn({str(k): one for k, one in enumerate(maps)}).values()][1:]


class Encoded(DetectionModel):
    """An encoder of usfm's as a detector of ultralytics'.

    Args:
        network: the encoder.
        classes: C.

    Raises:
        RequestError: its maps are of other strides than Detect's.
    """

    def __init__(self, network: Network, classes: int):
        nn.Module.__init__(self)
        taken = taken_of(network, "yolo")
        strides = [round(one[1]) for one in network.map_shapes(taken.taps)][1:]
        if not taken.alike and tuple(strides) != STRIDES:
            raise RequestError(f"--head yolo takes maps of strides 8, 16 and 32, and this encoder's are {strides}")
        detect = Detect(classes, reg_max=1, end2end=True, ch=(width_of(taken.channels),) * 3)
        self.model = nn.Sequential(network, Neck(taken), detect)
        self.yaml, self.save, self.inplace = {"nc": classes}, [], True
        self.names = {c: str(c) for c in range(classes)}
        self.stride = detect.stride = torch.tensor([float(each) for each in STRIDES])
        detect.bias_init()
        initialize_weights(self.model[1:])  # the encoder's own settings stay

    @property
    def network(self) -> Network:
        """The encoder."""
        return self.model[0]  # pyright: ignore[reportReturnType]

    def _predict_once(self, x, profile=False, embed=None):
        return self.model[2](self.model[1](self.network, x * 255))


def stock_network(stock: Stock, classes: int) -> DetectionModel:
    """One of ultralytics' networks.

    Args:
        stock: which.
        classes: C.

    Returns:
        The network, with random weights or those of its file.

    Raises:
        RequestError: the file is damaged, would run code, or is of another network.
    """
    told = yaml.safe_load(stock.description.read_text(encoding="utf-8"))
    told |= {"scale": stock.scale, "yaml_file": str(stock.description)}
    model = DetectionModel(told, ch=3, nc=classes, verbose=False)
    if stock.file is not None:
        _fill(model, stock, _tensors(stock.file))
    return model


def use(model: DetectionModel, run: Path, fold: str) -> None:
    """Give a network the weights of a fold.

    Args:
        model: of the same shape.
        run: directory.
        fold: its name.

    Raises:
        RequestError: they are damaged, or of another network.
    """
    file = weights_of(run, fold)
    weights = header.load(file)[0]
    if not isinstance(weights, dict):
        raise RequestError(f"{file}: holds no weights by name; make the run again")
    header.check_tensors(file, weights)
    try:
        model.load_state_dict(weights)
    except (RuntimeError, KeyError, TypeError) as error:
        what = type(error).__name__
        raise RequestError(f"{file}: its weights are of another network ({what}); make the run again") from None


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a file, under ultralytics' names."""
    try:
        found, _ = header.load(path)
    except RequestError as error:
        raise RequestError(f"{error}; {_way(path)}") from None
    for name in ("state_dict", "model", "ema"):
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict):
        raise RequestError(f"{path}: holds no state dict; {_way(path)}")
    return {f"model.{name}" if name[:1].isdigit() else name: value for name, value in found.items()
            if isinstance(value, torch.Tensor)}  # fmt: skip


def _way(path: Path) -> str:
    plain = f"{path.stem}.state.pt"
    return (
        "a whole pickle of ultralytics would run code, so that only its tensors are read: if you trust it, run "
        f"python -c \"import torch; torch.save(torch.load('{path.name}', weights_only=False)['model'].float()"
        f".state_dict(), '{plain}')\" and give {plain}"
    )


def _fill(model: DetectionModel, stock: Stock, tensors: dict[str, torch.Tensor]) -> None:
    own = model.state_dict()
    fits = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    lacking = [name for name in own if name not in fits and not _OF_CLASSES.match(name)]
    if lacking:
        raise RequestError(
            f"{stock.file}: is not of {stock.name}: {len(lacking)} of {len(own)} tensors are lacking or of another "
            f"shape, such as {lacking[0]}; name the network as yolo:NAME.yaml@FILE"
        )
    model.load_state_dict(fits, strict=False)
