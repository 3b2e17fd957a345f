"""One file per operator; OPS lists them all."""

from __future__ import annotations

from ..op import Op
from .add import Add
from .arg_reduce import ArgReduce
from .average_pool2d import AveragePool2D
from .binary import Binary
from .cast import Cast
from .concat import Concat
from .conv2d import Conv2D
from .cumsum import CumSum
from .depthwise_conv2d import DepthwiseConv2D
from .dequantize import Dequantize
from .expand import Expand
from .finish_sums import FinishSums
from .fully_connected import FullyConnected
from .gather import Gather
from .gather_elements import GatherElements
from .gather_nd import GatherND
from .gru import Gru
from .hard_swish import HardSwish
from .instance_normalization import InstanceNormalization
from .layer_normalization import LayerNormalization
from .leaky_relu import LeakyRelu
from .logistic import Logistic
from .lookup import Lookup
from .lrn import Lrn
from .lstm import Lstm
from .matmul import MatMul
from .max_pool2d import MaxPool2D
from .maximum import Maximum
from .mean import Mean
from .minimum import Minimum
from .mul import Mul
from .one_hot import OneHot
from .pad import Pad
from .partial_sums import PartialSums
from .prelu import PRelu
from .quantize import Quantize
from .read_state import ReadState
from .reduce import Reduce
from .relu import Relu
from .reshape import Reshape
from .resize import Resize
from .resize_bilinear import ResizeBilinear
from .resize_nearest import ResizeNearest
from .rnn import Rnn
from .scatter_elements import ScatterElements
from .scatter_nd import ScatterND
from .slice import Slice
from .softmax import Softmax
from .split import Split
from .sub import Sub
from .svdf import Svdf
from .tanh import Tanh
from .tile import Tile
from .top_k import TopK
from .transpose import Transpose
from .transpose_conv import TransposeConv
from .unary import Unary
from .where import Where
from .write_state import WriteState

OPS: tuple[type[Op], ...] = (
    Add,
    ArgReduce,
    AveragePool2D,
    Binary,
    Cast,
    Concat,
    Conv2D,
    CumSum,
    DepthwiseConv2D,
    Dequantize,
    Expand,
    FinishSums,
    FullyConnected,
    Gather,
    GatherElements,
    GatherND,
    Gru,
    HardSwish,
    InstanceNormalization,
    LayerNormalization,
    LeakyRelu,
    Logistic,
    Lookup,
    Lrn,
    Lstm,
    MatMul,
    MaxPool2D,
    Maximum,
    Mean,
    Minimum,
    Mul,
    OneHot,
    Pad,
    PartialSums,
    PRelu,
    Quantize,
    ReadState,
    Reduce,
    Relu,
    Reshape,
    Resize,
    ResizeBilinear,
    ResizeNearest,
    Rnn,
    ScatterElements,
    ScatterND,
    Slice,
    Softmax,
    Split,
    Sub,
    Svdf,
    Tanh,
    Tile,
    TopK,
    Transpose,
    TransposeConv,
    Unary,
    Where,
    WriteState,
)
