"""How the files beside this one were made, by the frameworks themselves; neither is needed to run the tests.

    pip install tensorflow-cpu; python tests/models/forms/make.py tensorflow
    pip install 'paddlepaddle==2.6.2' 'numpy<2'; python tests/models/forms/make.py paddle

Each network is the mean of the three channels of a picture of 64x64, steep about 0.5. Where in which file of a machine
each operator came from is taken out.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def tensorflow() -> None:
    """A SavedModel."""
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self) -> None:
            self.weight = tf.Variable(np.full((1, 1, 3, 1), 1 / 3, np.float32))

        @tf.function(input_signature=[tf.TensorSpec([1, 64, 64, 3], tf.float32, name="picture")])
        def __call__(self, picture: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"mask": tf.sigmoid(8 * tf.nn.conv2d(picture, self.weight, 1, "SAME") - 4)}

    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(Net(), scratch, options=tf.saved_model.SaveOptions(save_debug_info=False))
        for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
            target = HERE / "saved" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(Path(scratch, name), target)


def paddle() -> None:
    """Paddle's network, as version 2 writes it; version 3 does so with FLAGS_enable_pir_api=0."""
    import paddle as framework
    from paddle.base.proto import framework_pb2

    class Net(framework.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.mean = framework.nn.Conv2D(3, 1, 1, bias_attr=False)
            self.squash = framework.nn.Sigmoid()
            self.mean.weight.set_value(np.full((1, 3, 1, 1), 1 / 3, "float32"))

        # Paddle compiles the text of this function elsewhere: it knows no names but its own
        def forward(self, picture):
            return self.squash(8 * self.mean(picture) - 4)

    net = Net()
    net.eval()
    with tempfile.TemporaryDirectory() as scratch:
        spec = framework.static.InputSpec([1, 3, 64, 64], "float32", "picture")
        framework.jit.save(net, f"{scratch}/mean", input_spec=[spec])
        program = framework_pb2.ProgramDesc.FromString(Path(scratch, "mean.pdmodel").read_bytes())
        for block in program.blocks:
            for operator in block.ops:
                kept = [each for each in operator.attrs if each.name != "op_callstack"]
                del operator.attrs[:]
                operator.attrs.extend(kept)
        (HERE / "mean.pdmodel").write_bytes(program.SerializeToString())
        shutil.copy(Path(scratch, "mean.pdiparams"), HERE / "mean.pdiparams")


if __name__ == "__main__":
    {"tensorflow": tensorflow, "paddle": paddle}[sys.argv[1]]()
