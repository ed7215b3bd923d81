"""PyTorch without Keras, eager or under torch.compile: fused Adam, channels-last images, rows shuffled in memory."""

from __future__ import annotations

import time

import numpy as np
from engine_jax import data_of
from loops import Epochs


def networks(torch):
    """{workload: (function that makes its network, loss function)}."""
    nn, functional = torch.nn, torch.nn.functional

    class Residual(nn.Module):
        def __init__(self, before, filters, strides):
            super().__init__()
            self.main = nn.Sequential(*normalized(before, filters, 3, strides), nn.ReLU(), *normalized(filters, filters, 3, 1))
            self.shortcut = nn.Identity() if strides == 1 else nn.Sequential(*normalized(before, filters, 1, strides))

        def forward(self, x):
            return functional.relu(self.main(x) + self.shortcut(x))

    class Mean(nn.Module):
        def forward(self, x):
            return x.mean((2, 3))

    def normalized(before, filters, size, strides, groups=1):
        return [nn.Conv2d(before, filters, size, strides, size // 2, groups=groups, bias=False), nn.BatchNorm2d(filters)]

    def tabular():
        return nn.Sequential(nn.Linear(13, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))

    def mlp():
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(512, 10))

    def cnn():
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(64, 64, 3),
            nn.ReLU(), nn.Flatten(), nn.Linear(576, 64), nn.ReLU(), nn.Linear(64, 10))

    def resnet20():
        blocks, before = [], 16
        for filters, first in ((16, 1), (32, 2), (64, 2)):
            for strides in (first, 1, 1):
                blocks.append(Residual(before, filters, strides))
                before = filters
        return nn.Sequential(*normalized(3, 16, 3, 1), nn.ReLU(), *blocks, Mean(), nn.Linear(64, 10))

    def autoencoder():
        return nn.Sequential(
            nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(3136, 16), nn.ReLU(),
            nn.Linear(16, 3136), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)), nn.ConvTranspose2d(64, 32, 3, 2, 1, output_padding=1), nn.ReLU(),
            nn.ConvTranspose2d(32, 1, 3, 2, 1, output_padding=1))

    def depthwise():
        parts, before = [*normalized(3, 32, 3, 1), nn.ReLU6()], 32
        for filters, strides in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1)):
            parts += [*normalized(before, before, 3, strides, before), nn.ReLU6(), *normalized(before, filters, 1, 1), nn.ReLU6()]
            before = filters
        parts += [nn.Conv2d(256, 256, 3, 1, 1, groups=256, bias=False), *normalized(256, 256, 1, 1), nn.ReLU6()]
        return nn.Sequential(*parts, Mean(), nn.Linear(256, 10))

    classes = functional.cross_entropy
    return {"tabular": (tabular, functional.mse_loss), "mlp": (mlp, classes), "mlp_b512": (mlp, classes), "cnn_b32": (cnn, classes),
            "cnn_b128": (cnn, classes), "resnet20": (resnet20, classes), "depthwise": (depthwise, classes),
            "autoencoder": (autoencoder, functional.binary_cross_entropy_with_logits)}


def session(engine: str, name: str):
    started = time.perf_counter()
    import torch
    imported = time.perf_counter()
    written = networks(torch)
    if name not in written:
        raise SystemExit(f"{engine} has no {name}; it has {', '.join(written)}")
    torch.manual_seed(0)
    make, loss_of = written[name]
    net = make().train()
    if any(isinstance(part, torch.nn.Conv2d) for part in net.modules()):
        net = net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7, fused=True)
    classifies = loss_of is torch.nn.functional.cross_entropy

    def forward(x, y):
        out = net(x)
        return loss_of(out, y), (out.argmax(1) == y).sum() if classifies else None
    run = torch.compile(forward) if engine == "torch-compile" else forward

    def prepare(x, y):
        """Channels-last arrays are channels-last tensors under another order of axes: nothing is copied."""
        x, y = (torch.from_numpy(np.ascontiguousarray(a)) for a in (x, y))
        x, y = (a.permute(0, 3, 1, 2) if a.ndim == 4 else a for a in (x, y))
        return x, y.long() if classifies else y

    def epoch(x, y, batch) -> float:
        order = torch.randperm(len(x))
        total, hits = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        for start in range(0, len(x), batch):
            rows = order[start:start + batch]
            loss, hit = run(x[rows], y[rows])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            if classifies:
                hits += hit
        return float(total)
    return Epochs(epoch, *data_of(name), {"import_s": imported - started, "build_s": time.perf_counter() - imported}, prepare)
