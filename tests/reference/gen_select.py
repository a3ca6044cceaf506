#!/usr/bin/python3
"""Reference values of the criteria of src/method/select.h from numpy and PyTorch, in float64.

Usage: gen_select.py  (writes tests/method/select_values.h)"""
import numpy as np
import torch

from reference import doubles, number, table, write

torch.set_default_dtype(torch.float64)
N_SOURCE, N_TARGET, N_VALIDATION, CLASSES, WIDTH, L2 = 70, 60, 40, 5, 4, 1e-3


def float32(x):
    return x.astype(np.float32).astype(np.float64)


logits = torch.tensor(float32(8 * table(0, N_TARGET, CLASSES)))
target = float32(table(1000, N_TARGET, WIDTH) + 0.25)
source = float32(2 * table(2000, N_SOURCE, WIDTH))
held_logits = torch.tensor(float32(8 * table(3000, N_VALIDATION, CLASSES)))
held = float32(2 * table(4000, N_VALIDATION, WIDTH))
label = torch.arange(N_VALIDATION) % CLASSES

p = logits.softmax(1)
entropy = torch.distributions.Categorical(probs=p).entropy().mean()
information = torch.distributions.Categorical(probs=p.mean(0)).entropy() - entropy

similarity = torch.nn.functional.normalize(p) @ torch.nn.functional.normalize(p).T / 0.05
similarity = similarity[~torch.eye(N_TARGET, dtype=torch.bool)].view(N_TARGET, N_TARGET - 1)
density = torch.distributions.Categorical(logits=similarity).entropy().mean()

# ---- DEV: a logistic regression by Newton's method, then numpy's covariances ----

both = np.concatenate([source, target])
mean, deviation = both.mean(0), both.std(0)


def with_one(x):
    return torch.tensor(np.c_[(x - mean) / deviation, np.ones(len(x))])


x = with_one(both)
is_target = torch.tensor(np.r_[np.zeros(N_SOURCE), np.ones(N_TARGET)])


def loss(v):
    return torch.nn.functional.binary_cross_entropy_with_logits(x @ v, is_target) + L2 / 2 * (v[:-1] ** 2).sum()


v = torch.zeros(WIDTH + 1, requires_grad=True)
for _ in range(20):
    (gradient,) = torch.autograd.grad(loss(v), v)
    hessian = torch.autograd.functional.hessian(loss, v)
    v = (v - torch.linalg.solve(hessian, gradient)).detach().requires_grad_()
assert gradient.abs().max() < 1e-14


def risk(v):
    w = N_SOURCE / N_TARGET * torch.exp(with_one(held) @ v)
    weighted = w * torch.nn.functional.cross_entropy(held_logits, label, reduction="none")
    covariance = torch.cov(torch.stack([weighted, w]))
    eta = -covariance[0, 1] / covariance[1, 1]
    return weighted.mean() + eta * w.mean() - eta


(sensitivity,) = torch.autograd.grad(risk(v), v)
write(
    "select",
    "gen_select.py",
    [
        number("select_entropy", entropy),
        number("select_information", information),
        number("select_density", density),
        number("select_dev", risk(v).detach()),
        "/* |d risk / d v| over the least curvature of the regression's loss: risk per gradient that is left. */\n",
        number("select_dev_per_gradient", sensitivity.norm() / torch.linalg.eigvalsh(hessian)[0]),
    ],
)
