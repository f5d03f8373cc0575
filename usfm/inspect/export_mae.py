"""The layout of MAE's releases: encoder and decoder of one moment and one kind, in three channels."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from usfm.model import checkpoint, header
from usfm.model.vit import NORMALISATION, Encoder, Shape
from usfm.model.weights import fold_channels

PROJECTION, BIAS = "patch_embed.proj.weight", "patch_embed.proj.bias"
PREDICTION = "decoder_pred"


def layout(encoder: Encoder, file: Path, card: Mapping) -> tuple[dict[str, torch.Tensor], Shape, list[str]]:
    """Tensors that MAE's own class reads, from a checkpoint of a run.

    Args:
        encoder: of that checkpoint.
        file: its weight file; the decoder lies beside it.
        card: of its run.

    Returns:
        The tensors, the encoder's shape in that layout, and sentences about what was changed or left out.
    """
    weights = {name: value.detach().clone() for name, value in encoder.state_dict().items()}
    layout, unit = _of_decoder(card)
    decoder, said = _decoder(weights, file, layout)
    shape = encoder.shape
    if shape.in_chans == 1:
        weights[PROJECTION], weights[BIAS] = fold_channels(weights[PROJECTION], weights[BIAS], 3)
        shape = replace(shape, in_chans=3)
        said.append("the patch projection is folded from 1 to 3 channels: the same features for gray frames")
        if decoder:
            decoder = _three_channels(decoder, shape.patch, unit)
            said += [] if decoder else ["the decoder is left out: it predicts no pixels that MAE's class could read"]
    elif decoder and (f"{PREDICTION}.bias" not in decoder or len(decoder[f"{PREDICTION}.bias"]) != 3 * shape.patch**2):
        decoder = {}
        said.append("the decoder is left out: it predicts no pixels that MAE's class could read")
    return weights | decoder, shape, said


def _of_decoder(card: Mapping) -> tuple[str, str]:
    """Whose class reads a run's decoder ("mae" or ""), and in which unit it predicts pixels ("" for none or not known).

    Runs of earlier versions do not say it; their kinds do.
    """
    said = card.get("decoder")
    if isinstance(said, dict):
        return str(said.get("layout", "")), str(said.get("unit", ""))
    decoder, target = (_kind(card, section) for section in ("decoder", "target"))
    return "" if decoder == "cross" else "mae", target


def _kind(card: Mapping, section: str) -> str:
    """The kind in a section of a run's recipe; "" where the card does not tell."""
    settings = card.get("settings")
    recipe = settings.get("recipe") if isinstance(settings, dict) else None
    table = recipe.get(section) if isinstance(recipe, dict) else None
    return str(table.get("kind", "")) if isinstance(table, dict) else ""


def _decoder(encoder: Mapping[str, torch.Tensor], file: Path, layout: str) -> tuple[dict[str, torch.Tensor], list[str]]:
    """The decoder that belongs to an encoder: trained with these very weights, or averaged as they were."""
    for name, part in ((checkpoint.MODEL, ""), (checkpoint.STATE, "average")):
        if not (file.parent / name).is_file():
            continue
        found = header.load(file.parent / name)[0]
        if part and isinstance(found, dict):
            average = found.get(part)
            found = average.get("weights") if isinstance(average, dict) else None
        if not isinstance(found, dict):
            continue
        theirs = {k.removeprefix("encoder."): v for k, v in found.items() if k.startswith("encoder.")}
        if any(name not in theirs or not torch.equal(theirs[name], value) for name, value in encoder.items()):
            continue  # of another kind: the encoder is an average of weights, and this is not
        decoder = {k.removeprefix("decoder."): v for k, v in found.items() if k.startswith("decoder.")}
        if layout != "mae" or any("cross_attn" in name for name in decoder):
            return {}, ["the decoder is left out: MAE's class has none of this kind"]
        return decoder, []
    if (file.parent / checkpoint.MODEL).is_file():
        return {}, ["the decoder is left out: none of this checkpoint belongs to its encoder"]
    return {}, ["there is no decoder beside the encoder"]


def _three_channels(decoder: Mapping[str, torch.Tensor], patch: int, target: str) -> dict[str, torch.Tensor]:
    """A decoder of gray pixels as one of three channels; {} where it predicts something else.

    Pixels are the same gray in each channel's units. Patches brought to mean 0 and variance 1 are predicted the same in
    each channel; MAE's own target counts the three channels of a patch together, so the losses of the two differ.
    """
    weight, bias = decoder.get(f"{PREDICTION}.weight"), decoder.get(f"{PREDICTION}.bias")
    if weight is None or bias is None or target not in ("pixels", "normalised") or len(bias) != patch**2:
        return {}
    scale, shift = torch.ones(3), torch.zeros(3)
    if target == "pixels":
        (m1,), (s1,) = NORMALISATION[1]
        mean, std = (torch.tensor(values) for values in NORMALISATION[3])
        scale, shift = s1 / std, (m1 - mean) / std
    wide = (weight[:, None] * scale[None, :, None]).flatten(0, 1)  # the channel is fastest, as in MAE
    return {**decoder, f"{PREDICTION}.weight": wide, f"{PREDICTION}.bias": (bias[:, None] * scale + shift).flatten()}
