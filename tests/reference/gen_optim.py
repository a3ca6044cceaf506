#!/usr/bin/python3
"""Reference values of optimizers and batch normalisation from PyTorch, in float64.

Usage: gen_optim.py  (writes tests/optim/optim_values.h and tests/nn/batch_norm_values.h)"""
import os

import torch

torch.set_default_dtype(torch.float64)
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
HEADER = "/* Made by tests/reference/gen_optim.py with PyTorch %s. */\n" % torch.__version__

# The parameters are two tensors, [4] and [3]; loss = sum 0.5 a (p - t)^2 + 0.25 (p - t)^4.
P0 = [0.9, -1.1, 0.3, -0.2, 1.7, 0.05, -0.6]
A = [1.0, 3.0, 0.5, 2.0, 0.1, 4.0, 1.5]
T = [0.0, 0.4, -0.8, 0.25, 0.5, -0.3, 0.7]
STEPS = 20


def array(name, values):
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def train(make, l1=0.0, l2=0.0, clip_norm=0.0, clip_value=0.0):
    p = [torch.tensor(P0[:4], requires_grad=True), torch.tensor(P0[4:], requires_grad=True)]
    a, t = torch.tensor(A), torch.tensor(T)
    optimizer = make(p)
    path = []
    for _ in range(STEPS):
        optimizer.zero_grad()
        flat = torch.cat(p)
        e = flat - t
        loss = (0.5 * a * e**2 + 0.25 * e**4).sum() + l1 * flat.abs().sum() + 0.5 * l2 * (flat**2).sum()
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(p, clip_norm)
        if clip_value:
            torch.nn.utils.clip_grad_value_(p, clip_value)
        optimizer.step()
        path += torch.cat(p).tolist()
    return path


def sgd(**k):
    return lambda p: torch.optim.SGD(p, lr=0.05, **k)


def groups(p):
    """The first tensor with a fifth of the rate, the second with twice the rate."""
    return [{"params": [p[0]], "lr": 0.05 * 0.2}, {"params": [p[1]], "lr": 0.05 * 2}]


def take_turns():
    """Steps of two kinds: one trains both tensors, then two train the second with another loss. Returns both tensors after each
    three, and the norm of the whole gradient, which is clipped, of each first."""
    p = [torch.tensor(P0[:4], requires_grad=True), torch.tensor(P0[4:], requires_grad=True)]
    a, t = torch.tensor(A), torch.tensor(T)
    optimizers = [torch.optim.Adam([q], lr=0.05, betas=(0.9, 0.99), eps=1e-8) for q in p]
    path, norms = [], []
    for _ in range(STEPS):
        for kind in (0, 1, 1):
            for optimizer in optimizers:
                optimizer.zero_grad()
            e = torch.cat(p) - t if kind == 0 else p[1] - t[4:] - 0.25 * p[0].detach().sum()
            (0.5 * (a if kind == 0 else a[4:]) * e**2 + 0.25 * e**4).sum().backward()
            norm = torch.nn.utils.clip_grad_norm_(p if kind == 0 else p[1:], 1.5)
            norms += [norm.item()] if kind == 0 else []
            for optimizer in optimizers[kind:]:
                optimizer.step()
        path += torch.cat(p).tolist()
    return path, norms


CASES = {
    "sgd": train(sgd()),
    "momentum": train(sgd(momentum=0.9)),
    "nesterov": train(sgd(momentum=0.8, nesterov=True)),
    "adam": train(lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.999), eps=1e-8)),
    "adam_eps": train(lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.7, 0.95), eps=1e-2)),
    "adamw": train(lambda p: torch.optim.AdamW(p, lr=0.05, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)),
    "sgd_l1_l2": train(sgd(), l1=0.3, l2=0.2),
    "momentum_weight_decay": train(sgd(momentum=0.9, weight_decay=0.3)),
    "clip_norm": train(sgd(momentum=0.9), clip_norm=0.5, l2=0.1),
    "clip_value": train(sgd(), clip_value=0.4),
    "groups_momentum": train(lambda p: torch.optim.SGD(groups(p), lr=0.05, momentum=0.9)),
    "groups_adam": train(lambda p: torch.optim.Adam(groups(p), betas=(0.9, 0.99), eps=1e-8)),
    "groups_adamw": train(lambda p: torch.optim.AdamW(groups(p), betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)),
    "groups_clip_norm": train(lambda p: torch.optim.SGD(groups(p), lr=0.05, momentum=0.9), clip_norm=0.5, l2=0.1),
}
CASES["turns"], TURNS_NORM = take_turns()


def write_optim():
    with open(os.path.join(TESTS, "optim", "optim_values.h"), "w") as f:
        f.write(HEADER)
        f.write("#ifndef ANN_TESTS_OPTIM_VALUES_H\n#define ANN_TESTS_OPTIM_VALUES_H\n\n/* clang-format off */\n")
        f.write("enum { OPTIM_STEPS = %d, OPTIM_PARAMS = %d, OPTIM_SPLIT = 4 };\n" % (STEPS, len(P0)))
        for name, values in (("optim_start", P0), ("optim_a", A), ("optim_t", T)):
            f.write(array(name, values))
        f.write("\n/* The parameters after each step. */\n")
        for name, path in CASES.items():
            f.write(array("optim_" + name, path))
        f.write("\n/* The norm of the gradient before each step. */\n")
        f.write(array("optim_turns_norm", TURNS_NORM))
        f.write("\n#endif\n")


def write_batch_norm():
    torch.manual_seed(7)
    x = (torch.randn(6, 2, 2, 3) * 1.5 + 0.5).requires_grad_()  # NHWC
    w = torch.randn(6, 2, 2, 3)
    layer = torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.5, 1.25, -2.0]))
        layer.bias.copy_(torch.tensor([0.1, -0.2, 0.3]))
    y = layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    (w * y + 0.5 * y**2).sum().backward()
    after = layer.running_mean.clone(), layer.running_var.clone()
    layer.eval()
    y_eval = layer(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    values = {
        "x": x, "w": w, "gamma": layer.weight, "beta": layer.bias, "y": y, "dx": x.grad,
        "dgamma": layer.weight.grad, "dbeta": layer.bias.grad, "mean": after[0], "var": after[1], "y_eval": y_eval,
    }
    with open(os.path.join(TESTS, "nn", "batch_norm_values.h"), "w") as f:
        f.write(HEADER)
        f.write("#ifndef ANN_TESTS_BATCH_NORM_VALUES_H\n#define ANN_TESTS_BATCH_NORM_VALUES_H\n\n/* clang-format off */\n")
        f.write("/* x [6,2,2,3]; loss = sum w y + y^2 / 2; eps 1e-3, momentum 0.1. */\n")
        for name, value in values.items():
            f.write(array("bn_" + name, value.detach().reshape(-1).tolist()))
        f.write("\n#endif\n")


write_optim()
write_batch_norm()
