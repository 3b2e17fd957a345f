"""One file per operator; OPS lists them all."""

from __future__ import annotations

from ..op import Op
from .concat import Concat
from .conv2d import Conv2D
from .depthwise_conv2d import DepthwiseConv2D
from .fully_connected import FullyConnected
from .pad import Pad
from .read_state import ReadState
from .reshape import Reshape
from .resize_bilinear import ResizeBilinear
from .resize_nearest import ResizeNearest
from .slice import Slice
from .split import Split
from .transpose import Transpose
from .write_state import WriteState

OPS: tuple[type[Op], ...] = (
    Concat,
    Conv2D,
    DepthwiseConv2D,
    FullyConnected,
    Pad,
    ReadState,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Split,
    Transpose,
    WriteState,
)
