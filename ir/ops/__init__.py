"""One file per operator; OPS lists them all."""

from __future__ import annotations

from ..op import Op
from .add import Add
from .average_pool2d import AveragePool2D
from .cast import Cast
from .concat import Concat
from .conv2d import Conv2D
from .depthwise_conv2d import DepthwiseConv2D
from .dequantize import Dequantize
from .fully_connected import FullyConnected
from .hard_swish import HardSwish
from .leaky_relu import LeakyRelu
from .logistic import Logistic
from .lookup import Lookup
from .max_pool2d import MaxPool2D
from .maximum import Maximum
from .mean import Mean
from .minimum import Minimum
from .mul import Mul
from .pad import Pad
from .prelu import PRelu
from .quantize import Quantize
from .read_state import ReadState
from .relu import Relu
from .reshape import Reshape
from .resize_bilinear import ResizeBilinear
from .resize_nearest import ResizeNearest
from .slice import Slice
from .softmax import Softmax
from .split import Split
from .sub import Sub
from .svdf import Svdf
from .tanh import Tanh
from .transpose import Transpose
from .transpose_conv import TransposeConv
from .write_state import WriteState

OPS: tuple[type[Op], ...] = (
    Add,
    AveragePool2D,
    Cast,
    Concat,
    Conv2D,
    DepthwiseConv2D,
    Dequantize,
    FullyConnected,
    HardSwish,
    LeakyRelu,
    Logistic,
    Lookup,
    MaxPool2D,
    Maximum,
    Mean,
    Minimum,
    Mul,
    Pad,
    PRelu,
    Quantize,
    ReadState,
    Relu,
    Reshape,
    ResizeBilinear,
    ResizeNearest,
    Slice,
    Softmax,
    Split,
    Sub,
    Svdf,
    Tanh,
    Transpose,
    TransposeConv,
    WriteState,
)
