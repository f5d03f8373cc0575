"""How targets are predicted from what the encoder saw."""

from usfm.pretrain.decoders.contract import Kind
from usfm.pretrain.decoders.cross import CrossDecoder, DirectDecoder
from usfm.pretrain.decoders.linear import LinearDecoder
from usfm.pretrain.decoders.local import LocalDecoder
from usfm.pretrain.decoders.self_attention import SelfDecoder
from usfm.pretrain.decoders.weighted import WeightedDecoder

DECODERS: dict[str, Kind] = {
    "self": SelfDecoder,
    "cross": CrossDecoder,
    "direct": DirectDecoder,
    "weighted": WeightedDecoder,
    "local": LocalDecoder,
    "linear": LinearDecoder,
}
