"""The graphs of an ONNX model, those within its nodes too, and their tensors."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


def graphs_in(graph: Any) -> Iterator[Any]:
    """Yield a graph and the graphs within its nodes, such as the branches of an `If`."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (*([attribute.g] if attribute.HasField('g') else []), *attribute.graphs):
                yield from graphs_in(inner)


def tensors_of(graphs: Iterable[Any]) -> Iterator[Any]:
    """Yield all tensors of graphs: weights, and constants among the nodes."""
    for each in graphs:
        yield from each.initializer
        yield from _parts(each.sparse_initializer)
        for node in each.node:
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
                yield from _parts((attribute.sparse_tensor, *attribute.sparse_tensors))


def _parts(sparse: Iterable[Any]) -> Iterator[Any]:
    for each in sparse:
        yield from (each.values, each.indices)


def is_finite(tensor: Any) -> bool:
    """Return whether a tensor may be a weight.

    NaN is none. A single infinite number is a bound, and -inf in a table forbids attention, as
    between shifted windows.
    """
    from onnx import TensorProto, numpy_helper

    if tensor.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16):
        return True
    try:
        values = numpy_helper.to_array(tensor)
    except (ValueError, TypeError):  # of another size than it states, which onnxruntime refuses
        return True
    wrong = np.isnan(values) if values.size == 1 else ~(values < np.inf)
    return not wrong.any()


def logits_of(model: Any) -> list[str]:
    """Return the names of what a detector's heads compute: small, and told nowhere else.

    What goes into a choice of proposals, a suppression, the exponential of a box's size, and the
    softmax over classes behind the regions' features: later, values that are no numbers are
    dropped. Attention has softmax, too, whose infinite values forbid.
    """
    nodes = list(model.graph.node)
    regions = [place for place, node in enumerate(nodes) if node.op_type == 'RoiAlign']
    behind = nodes[regions[-1] :] if regions else []
    found = [node.input[0] for node in nodes if node.op_type in ('TopK', 'Exp')]
    found += [
        name for node in nodes if node.op_type == 'NonMaxSuppression' for name in node.input[:2]
    ]
    found += [node.input[0] for node in behind if node.op_type == 'Softmax']
    computed = {name for node in nodes if node.op_type != 'Constant' for name in node.output}
    told = {each.name for each in model.graph.output}
    return [name for name in dict.fromkeys(found) if name in computed - told]
