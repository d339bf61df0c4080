"""Networks of other projects run through their cards alone."""

from __future__ import annotations

import numpy as np
import pytest

from tests.segment.helpers import as_input, card_of, iou, network_on, portraits

pytestmark = pytest.mark.engine

UNIT = "mean = [127.5, 127.5, 127.5]\nscale = [127.5, 127.5, 127.5]"
RVM_STATES = "".join(
    f'[[states]]\ninput = "r{n}i:0"\noutput = "Identity_{n + 1}:0"\nshape = [1, {side}, {side}, {depth}]\n'
    for n, (side, depth) in enumerate(((256, 16), (128, 20), (64, 40), (32, 64)), start=1)
)
NETWORKS = {
    "nhwc-two-channels": (
        "seed_mnv3_seg_float.tflite",
        f'layout = "NHWC"\nsize = [256, 256]\n{UNIT}',
        'form = "two-channel"\nlayout = "NHWC"\nsize = [256, 256]',
        "",
    ),
    "flat-output": (
        "seed_bilinear_fin_munet_uint8.tflite",
        'layout = "NHWC"\nsize = [128, 128]',
        'form = "probability"\nsize = [128, 128]',
        "",
    ),
    "any-batch-size": (
        "seed_prisma_nchw.onnx",
        'layout = "NCHW"\nsize = [256, 256]',
        'form = "probability"\nsize = [256, 256]',
        "",
    ),
    "two-logits": (
        "seed_deeplab_nchw.onnx",
        f'layout = "NCHW"\nsize = [513, 513]\n{UNIT}',
        'form = "softmax"\nsize = [513, 513]',
        "",
    ),
    "class-logits": (
        "deeplabv3_257_mv_gpu.tflite",
        f'layout = "NHWC"\nsize = [257, 257]\n{UNIT}',
        'form = "classes"\nchannels = 21\nperson = 15\nlayout = "NHWC"\nsize = [257, 257]',
        "",
    ),
    "class-numbers": (
        "seed_deeplab_frozen_inference_graph.pb",
        'layout = "NHWC"\nsize = [513, 513]\nscale = [1, 1, 1]',
        'form = "class-index"\nsize = [513, 513]\nname = "SemanticPredictions:0"',
        "",
    ),
    "one-logit": (
        "body-pix-float-050-8.tflite",
        f'layout = "NHWC"\nsize = [257, 257]\n{UNIT}',
        'form = "logits"\nsize = [33, 33]',
        "",
    ),
    "bgr-mean-and-deviation": (
        "seed_SINet_Softmax.onnx",
        'layout = "NCHW"\nsize = [320, 320]\nchannels = "BGR"\nmean = [102.890434, 111.25247, 126.91212]\n'
        f"scale = [{62.93292 * 255}, {62.82138 * 255}, {66.355705 * 255}]",
        'form = "two-channel"\nsize = [320, 320]',
        "",
    ),
    "recurrent-states": (
        "rvm_mnv3_512x512_d1.onnx",
        'layout = "NCHW"\nsize = [512, 512]\nname = "src:0"',
        'form = "probability"\nsize = [512, 512]\nname = "Identity_1:0"',
        RVM_STATES,
    ),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_card_is_enough_to_find_the_person(kind, shared, tmp_path):
    file, input_, output, states = NETWORKS[kind]
    network = shared / "models" / file
    if not network.exists():
        pytest.skip(f"no network at {network}")
    card = card_of(tmp_path, network, input_=input_, output=output, states=states)
    finder = network_on("openvino", card, tmp_path)
    second = network_on("onnxruntime", card, tmp_path) if network.suffix == ".onnx" else None
    overlaps = []
    for picture, mask in portraits(shared, 2):
        finder.reset()
        seen = as_input(picture, card)
        # a recurrent network needs a frame or two to settle
        for _ in range(2 if states else 1):
            probability = finder.find(seen)
        overlaps.append(iou(probability, mask))
        if second and len(overlaps) == 1:
            for _ in range(2 if states else 1):
                other = second.find(seen)
            assert np.abs(probability - other).max() < 5e-3
    assert min(overlaps) > 0.7, overlaps


def test_states_carry_over_and_reset_forgets_them(shared, tmp_path):
    file, input_, output, states = NETWORKS["recurrent-states"]
    network = shared / "models" / file
    if not network.exists():
        pytest.skip(f"no network at {network}")
    card = card_of(tmp_path, network, input_=input_, output=output, states=states)
    finder = network_on("openvino", card, tmp_path)
    (picture, _), *_ = portraits(shared, 1)
    seen = as_input(picture, card)
    first = finder.find(seen).copy()
    second = finder.find(seen).copy()
    finder.reset()
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_array_equal(finder.find(seen), first)
