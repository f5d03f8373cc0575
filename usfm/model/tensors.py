"""One network's tensors out of a weight file, by timm's names."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

PROJECTION = "patch_embed.proj.weight"
STEM = "conv1.weight"
"""First convolution of a ResNet."""


@dataclass(frozen=True)
class Weights:
    """One network's tensors out of a file.

    Attributes:
        tensors: by name, without the prefix.
        prefix: what stood before the names in the file, containers included ("teacher.backbone.").
        outside: names of the file's other tensors (a text tower, a decoder, the student beside the teacher).
        others: prefixes of further networks of the same kind in the file.
        metadata: what usfm wrote into the file; {} in the files of others.
        projection: (out, in) from a pooled vector to the space that images share with texts; None without one.
    """

    tensors: dict[str, torch.Tensor]
    prefix: str = ""
    outside: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    metadata: dict = field(default_factory=dict)
    projection: torch.Tensor | None = None

    def said(self) -> list[str]:
        """Where the tensors were found, in words, when the file holds several networks."""
        return (
            [f"taken from {self.prefix}* (not from {', '.join(f'{p}*' for p in self.others)})"] if self.others else []
        )


def joined(apart: Mapping[tuple[str, str], Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Queries, keys and values of attentions as timm has them: one tensor.

    Args:
        apart: (block, "weight" or "bias") -> "query", "key", "value" -> tensor.

    Returns:
        By timm's names; of a block that lacks one of the three (BEiT has no bias of the key) each by itself.

    Raises:
        RuntimeError: the three do not fit one another.
    """
    found: dict[str, torch.Tensor] = {}
    for (block, kind), parts in apart.items():
        if set(parts) == {"query", "key", "value"}:
            found[f"{block}.attn.qkv.{kind}"] = torch.cat([parts[each] for each in ("query", "key", "value")])
        else:
            found |= {f"{block}.attn.{each[0]}_{kind}": value for each, value in parts.items()}
    return found
