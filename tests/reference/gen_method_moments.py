#!/usr/bin/python3
"""Losses and gradients of MMD, JAN, CORAL, DeepJDOT, entropy minimisation and MCC, written from the papers with one
loop a sum where the program has matrices. Usage: gen_method_moments.py (writes tests/method/moments_values.h)"""
import numpy as np
import torch

import method_bench

UNEVEN = [0, 1, 0, 0, 1, 0, 0, 1]
RAMP = torch.tanh(torch.tensor(5 * 0.3)).item()  # at progress 0.3


def mean(values):
    return sum(values) / len(values)


def gaussian(square, bandwidth, kernels):
    return mean([torch.exp(-square / (2.0 ** (u - kernels // 2) * bandwidth)) for u in range(kernels)])


def square(a, b):
    return ((a - b) ** 2).sum()


def bandwidth(z):
    n = len(z)
    return mean([square(z[i], z[j]).detach() for i in range(n) for j in range(n) if i != j])


def quadratic(b, z, kernels, other=lambda i, j: 1):
    """The biased estimate, by the product of a kernel of z and another of samples i and j."""
    w = bandwidth(z)

    def k(i, j):
        return gaussian(square(z[i], z[j]), w, kernels) * other(i, j)

    s, t = b.source.nonzero().flatten().tolist(), b.target.nonzero().flatten().tolist()
    return mean([k(i, j) for i in s for j in s]) + mean([k(i, j) for i in t for j in t]) - 2 * mean([k(i, j) for i in s for j in t])


def linear(b, z, kernels):
    s, t = z[b.source], z[b.target]
    quads = [(s[2 * i], s[2 * i + 1], t[2 * i], t[2 * i + 1]) for i in range(min(len(s), len(t)) // 2)]
    w = mean([square(p, q).detach() for s1, s2, t1, t2 in quads for p, q in ((s1, s2), (t1, t2), (s1, t2), (s2, t1))])

    def k(p, q):
        return gaussian(square(p, q), w, kernels)

    return mean([k(s1, s2) + k(t1, t2) - k(s1, t2) - k(s2, t1) for s1, s2, t1, t2 in quads])


def forward(b):
    f = b.apply("encoder", b.x)
    return f, b.apply("head", f)


def mmd(b, kernels=5, ramp=1, logits=False, estimate=quadratic):
    f, z = forward(b)
    term = estimate(b, f, kernels)
    if logits:
        term = term + estimate(b, z, kernels)
    return b.classify(z) + 0.7 * ramp * term


def mmd_linear(b):
    return mmd(b, estimate=linear)


def mmd_uneven(b):
    b.set_domains(UNEVEN)
    return mmd(b, kernels=4, ramp=RAMP, logits=True)


def mmd_linear_uneven(b):
    b.set_domains(UNEVEN)
    return mmd(b, kernels=2, logits=True, estimate=linear)


def jan(b):
    b.set_domains(UNEVEN)
    f, z = forward(b)
    p = torch.softmax(z, 1)
    return b.classify(z) + 0.7 * RAMP * quadratic(b, f, 3, lambda i, j: torch.exp(-square(p[i], p[j]) / 1.68))


def coral(b):
    b.set_domains(UNEVEN)
    f, z = forward(b)
    apart = torch.cov(f[b.source].T) - torch.cov(f[b.target].T)
    return b.classify(z) + 0.7 * (apart**2).sum() / (4 * f.shape[1] ** 2)


def sinkhorn(cost, epsilon, iterations):
    """Cuturi 2013, Algorithm 1: scalings of K, with numpy."""
    k = np.exp(-cost / epsilon)
    a, b = np.full(len(cost), 1 / len(cost)), np.full(cost.shape[1], 1 / cost.shape[1])
    v = b
    for _ in range(iterations):
        u = a / (k @ v)
        v = b / (k.T @ u)
    return u[:, None] * k * v[None, :]


def deepjdot(b, epsilon=0.2, iterations=10):
    b.set_domains(UNEVEN)
    f, z = forward(b)
    log_p = torch.log_softmax(z, 1)
    s, t = b.source.nonzero().flatten().tolist(), b.target.nonzero().flatten().tolist()
    cost = torch.stack([torch.stack([0.3 * square(f[i], f[j]) - 0.6 * log_p[j, b.y[i]] for j in t]) for i in s])
    c = cost.detach().numpy()
    plan = torch.from_numpy(sinkhorn(c, epsilon * c.mean(), iterations))
    return b.classify(z) + (plan * cost).sum()


def entropy(b, diversity=0):
    f, z = forward(b)
    p = torch.softmax(z[b.target], 1)
    q = p.mean(0)
    return b.classify(z) + 0.7 * RAMP * (-(p * p.log()).sum(1).mean() + diversity * (q * q.log()).sum())


def entropy_diverse(b):
    b.set_domains(UNEVEN)
    return entropy(b, diversity=0.8)


def mcc(b):
    b.set_domains(UNEVEN)
    f, z = forward(b)
    p = torch.softmax(z[b.target] / 2.5, 1)
    v = 1 + torch.exp((p * p.log()).sum(1)).detach()
    v = len(v) * v / v.sum()
    c = p.T @ torch.diag(v) @ p
    c = c / c.sum(1, keepdim=True)
    return b.classify(z) + 0.7 * (c.sum() - c.trace()) / len(c)


def source_alone(b):
    """Of a batch without target samples."""
    b.set_domains([0] * 8)
    return b.classify(forward(b)[1])


def source_and_one(b):
    b.set_domains([0] * 7 + [1])
    return b.classify(forward(b)[1])


cases = (mmd, mmd_linear, mmd_uneven, mmd_linear_uneven, jan, coral, deepjdot, entropy, entropy_diverse, mcc, source_alone, source_and_one)
method_bench.write("moments", {c.__name__: c for c in cases}, "gen_method_moments.py")
