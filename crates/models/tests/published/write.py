"""Writes the golden values beside this file: the networks that published code builds, in PyTorch, from what is
known of each (order of the operations, names of the parts), written independently of this project's networks.

    python write.py

Weights are a formula of a tensor's name and an element's position, which the tests know too, so a file holds names,
shapes and logits only. A file of a network that this project cannot run holds no logits.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

IMAGES = 3
FILLED = ["weight", "bias", "running_mean", "running_var"]
MEAN, STD = [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]


def draws(name, count):
    """Numbers in [-1, 1) that depend on `name` and the position: FNV-1a, then a mixer of 32 bits."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) % 2**32
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + seed) % 2**32
    x ^= x >> 16
    x = x * 2246822507 % 2**32
    x ^= x >> 13
    x = x * 3266489909 % 2**32
    x ^= x >> 16
    return x / 2.0**31 - 1


def filled(name, shape):
    u = draws(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        u = 1 + u / 2
    elif len(shape) > 1:
        u *= (3 / np.prod(shape[1:])) ** 0.5
    elif name.endswith("weight"):
        u = 1 + u / 4
    else:
        u /= 4
    return torch.tensor(u.reshape(shape), dtype=torch.float32)


def conv(i, o, size=3, stride=1, padding=None):
    return nn.Conv2d(i, o, size, stride, size // 2 if padding is None else padding, bias=False)


class PostAct(nn.Module):
    """A basic block: activation last."""

    def __init__(self, i, o, stride, shortcut):
        super().__init__()
        self.conv1, self.bn1 = conv(i, o, 3, stride), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = conv(o, o), nn.BatchNorm2d(o)
        self.around = shortcut
        if stride != 1 or i != o:
            setattr(self, shortcut, nn.Sequential(conv(i, o, 1, stride), nn.BatchNorm2d(o)))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (getattr(self, self.around)(x) if hasattr(self, self.around) else x))


class PreAct(nn.Module):
    """A basic block: activation first; `raw`: the shortcut convolution reads what comes in."""

    def __init__(self, i, o, stride, raw):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv(i, o, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv(o, o)
        self.raw = raw
        if stride != 1 or i != o:
            self.shortcut = nn.Sequential(conv(i, o, 1, stride))

    def forward(self, x):
        a = F.relu(self.bn1(x))
        around = self.shortcut(x if self.raw else a) if hasattr(self, "shortcut") else x
        return self.conv2(F.relu(self.bn2(self.conv1(a)))) + around


class Eighteen(nn.Module):
    """Two blocks in each of four stages."""

    def __init__(self, block, linear, first=None, last=None):
        super().__init__()
        self.names = first, last, linear
        self.conv1 = conv(3, 64)
        if first:
            self.add_module(first, nn.BatchNorm2d(64))
        i = 64
        for stage, o in enumerate([64, 128, 256, 512]):
            stride = 1 if stage == 0 else 2
            self.add_module(f"layer{stage + 1}", nn.Sequential(block(i, o, stride), block(o, o, 1)))
            i = o
        if last:
            self.add_module(last, nn.BatchNorm2d(512))
        self.add_module(linear, nn.Linear(512, 10))

    def forward(self, x):
        first, last, linear = self.names
        x = self.conv1(x)
        if first:
            x = F.relu(getattr(self, first)(x))
        for stage in range(4):
            x = getattr(self, f"layer{stage + 1}")(x)
        if last:
            x = F.relu(getattr(self, last)(x))
        return getattr(self, linear)(x.mean((2, 3)))


class WideBlock(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(i), conv(i, o, 3, stride)
        self.bn2, self.conv2 = nn.BatchNorm2d(o), conv(o, o)
        if i != o:
            self.convShortcut = conv(i, o, 1, stride)

    def forward(self, x):
        a = F.relu(self.bn1(x))
        around = self.convShortcut(a) if hasattr(self, "convShortcut") else x
        return around + self.conv2(F.relu(self.bn2(self.conv1(a))))


class Layer(nn.Module):
    def __init__(self, i, o, stride, blocks):
        super().__init__()
        self.layer = nn.Sequential(WideBlock(i, o, stride), *[WideBlock(o, o, 1) for _ in range(blocks - 1)])

    def forward(self, x):
        return self.layer(x)


class Wide(nn.Module):
    """TRADES' network; `unused`: with the block it makes and never runs; `cosine`: unit features and weights."""

    def __init__(self, depth, widen, unused=False, cosine=False):
        super().__init__()
        n, k = (depth - 4) // 6, widen
        self.cosine = cosine
        self.conv1 = conv(3, 16)
        self.block1 = Layer(16, 16 * k, 1, n)
        if unused:
            self.sub_block1 = Layer(16, 16 * k, 1, n)
        self.block2, self.block3 = Layer(16 * k, 32 * k, 2, n), Layer(32 * k, 64 * k, 2, n)
        self.bn1, self.fc = nn.BatchNorm2d(64 * k), nn.Linear(64 * k, 10, bias=not cosine)

    def forward(self, x):
        x = self.block3(self.block2(self.block1(self.conv1(x))))
        x = F.relu(self.bn1(x)).mean((2, 3))
        return F.normalize(x) @ F.normalize(self.fc.weight).T if self.cosine else self.fc(x)


class DeepMindBlock(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.batchnorm_0, self.conv_0 = nn.BatchNorm2d(i), conv(i, o, padding=0)
        self.batchnorm_1, self.conv_1 = nn.BatchNorm2d(o), conv(o, o)
        if i != o:
            self.shortcut = conv(i, o, 1)


class DeepMindGroup(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.block = nn.Sequential(DeepMindBlock(i, o))


class DeepMind(nn.Module):
    """Names only: this project cannot run it."""

    def __init__(self):
        super().__init__()
        self.init_conv = conv(3, 16)
        self.layer = nn.Sequential(DeepMindGroup(16, 16), DeepMindGroup(16, 32), DeepMindGroup(32, 64))
        self.batchnorm, self.logits = nn.BatchNorm2d(64), nn.Linear(64, 10)


class Normalize(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.names = [mean, std]
        self.register_buffer(mean, torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer(std, torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x):
        mean, std = self.names
        return (x - getattr(self, mean)) / getattr(self, std)


class Normalized(Normalize):
    """A network that normalises by buffers of its own."""

    def __init__(self, net, mean, std):
        super().__init__(mean, std)
        self.model = net

    def forward(self, x):
        return self.model(super().forward(x))


class Robustness(nn.Module):
    """MadryLab's wrapper: the network, its normalisation, and an attack that holds both once more."""

    def __init__(self, net):
        super().__init__()
        self.normalizer = Normalize("new_mean", "new_std")
        self.model = net
        self.attacker = nn.ModuleDict({"normalize": Normalize("new_mean", "new_std"), "model": net})

    def forward(self, x):
        return self.model(self.normalizer(x))


def resnet18(shortcut, linear):
    return Eighteen(lambda i, o, s: PostAct(i, o, s, shortcut), linear, first="bn1")


def preact18(raw, last):
    return Eighteen(lambda i, o, s: PreAct(i, o, s, raw), "linear", last=last)


CASES = {
    "trades": ("wrn-10-2", nn.ModuleDict({"module": Wide(10, 2, unused=True)})),
    "awp": ("wrn-16-1", Wide(16, 1)),
    "boosting": ("wrn-10-1 cosine-1", Wide(10, 1, unused=True, cosine=True)),
    "pytorch-cifar": ("resnet18", resnet18("shortcut", "linear")),
    "robustness": ("resnet18", nn.ModuleDict({"module": Robustness(resnet18("shortcut", "linear"))})),
    "torchvision": ("resnet18", nn.Sequential(Normalize("mean", "std"), resnet18("downsample", "fc"))),
    "robust-overfitting": ("preact-resnet18", Normalized(preact18(False, "bn"), "mu", "sigma")),
    "fast-adversarial": ("preact-resnet18-fast", Normalized(preact18(True, None), "mean", "std")),
    "deepmind": ("wrn-10-1", DeepMind()),
}


def main():
    x = torch.tensor((draws("images", IMAGES * 3 * 32 * 32) / 2 + 0.5).reshape(IMAGES, 3, 32, 32), dtype=torch.float32)
    for case, (arch, net) in CASES.items():
        state = net.state_dict()
        for name, tensor in state.items():
            # Not a normalisation, nor the copy of the network that an attack holds.
            if name.split(".")[-1] in FILLED and ".attacker." not in name:
                tensor.copy_(filled(name, tensor.shape))
        net.eval()
        lines = [arch]
        lines += [" ".join([name, *map(str, tensor.shape)]) for name, tensor in state.items()]
        if case != "deepmind":
            with torch.no_grad():
                run = net["module"] if isinstance(net, nn.ModuleDict) else net
                logits = run(x).tolist()
            lines += ["= " + " ".join(f"{value:.6f}" for value in row) for row in logits]
        Path(__file__).with_name(f"{case}.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
