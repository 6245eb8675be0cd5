"""Run by an interpreter that has MXNet 1.9.1: builds networks of random weights, saves them, says what they answer.

``python mxnet_oracle.py FOLDER NAME...`` writes for each network ``NAME-symbol.json``, ``NAME-0000.params`` and
``NAME.npz`` with ``images`` (in [0, 255]), ``mean``, ``std``, ``logits`` and ``probabilities``. The four architectures
are laid out as in the book whose code the paper's networks came from (Rosebrock 2017), at a few channels each.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = 13
MEAN, STD = (120.5, 110.25, 100.0), (60.0, 55.0, 50.0)
SIDES_PX = {"alexnet": 227, "vgg16": 64, "resnet50": 64, "squeezenet": 227, "operators": 17}
Symbol = Any


def convolved(
    mx: Any, x: Symbol, filters: int, side: int, act: str = "elu", *, stride: int = 1, pad: int = 0
) -> Symbol:
    x = mx.sym.Convolution(x, kernel=(side, side), stride=(stride, stride), pad=(pad, pad), num_filter=filters)
    return mx.sym.LeakyReLU(x, act_type=act)


def pooled(mx: Any, x: Symbol, side: int = 3) -> Symbol:
    return mx.sym.Pooling(x, pool_type="max", kernel=(side, side), stride=(2, 2))


def classified(mx: Any, x: Symbol, act: str, hidden: int) -> Symbol:
    x = mx.sym.Flatten(x)
    for _ in range(2):
        x = mx.sym.LeakyReLU(mx.sym.FullyConnected(x, num_hidden=hidden), act_type=act)
        x = mx.sym.Dropout(mx.sym.BatchNorm(x), p=0.5)
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=CLASSES), name="softmax")


def alexnet(mx: Any) -> Symbol:
    x = mx.sym.BatchNorm(convolved(mx, mx.sym.Variable("data"), 12, 11, stride=4))
    x = mx.sym.Dropout(pooled(mx, x), p=0.25)
    x = mx.sym.BatchNorm(convolved(mx, x, 32, 5, pad=2))
    x = mx.sym.Dropout(pooled(mx, x), p=0.25)
    for filters in (48, 48, 32):
        x = mx.sym.BatchNorm(convolved(mx, x, filters, 3, pad=1))
    return classified(mx, mx.sym.Dropout(pooled(mx, x), p=0.25), "elu", 64)


def vgg16(mx: Any) -> Symbol:
    x = mx.sym.Variable("data")
    for filters, times in ((8, 2), (16, 2), (24, 3), (32, 3), (32, 3)):
        for _ in range(times):
            x = mx.sym.BatchNorm(convolved(mx, x, filters, 3, "prelu", pad=1))
        x = mx.sym.Dropout(pooled(mx, x, 2), p=0.25)
    return classified(mx, x, "prelu", 48)


def residual(mx: Any, x: Symbol, filters: int, stride: int, *, reduce: bool) -> Symbol:
    shortcut, first = x, None
    for side, width, step in ((1, filters // 4, 1), (3, filters // 4, stride), (1, filters, 1)):
        x = mx.sym.Activation(mx.sym.BatchNorm(x, fix_gamma=False, eps=2e-5, momentum=0.9), act_type="relu")
        first = x if first is None else first
        x = mx.sym.Convolution(
            x, kernel=(side, side), pad=(side // 2, side // 2), stride=(step, step), num_filter=width, no_bias=True
        )
    if reduce:
        shortcut = mx.sym.Convolution(first, kernel=(1, 1), stride=(stride, stride), num_filter=filters, no_bias=True)
    return x + shortcut


def resnet50(mx: Any) -> Symbol:
    x = mx.sym.BatchNorm(mx.sym.Variable("data"), fix_gamma=True, eps=2e-5, momentum=0.9)
    x = mx.sym.Convolution(x, kernel=(7, 7), pad=(3, 3), stride=(2, 2), num_filter=8, no_bias=True)
    x = mx.sym.Activation(mx.sym.BatchNorm(x, fix_gamma=False, eps=2e-5), act_type="relu")
    x = mx.sym.Pooling(x, pool_type="max", pad=(1, 1), kernel=(3, 3), stride=(2, 2))
    for stage, (filters, blocks) in enumerate(((16, 3), (32, 4), (64, 6), (128, 3))):
        for block in range(blocks):
            x = residual(mx, x, filters, 2 if stage and not block else 1, reduce=not block)
    x = mx.sym.Activation(mx.sym.BatchNorm(x, fix_gamma=False, eps=2e-5), act_type="relu")
    x = mx.sym.Flatten(mx.sym.Pooling(x, pool_type="avg", global_pool=True, kernel=(7, 7)))
    return mx.sym.SoftmaxOutput(mx.sym.FullyConnected(x, num_hidden=CLASSES), name="softmax")


def fire(mx: Any, x: Symbol, squeezed: int) -> Symbol:
    x = convolved(mx, x, squeezed, 1)
    return mx.sym.Concat(convolved(mx, x, 4 * squeezed, 1), convolved(mx, x, 4 * squeezed, 3, pad=1), dim=1)


def squeezenet(mx: Any) -> Symbol:
    x = pooled(mx, convolved(mx, mx.sym.Variable("data"), 12, 7, stride=2))
    for widths in ((2, 2, 4), (4, 6, 6, 8)):
        for squeezed in widths:
            x = fire(mx, x, squeezed)
        x = pooled(mx, x)
    x = mx.sym.Dropout(fire(mx, x, 8), p=0.5)
    x = mx.sym.Pooling(convolved(mx, x, CLASSES, 1), kernel=(13, 13), pool_type="avg")
    return mx.sym.SoftmaxOutput(mx.sym.Flatten(x), name="softmax")


def operators(mx: Any) -> Symbol:
    """Return a small network of what the four leave out: every kind of pooling, activation and arithmetic."""
    x = mx.sym.LRN(convolved(mx, mx.sym.Variable("data"), 4, 3, "leaky", stride=2), nsize=3, alpha=0.1, beta=0.6)
    pools = [
        mx.sym.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type=kind, pooling_convention="full", **more)
        for kind, more in (("max", {}), ("avg", {}), ("avg", {"count_include_pad": False}))
    ]
    pools.append(mx.sym.Pooling(x, kernel=(2, 3), stride=(2, 2), pad=(0, 1), pool_type="avg"))
    x = mx.sym.add_n(*pools[:3]) + mx.sym.clip(pools[1], a_min=-0.5, a_max=0.5)
    x = mx.sym.concat(x, mx.sym.Convolution(x, kernel=(3, 3), pad=(2, 2), dilate=(2, 2), num_filter=4, num_group=2))
    branches = [mx.sym.Activation(x, act_type=each) for each in ("sigmoid", "tanh", "softrelu", "softsign")]
    branches += [mx.sym.LeakyReLU(x, act_type=each)[0] for each in ("rrelu", "selu")]
    x = mx.sym.concat(*branches, mx.sym.softmax(x * 2 - 1, axis=1), mx.sym.relu(x) * x / 3 + 1)
    x = mx.sym.reshape(mx.sym.transpose(pooled(mx, x), axes=(0, 2, 3, 1)), shape=(0, -1))
    x = mx.sym.concat(x, mx.sym.flatten(pools[3]))
    x = mx.sym.broadcast_add(
        mx.sym.FullyConnected(x, num_hidden=CLASSES, no_bias=True), mx.sym.Variable("beta", shape=(1, CLASSES))
    )
    return mx.sym.softmax(mx.sym.BlockGrad(mx.sym.identity(x)), name="softmax")


NETWORKS = {each.__name__: each for each in (alexnet, vgg16, resnet50, squeezenet, operators)}


def weights_of(
    mx: Any, names: list[str], shapes: list[tuple[int, ...]], random: np.random.Generator, gain: int
) -> dict[str, Any]:
    """Return random weights: matrices that keep the size of what they multiply, statistics near 0 and 1."""
    weights = {}
    for name, shape in zip(names, shapes, strict=True):
        near_one = name.endswith(("gamma", "moving_var"))
        spread = (gain / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1
        values = random.uniform(0.6, 1.2, shape) if near_one else random.normal(0, spread, shape)
        weights[name] = mx.nd.array(values.astype(np.float32))
    return weights


def save(mx: Any, folder: Path, name: str, seed: int) -> None:
    """Write the files of one network."""
    symbol, side, random = NETWORKS[name](mx), SIDES_PX[name], np.random.default_rng(seed)
    data = {"data": (2, 3, side, side)}
    shapes, _, statistics = symbol.infer_shape(**data)
    learnt = [(key, shape) for key, shape in zip(symbol.list_arguments(), shapes, strict=True)]
    learnt = [(key, shape) for key, shape in learnt if key not in ("data", "softmax_label")]
    gain = 1 if statistics else 2  # where nothing normalises, signals would fade
    arguments = weights_of(mx, [key for key, _ in learnt], [shape for _, shape in learnt], random, gain)
    auxiliary = weights_of(mx, symbol.list_auxiliary_states(), statistics, random, gain)
    mx.model.save_checkpoint(str(folder / name), 0, symbol, arguments, auxiliary)
    coarse = random.integers(0, 256, (2, 3, 6, 6)).repeat(side // 6 + 1, axis=2).repeat(side // 6 + 1, axis=3)
    images = coarse[:, :, :side, :side].astype(np.float32)  # of noise alone, every network says the same
    normalised = (images - np.reshape(MEAN, (1, 3, 1, 1))) / np.reshape(STD, (1, 3, 1, 1))
    answers = []
    for each in (symbol, symbol.get_children()[0]):
        fed = arguments | {"data": mx.nd.array(normalised), "softmax_label": mx.nd.zeros(2)}
        fed = {key: fed[key] for key in each.list_arguments()}
        answers.append(each.bind(mx.cpu(), fed, aux_states=auxiliary, grad_req="null").forward()[0].asnumpy())
    np.savez(folder / f"{name}.npz", images=images, mean=MEAN, std=STD, probabilities=answers[0], logits=answers[1])


def main() -> None:
    mx = import_module("mxnet")
    for seed, name in enumerate(sys.argv[2:]):
        save(mx, Path(sys.argv[1]), name, seed)


if __name__ == "__main__":
    main()
