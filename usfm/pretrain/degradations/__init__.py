"""How the encoder's input is made worse than what has to be predicted."""

from usfm.pretrain.degradations.blur import BLUR
from usfm.pretrain.degradations.contract import NONE, Degradation
from usfm.pretrain.degradations.mixed import MIXED
from usfm.pretrain.degradations.rings import RINGS

DEGRADATIONS: dict[str, Degradation] = {"none": NONE, "blur": BLUR, "mixed": MIXED, "rings": RINGS}
