"""From MXNet's operators to ONNX: by the numbers MXNet itself gave, by hand where they are few, refused elsewhere."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from crystal_search.errors import ModelError
from crystal_search.inference import onnx_runtime
from crystal_search.old_weights.mxnet_graph import Reading, classifier_from_mxnet
from crystal_search.old_weights.mxnet_operators import BUILDERS
from crystal_search.old_weights.mxnet_params import read_params
from crystal_search.old_weights.mxnet_symbol import read_symbol
from tests.unit.old_weights_files import Arrays, SymbolFile

GOLDEN = Path(__file__).parents[1] / "golden" / "old-weights"
READING = Reading(side_px=2, class_positions=(0, 1))
Images = NDArray[np.float32]


def answer(onnx: bytes, images: Images) -> NDArray[np.float32]:
    session = onnx_runtime().InferenceSession(onnx, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"images": images})[0])


def image(*values: float) -> Images:
    """Return one image of 1 channel, 2 x 2 px."""
    return np.array(values, dtype=np.float32).reshape(1, 1, 2, 2)


def two_classes(build: Callable[[SymbolFile, int], int], weights: Arrays, reading: Reading = READING) -> bytes:
    """Return a network of one grey channel, unchanged by its first convolution, then what `build` adds, then two sums.

    The first class is the sum of what is left, the second its negative.
    """
    file = SymbolFile()
    kernel = file.variable("first_weight")
    data = file.variable("data")
    x = file.add("Convolution", "first", data, kernel, kernel="(1, 1)", num_filter="1", no_bias="True")
    x = file.add("Flatten", "flat", build(file, x))
    x = file.add("FullyConnected", "last", x, file.variable("last_weight"), num_hidden="2", no_bias="True")
    file.add("SoftmaxOutput", "softmax", x, file.variable("softmax_label"), grad_scale="1")
    ones = np.ones((2, weights.pop("count")[0]), dtype=np.float32) * [[1], [-1]]
    params = weights | {"first_weight": np.full((1, 1, 1, 1), 1 / 255), "last_weight": ones}
    return classifier_from_mxnet(read_symbol(file.text()), params, reading)[0]


def summed(
    build: Callable[[SymbolFile, int], int], values: Images, weights: Arrays | None = None, *, count: int = 4
) -> float:
    weights = weights or {}
    maps = answer(two_classes(build, weights | {"count": np.array([count])}), values)
    assert maps.shape == (1, 2, 1, 1)
    assert maps[0, 1, 0, 0] == pytest.approx(-maps[0, 0, 0, 0])
    return float(maps[0, 0, 0, 0])


def test_operators_answer_as_mxnet_does() -> None:
    stored = np.load(GOLDEN / "operators.npz")
    reading = Reading(
        side_px=17,
        class_positions=tuple(range(13)),
        mean=tuple(stored["mean"]),
        std=tuple(stored["std"]),
    )
    symbol = read_symbol((GOLDEN / "operators-symbol.json").read_bytes())
    params = read_params((GOLDEN / "operators-0000.params").read_bytes())
    for order in ((0, 1, 2), (2, 1, 0)):
        reading = replace(reading, channel_order="rgb" if order[0] == 0 else "bgr")
        onnx, channels = classifier_from_mxnet(symbol, params, reading)
        maps = answer(onnx, stored["images"][:, order] / np.float32(255))
        assert (channels, maps.shape) == (3, (2, 13, 1, 1))
        np.testing.assert_allclose(maps[:, :, 0, 0], stored["logits"], rtol=0, atol=1e-4)


def test_gamma_is_1_unless_it_is_said_not_to_be_fixed() -> None:
    names = ("gamma", "beta", "mean", "var")
    statistics = dict(zip(names, (np.array([each]) for each in (10.0, 1.0, 0.5, 4.0 - 1e-3)), strict=True))

    def normalised(**attributes: str) -> Callable[[SymbolFile, int], int]:
        return lambda file, x: file.add("BatchNorm", "bn", x, *(file.variable(name) for name in names), **attributes)

    values = image(0.5, 2.5, 0.5, 2.5)  # (x - 0.5) / 2 is 0, 1, 0, 1
    assert summed(normalised(), values, statistics) == pytest.approx(2 + 4, abs=1e-5)
    assert summed(normalised(fix_gamma="False"), values, statistics) == pytest.approx(20 + 4, abs=1e-4)


@pytest.mark.parametrize(
    ("attributes", "values", "expected"),
    [
        ({"act_type": "elu"}, (-1, 0, 1, 2), 3 + 0.25 * (np.exp(-1) - 1)),
        ({"act_type": "elu", "slope": "1.0"}, (-1, 0, 1, 2), 3 + np.exp(-1) - 1),
        ({}, (-4, 0, 1, 2), 2),
        ({"act_type": "rrelu"}, (-1, 0, 0, 0), -(0.125 + 0.334) / 2),
    ],
)
def test_leaky_units_leak_as_much_as_they_say(
    attributes: dict[str, str], values: tuple[float, ...], expected: float
) -> None:
    assert summed(lambda file, x: file.add("LeakyReLU", "act", x, **attributes), image(*values)) == pytest.approx(
        expected
    )


def test_a_learnt_slope_is_of_its_channel() -> None:
    def learnt(file: SymbolFile, x: int) -> int:
        return file.add("LeakyReLU", "act", x, file.variable("gamma"), act_type="prelu")

    assert summed(learnt, image(-1, -2, 1, 0), {"gamma": np.array([0.5])}) == pytest.approx(-0.5)


def test_sizes_round_up_only_where_the_pooling_is_full() -> None:
    def pooled(**attributes: str) -> Callable[[SymbolFile, int], int]:
        return lambda file, x: file.add("Pooling", "pool", x, kernel="(1, 1)", stride="(2, 2)", **attributes)

    # A kernel of 1 at stride 2 on 2 px: 1 window when sizes round down, 2 when they round up, of nothing but padding.
    assert summed(pooled(pool_type="max"), image(1, 2, 3, 4), count=1) == pytest.approx(1)
    with pytest.raises(ModelError, match=r"Pooling 'pool': its last windows would lie outside"):
        summed(pooled(pool_type="max", pooling_convention="full"), image(1, 2, 3, 4), count=1)


def test_padding_counts_in_an_average_unless_it_is_said_not_to() -> None:
    def pooled(**attributes: str) -> Callable[[SymbolFile, int], int]:
        return lambda file, x: file.add(
            "Pooling", "pool", x, kernel="(2, 2)", stride="(2, 2)", pad="(1, 1)", pool_type="avg", **attributes
        )

    values = image(4, 8, 12, 16)  # each in a window of its own, with three zeros
    assert summed(pooled(), values) == pytest.approx(10)
    assert summed(pooled(count_include_pad="False"), values) == pytest.approx(40)


def test_classes_come_out_in_our_order() -> None:
    network = two_classes(lambda file, x: x, {"count": np.array([4])}, replace(READING, class_positions=(1, 0)))
    assert answer(network, image(1, 1, 1, 1))[0, :, 0, 0].tolist() == pytest.approx([-4, 4])


def test_the_images_mean_and_deviation_are_in_the_network() -> None:
    reading = replace(READING, mean=(51.0,), std=(2.0,))
    network = two_classes(lambda file, x: x, {"count": np.array([4])}, reading)
    # The network's first weight is 1 / 255: (255 x - 51) / 2 / 255.
    assert answer(network, image(1, 1, 0.2, 0.2))[0, 0, 0, 0] == pytest.approx(0.8)


def refusal(build: Callable[[SymbolFile, int], int], count: int = 4, reading: Reading = READING) -> str:
    with pytest.raises(ModelError) as caught:
        two_classes(build, {"count": np.array([count])}, reading)
    return str(caught.value)


def test_what_is_unknown_is_refused_and_the_known_is_listed() -> None:
    message = refusal(lambda file, x: file.add("Deconvolution", "up", x))
    assert message.startswith("Deconvolution 'up': this operator is unknown; known are ")
    assert all(name in message for name in BUILDERS)


def test_a_message_names_the_operator_and_says_what_to_do() -> None:
    assert refusal(lambda file, x: x, count=9) == (
        "FullyConnected 'last': expects 9 numbers, gets 4; give the --side it was trained with"
    )
    assert "weights 1 have shape (1, 1, 1, 1), expected (any)" in refusal(
        lambda file, x: file.add("LeakyReLU", "act", x, 0, act_type="prelu")
    )
    assert "unknown attribute new" in refusal(lambda file, x: file.add("relu", "r", x, new="1"))
    assert "Concat 'c': axis 0 is none of shape" in refusal(lambda file, x: file.add("Concat", "c", x, dim="0"))
    assert "input 1 is missing" in refusal(lambda file, x: file.add("elemwise_add", "sum", x))
    assert "Do both files belong together" in refusal(lambda file, x: file.add("_plus", "p", x, file.variable("w")))
    assert "Pooling 'p': MaxPool: windows of 5 do not fit" in refusal(
        lambda file, x: file.add("Pooling", "p", x, kernel="(5, 5)")
    )
    three = replace(READING, class_positions=(0, 1, 2))
    assert "the class list has 3 names" in refusal(lambda file, x: x, reading=three)
    assert "--mean has 3 numbers, the network reads 1" in refusal(
        lambda file, x: x, reading=replace(READING, mean=(1.0, 2.0, 3.0))
    )


def test_a_network_without_convolutions_is_no_classifier_of_images() -> None:
    file = SymbolFile()
    file.add("relu", "act", file.variable("data"))
    with pytest.raises(ModelError, match=r"first convolution must read 1 or 3 channels"):
        classifier_from_mxnet(read_symbol(file.text()), {}, READING)


def test_every_known_operator_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "old-weights.md").read_text(encoding="utf-8")
    assert [name for name in BUILDERS if f"`{name}`" not in page] == []
