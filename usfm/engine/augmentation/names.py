"""Names of the sets of augmentations, without what they need: a command's help names them."""

NAMES = ("none", "standard", "augus-o", "augus-d", "two-of-best", "randaugment")
