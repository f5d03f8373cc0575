"""One network's tensors out of a weight file, by timm's names."""

from dataclasses import dataclass, field

import torch

PROJECTION = "patch_embed.proj.weight"


@dataclass(frozen=True)
class Weights:
    """One network's tensors out of a file.

    Attributes:
        tensors: by name, without the prefix.
        prefix: what stood before the names in the file, containers included ("teacher.backbone.").
        outside: names of the file's other tensors (a text tower, a decoder, the student beside the teacher).
        others: prefixes of further networks of the same kind in the file.
        metadata: what usfm wrote into the file; {} in the files of others.
    """

    tensors: dict[str, torch.Tensor]
    prefix: str = ""
    outside: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    metadata: dict = field(default_factory=dict)

    def said(self) -> list[str]:
        """Where the tensors were found, in words, when the file holds several networks."""
        return (
            [f"taken from {self.prefix}* (not from {', '.join(f'{p}*' for p in self.others)})"] if self.others else []
        )
