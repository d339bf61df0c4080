"""The architectures by name: what each takes, where it comes from, what it is good for. `build` loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from vcam import extras
from vcam.errors import UsageError
from vcam.types import Size


@dataclass(frozen=True, slots=True)
class Architecture:
    """One architecture in one form.

    size: width and height of the picture that it was made for. channels: of the input; a fourth is the mask of the
    frame before, 0..1. outputs: 1, the person's logit, or 2, those of background and person.
    mean, scale: the picture is given as (value - mean) / scale for values 0..255, in `order`.
    parameters: trainable numbers with batch norms folded. halved: its sides have to be multiples of this, as often as
    its maps are halved. `source` and `good_for` are for people.
    `make` builds it; `build` below is the way to call it.
    """

    name: str
    make: Callable[..., Any]
    size: Size
    parameters: int
    source: str
    good_for: str
    channels: int = 3
    outputs: Literal[1, 2] = 1
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (255.0, 255.0, 255.0)
    order: Literal["RGB", "BGR"] = "RGB"
    halved: int = 32

    def build(self, **options: Any) -> Any:
        """A new network, an `nn.Module` with random weights, in training mode.

        options: those of its class, such as `norm=False` for the form without batch norms. Raises `UsageError` if
        PyTorch is not installed.
        """
        try:
            return self.make(**{"size": self.size, **options})
        except ImportError as error:
            raise UsageError(f"networks cannot be built: {error}", extras.command("train")) from error


def _selfie(**options: Any) -> Any:
    from vcam.train.nets.selfie import Selfie

    return Selfie(**options)


def _prisma_net(**options: Any) -> Any:
    from vcam.train.nets.prisma_net import PrismaNet

    return PrismaNet(**options)


def _mobile_unet(**options: Any) -> Any:
    from vcam.train.nets.mobile_unet import MobileUNet

    return MobileUNet(**options)


def _mobile_unet_bilinear(**options: Any) -> Any:
    return _mobile_unet(**{"upsample": "bilinear", **options})


def _slim_net(**options: Any) -> Any:
    from vcam.train.nets.slim_net import SlimNet

    return SlimNet(**options)


def _mobile_unet_v3(**options: Any) -> Any:
    from vcam.train.nets.mobile_unet_v3 import MobileUNetV3

    return MobileUNetV3(**options)


def _mobile_unet_v3_half(**options: Any) -> Any:
    return _mobile_unet_v3(**{"width": 0.5, **options})


def _mobile_unet_v3_256(**options: Any) -> Any:
    from vcam.train.nets.mobile_unet_v3 import MobileUNetV3Transition

    return MobileUNetV3Transition(**options)


def _portrait_net(**options: Any) -> Any:
    from vcam.train.nets.portrait_net import PortraitNet

    return PortraitNet(**options)


def _portrait_net_video(**options: Any) -> Any:
    return _portrait_net(**{"channels": 4, **options})


_MEDIAPIPE = "MediaPipe selfie segmentation, npm @mediapipe/selfie_segmentation (Apache-2.0)"
_PORTRAIT = "https://github.com/anilsathyan7/Portrait-Segmentation (MIT)"
_V2 = "MobileNetV2, https://arxiv.org/abs/1801.04381"
_V3 = "MobileNetV3, https://arxiv.org/abs/1905.02244"
_PORTRAIT_NET = "PortraitNet, https://doi.org/10.1016/j.cag.2019.03.007, https://github.com/dong-x16/PortraitNet"
_CAFFE = (103.94, 116.78, 123.68)

ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture("selfie", _selfie, (256, 256), 106_401, _MEDIAPIPE,
                     "a webcam on a CPU: the least work, and the network that vcam ships", halved=16),
        Architecture("selfie-landscape", _selfie, (256, 144), 106_401, _MEDIAPIPE,
                     "the same for pictures of 16:9, at half the work", halved=16),
        Architecture("prisma-net", _prisma_net, (256, 256), 923_057, f"{_PORTRAIT}, prisma_segmentation.ipynb",
                     "finer edges than selfie without a pretrained encoder; several times the work"),
        Architecture("mobile-unet", _mobile_unet, (128, 128), 3_620_617, f"{_PORTRAIT}, train.py; {_V2}",
                     "a start from ImageNet weights, and INT8: wide convolutions and ReLU6 gain from it"),
        Architecture("mobile-unet-bilinear", _mobile_unet_bilinear, (128, 128), 3_620_617,
                     f"{_PORTRAIT}, train.py; {_V2}",
                     "the same without the checkerboard that transposed convolutions can leave"),
        Architecture("slim-net", _slim_net, (512, 512), 347_570, f"{_PORTRAIT}, slim512.ipynb",
                     "hair and fingers: the whole 512x512, with few parameters", outputs=2),
        Architecture("mobile-unet-v3", _mobile_unet_v3, (224, 224), 2_552_241,
                     f"{_PORTRAIT}, portrait_segmentation_v3.ipynb; {_V3}",
                     "phones: only operators that every accelerator has"),
        Architecture("mobile-unet-v3-half", _mobile_unet_v3_half, (224, 224), 1_192_213,
                     f"{_PORTRAIT}, portrait_segmentation_v3.ipynb; {_V3}", "the same at width 0.5"),
        Architecture("mobile-unet-v3-256", _mobile_unet_v3_256, (256, 256), 940_122,
                     f"{_PORTRAIT}, MobilenetV3/mnv3seg_tfsource.ipynb; {_V3}",
                     "phones and quantisation: additive skips, no transposed convolutions",
                     outputs=2, mean=(127.5, 127.5, 127.5), scale=(127.5, 127.5, 127.5)),
        Architecture("portrait-net", _portrait_net, (224, 224), 2_063_760, _PORTRAIT_NET,
                     "sharp outlines: its boundary head and its consistency loss were made for them",
                     outputs=2, mean=_CAFFE, scale=(1 / 0.017,) * 3, order="BGR"),
        Architecture("portrait-net-video", _portrait_net_video, (224, 224), 2_064_048, _PORTRAIT_NET,
                     "films and webcams: it sees the mask of the frame before", channels=4,
                     outputs=2, mean=_CAFFE, scale=(1 / 0.017,) * 3, order="BGR"),
    )
}  # fmt: skip
"""In the order in which they are offered."""


def architecture(name: str) -> Architecture:
    """The one of that name. Raises `UsageError` if there is none, with the names that there are."""
    if name not in ARCHITECTURES:
        raise UsageError(f"there is no architecture {name}", f"choose {', '.join(ARCHITECTURES)}")
    return ARCHITECTURES[name]
