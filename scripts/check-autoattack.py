#!/usr/bin/env python3
"""Runs the official AutoAttack on the weights of finished runs and compares its verdicts, image by image, with those that
the runs' examples.csv holds.

    scripts/check-autoattack.py --data-dir DIR --out OUT [--examples 200] RUN...

RUN is a folder of `runs` with best.safetensors, run.json and examples.csv; DIR holds its data set's test images in the Hub's layout
(CIFAR-10: parquet) or the original one (MNIST: idx.gz). Writes OUT/<run>.csv (per image, 1: still classified correctly) and
OUT/summary.csv (one line for each such file in OUT). Needs torch, safetensors, for CIFAR-10 pyarrow and pillow, and the official code
(https://github.com/fra31/auto-attack) on PYTHONPATH.
"""

import argparse
import csv
import gzip
import io
import json
import time
from fractions import Fraction
from pathlib import Path

try:
    import numpy as np
    import torch
    from autoattack import AutoAttack
    from safetensors import safe_open
    from torch import nn
    from torch.nn import functional as F
except ImportError as missing:
    raise SystemExit(f"{missing}: this script needs torch, numpy, safetensors and, on PYTHONPATH, the official AutoAttack")

BATCH = 100  # as here


class Block(nn.Module):
    def __init__(self, i, o, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(i, o, 3, stride, 1, bias=False), nn.BatchNorm2d(o)
        self.conv2, self.bn2 = nn.Conv2d(o, o, 3, 1, 1, bias=False), nn.BatchNorm2d(o)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        stride = self.conv1.stride[0]
        if stride > 1:  # option A: every second pixel, padded with zero channels
            pad = (y.shape[1] - x.shape[1]) // 2
            x = F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, pad, pad))
        return F.relu(y + x)


class ResNet(nn.Module):
    """ResNet-6n+2 for CIFAR (He et al. 2016)."""

    def __init__(self, depth):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        widths = [(16, 16, 1), (16, 32, 2), (32, 64, 2)]
        for stage, (i, o, stride) in enumerate(widths, 1):
            rest = [Block(o, o, 1) for _ in range((depth - 2) // 6 - 1)]
            setattr(self, f"layer{stage}", nn.Sequential(Block(i, o, stride), *rest))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def mnist_cnn():
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


class Normalized(nn.Module):
    """Takes pixels in [0, 1]."""

    def __init__(self, network, mean, std):
        super().__init__()
        self.network = network
        self.mean, self.std = (torch.tensor(v).view(1, -1, 1, 1) for v in (mean, std))

    def forward(self, x):
        return self.network((x - self.mean) / self.std)


def network(run):
    with safe_open(run / "best.safetensors", "pt") as file:
        about, state = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}
    arch = about["arch"]
    if arch == "mnist-cnn":
        net = mnist_cnn()
    elif arch.startswith("resnet") and arch != "resnet18":
        net = ResNet(int(arch.removeprefix("resnet")))
    else:
        raise SystemExit(f"{run}: no network {arch} here, only mnist-cnn and CIFAR's resnet8, 20, 32, 44, 56")
    missing, unexpected = net.load_state_dict(state, strict=False)
    lacks = [name for name in missing if not name.endswith("num_batches_tracked")]
    if lacks or unexpected:
        raise SystemExit(f"{run}: weights lack {lacks} and have {unexpected}")
    mean, std = ([float(v) for v in about[key].split(",")] for key in ("mean", "std"))
    return Normalized(net, mean, std).eval()


def found(folder, pattern):
    for path in sorted(folder.rglob(pattern)):
        return path
    raise SystemExit(f"{folder}: no {pattern} in it; name the data set's folder with --data-dir")


def test_images(dataset, folder, count):
    """(N, C, H, W) in [0, 1], and labels."""
    if dataset == "mnist":
        raw = gzip.decompress(found(folder, "t10k-images-idx3-ubyte.gz").read_bytes())
        pixels = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:count]
        raw = gzip.decompress(found(folder, "t10k-labels-idx1-ubyte.gz").read_bytes())
        labels = np.frombuffer(raw, np.uint8, offset=8)[:count]
    elif dataset == "cifar10":
        try:
            from PIL import Image
            from pyarrow import parquet
        except ImportError as missing:
            raise SystemExit(f"{missing}: the images of CIFAR-10 need pillow and pyarrow") from None

        table = parquet.read_table(found(folder, "test-*.parquet")).slice(0, count)
        pictures = [Image.open(io.BytesIO(image["bytes"])) for image in table["img"].to_pylist()]
        pixels = np.stack([np.asarray(picture).transpose(2, 0, 1) for picture in pictures])
        labels = table["label"].to_numpy()
    else:
        raise SystemExit(f"no test images of {dataset} are read here, only of mnist and cifar10")
    # Contiguous, or the official code cannot view its gradients as vectors.
    return torch.from_numpy(pixels.astype(np.float32) / 255).contiguous(), torch.from_numpy(labels.astype(np.int64))


def correct(net, images, labels):
    with torch.no_grad():
        return (net(images).argmax(1) == labels).int().tolist()


def check(run, folder, count, seed):
    """Rows of OUT/<run>.csv, and the seconds of the official attack."""
    config = json.loads((run / "run.json").read_text())["config"]
    with open(run / "examples.csv", newline="") as file:
        here = [row for row in csv.DictReader(file) if row["autoattack"] != ""][:count]
    net = network(run)
    images, labels = test_images(config["dataset"], folder, len(here))
    if [int(row["label"]) for row in here] != labels.tolist():
        raise SystemExit(f"{run}: labels of examples.csv are not those of the images in {folder}")
    clean = correct(net, images, labels)
    other = [row["index"] for row, c in zip(here, clean) if int(row["clean_correct"]) != c]
    if other:
        raise SystemExit(f"{run}: clean predictions of images {', '.join(other)} differ; are these its weights and images?")

    eps = float(Fraction(config["epsilon"]))
    norm = {"linf": "Linf", "l2": "L2"}[config["norm"]]
    began = time.time()
    attack = AutoAttack(net, norm=norm, eps=eps, seed=seed, device="cpu", version="standard")
    adversarial = attack.run_standard_evaluation(images, labels, bs=BATCH)
    seconds = time.time() - began
    official = correct(net, adversarial, labels)
    return seconds, [
        {"index": row["index"], "label": row["label"], "clean": c, "official": o, "here": row["autoattack"]}
        for row, c, o in zip(here, clean, official)
    ]


def summary(out):
    """What each file in `out` says, percent."""
    for path in sorted(out.glob("*.csv")):
        if path.name == "summary.csv":
            continue
        with open(path, newline="") as file:
            rows = list(csv.DictReader(file))

        def percent(column):
            return f"{100 * sum(row[column] == '1' for row in rows) / len(rows):.1f}"

        yield {
            "run": path.stem,
            "images": len(rows),
            "clean": percent("clean"),
            "official": percent("official"),
            "here": percent("here"),
            "same_verdict": sum(row["official"] == row["here"] for row in rows),
            "broken_by_official_only": sum(row["official"] < row["here"] for row in rows),
            "broken_here_only": sum(row["official"] > row["here"] for row in rows),
        }


def write(path, rows):
    """Whole or not at all."""
    text = io.StringIO()
    table = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    part = path.with_suffix(".tmp")
    part.write_text(text.getvalue())
    part.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", metavar="RUN", nargs="+", type=Path)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--examples", default=200, type=int)
    parser.add_argument("--seed", default=0, type=int)
    asked = parser.parse_args()
    for path in (run / name for run in asked.runs for name in ("best.safetensors", "run.json", "examples.csv")):
        if not path.is_file():
            raise SystemExit(f"{path}: not there; a finished run whose weights were kept has it")
    asked.out.mkdir(parents=True, exist_ok=True)
    for run in asked.runs:
        print(run.name)
        seconds, rows = check(run, asked.data_dir, asked.examples, asked.seed)
        write(asked.out / f"{run.name}.csv", rows)
        print(f"{len(rows)} images, {seconds:.0f} s")
    rows = list(summary(asked.out))
    write(asked.out / "summary.csv", rows)
    for row in rows:
        print(", ".join(f"{key} {value}" for key, value in row.items()))


main()
