"""An ONNX graph that grows node by node and knows the shape of every tensor in it."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

from crystal_search.errors import ModelError

OPSET, IR_VERSION = 17, 8
BATCH = "images"  #: the one dimension that stays open in a network of fixed side
INPUT, OUTPUT = "images", "logits"
MAX_ELEMENTS = 2**28  #: of one image in one layer: 1 GB
MAX_BYTES = 2**31 - 2**24  #: protobuf's limit, with room for the nodes

Shape = tuple[int | str, ...]


class OnnxGraph:
    """Nodes, constants and shapes; the input is called ``images``."""

    def __init__(self, input_shape: Shape) -> None:
        self._input = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [BATCH, *input_shape])
        self._types: dict[str, Any] = {INPUT: self._input.type}
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}

    def shape(self, tensor: str) -> Shape:
        """Return the shape of a tensor; a side that is open has a name in place of a number."""
        dimensions = self._types[tensor].tensor_type.shape.dim
        return tuple(each.dim_value if each.HasField("dim_value") else each.dim_param or "?" for each in dimensions)

    def constant(self, values: NDArray[Any]) -> str:
        """Add an array and return its name; floating-point numbers become float32."""
        values = values.astype(np.float32 if values.dtype.kind == "f" else np.int64, copy=False)
        name = f"constant_{len(self._constants)}"
        self._constants[name] = numpy_helper.from_array(np.asarray(values, order="C"), name)
        element_type = TensorProto.FLOAT if values.dtype.kind == "f" else TensorProto.INT64
        self._types[name] = helper.make_tensor_type_proto(element_type, values.shape)
        return name

    def add(self, op: str, *inputs: str, shape: Shape | None = None, **attributes: Any) -> str:
        """Add a node with one output and return the output's name; `shape` where it cannot be inferred.

        Raises
        ------
        ModelError
            If the operator does not fit the shapes of its inputs.
        """
        name = f"{op}_{len(self._nodes)}"
        node = helper.make_node(op, list(inputs), [name], name=name, **attributes)
        if "kernel_shape" in attributes:
            self._check_windows(op, inputs[0], attributes)
        given = helper.make_tensor_type_proto(TensorProto.FLOAT, shape) if shape else None
        self._types[name] = given or self._type_of(node)
        sides = [side for side in self.shape(name)[1:] if isinstance(side, int)]
        if min(sides, default=1) < 1 or np.prod(sides, dtype=np.float64) > MAX_ELEMENTS:
            raise ModelError(f"{op} would give shape {self.shape(name)}; try another --side")
        self._nodes.append(node)
        return name

    def _check_windows(self, op: str, tensor: str, attributes: dict[str, Any]) -> None:
        """Refuse windows larger than the padded map: ONNX's own formula rounds them up to one window."""
        kernel, sides = attributes["kernel_shape"], self.shape(tensor)[2:]
        pads = attributes.get("pads", [side - 1 for side in kernel] + [0] * len(kernel))
        for axis, (window, side) in enumerate(zip(kernel, sides, strict=True)):
            reach = (window - 1) * attributes.get("dilations", [1, 1])[axis] + 1
            if isinstance(side, int) and reach > side + pads[axis] + pads[axis + len(kernel)]:
                raise ModelError(f"{op}: windows of {reach} do not fit a map of shape {sides}; try another --side")

    def _type_of(self, node: Any) -> Any:
        named = [each for each in node.input if each]
        try:
            inferred = shape_inference.infer_node_outputs(
                onnx.defs.get_schema(node.op_type, OPSET),
                node,
                {each: self._types[each] for each in named},
                {each: self._constants[each] for each in named if self._decides_shapes(each)},
                opset_imports=[helper.make_opsetid("", OPSET)],
                ir_version=IR_VERSION,
            )
        except (shape_inference.InferenceError, onnx.checker.ValidationError) as error:
            shapes = ", ".join(str(self.shape(each)) for each in named)
            raise ModelError(f"{node.op_type} does not fit shapes {shapes}: is --side right? ({error})") from error
        return inferred[node.output[0]]

    def _decides_shapes(self, name: str) -> bool:
        """Tell whether a tensor is a constant that may say a shape; larger ones are weights, copied in vain."""
        return name in self._constants and len(self._constants[name].dims) <= 1

    def model(self, output: str) -> bytes:
        """Return the ONNX file whose one answer, called ``logits``, is the tensor `output`.

        Raises
        ------
        ModelError
            If the weights are more than one such file can hold.
        """
        if (size := sum(len(each.raw_data) for each in self._constants.values())) > MAX_BYTES:
            raise ModelError(f"the network has {size} bytes of weights; an ONNX file holds at most {MAX_BYTES}")
        self.add("Identity", output)
        self._nodes[-1].output[0] = OUTPUT
        answer = helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, self.shape(output))
        graph = helper.make_graph(self._nodes, "imported", [self._input], [answer])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        model.graph.initializer.extend(self._constants.values())  # last, for every step before would copy them
        data: bytes = model.SerializeToString()
        return data
