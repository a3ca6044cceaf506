#!/usr/bin/python3
"""Losses and gradients of discrepancies between domains, and of methods by entropy and pseudo-labels. Usage:
gen_method_moments.py (writes tests/method/moments_values.h)"""
import torch
import torch.nn.functional as F

import method_bench


def model(b):
    f = b.apply("encoder", b.x)
    return f, b.apply("head", f)


def gauss(d, spread, kernels=5):
    return sum(torch.exp(-d / (spread * 2.0 ** (k - kernels // 2))) for k in range(kernels)) / kernels


def spread_of(f):
    d = torch.cdist(f, f).square().detach()
    return d.sum() / (len(f) * (len(f) - 1))


def distances(f):
    return (f[:, None] - f[None]).square().sum(2)


def discrepancy(b, k):
    s, t = b.source, b.target
    return k[s][:, s].mean() + k[t][:, t].mean() - 2 * k[s][:, t].mean()


def mmd(b, weight=0.7):
    f, z = model(b)
    return b.classify(z) + weight * discrepancy(b, gauss(distances(f), spread_of(f)))


def mmd_linear(b, weight=0.7):
    f, z = model(b)
    s, t, spread = f[b.source], f[b.target], spread_of(f)
    k = lambda a, c: gauss((a - c).square().sum(1), spread)
    h = k(s[0::2], s[1::2]) + k(t[0::2], t[1::2]) - k(s[0::2], t[1::2]) - k(s[1::2], t[0::2])
    return b.classify(z) + weight * h.mean()


def jan(b, weight=0.7):
    f, z = model(b)
    k = gauss(distances(f), spread_of(f)) * torch.exp(-distances(torch.softmax(z, 1)) / 1.68)
    return b.classify(z) + weight * discrepancy(b, k)


def coral(b, weight=20.0):
    f, z = model(b)
    apart = (torch.cov(f[b.source].T) - torch.cov(f[b.target].T)).square().sum() / (4 * f.shape[1] ** 2)
    return b.classify(z) + weight * apart


def sinkhorn(cost, epsilon, iterations):
    """With scalings of the kernel, not in the log domain."""
    k = torch.exp(-cost / epsilon)
    a, c = torch.full((len(cost),), 1 / len(cost)), torch.full((cost.shape[1],), 1 / cost.shape[1])
    v = c.clone()
    for _ in range(iterations):
        u = a / (k @ v)
        v = c / (k.T @ u)
    return u[:, None] * k * v[None]


def deepjdot(b, alpha=0.4, weight=0.3, epsilon=0.2, iterations=7):
    f, z = model(b)
    misfit = -F.one_hot(b.y[b.source], method_bench.CLASSES).double() @ torch.log_softmax(z, 1)[b.target].T
    cost = alpha * distances(f)[b.source][:, b.target] + weight * misfit
    plan = sinkhorn(cost.detach() / cost.detach().mean(), epsilon, iterations)
    return b.classify(z) + (plan * cost).sum()


def uncertain(z):
    return -(torch.softmax(z, 1) * torch.log_softmax(z, 1)).sum(1).mean()


def marginal(z):
    q = torch.softmax(z, 1).mean(0)
    return -(q * q.log()).sum()


def entropy(b, weight=0.6, diversity=0.0):
    z = model(b)[1]
    return b.classify(z) + weight * (uncertain(z[b.target]) - diversity * marginal(z[b.target]))


def entropy_diverse(b):
    return entropy(b, diversity=0.8)


TABLE = torch.tensor([-1, 2, -1, 0, 1, -1, 2, 1])


def self_training(b, weight=0.6):
    z = model(b)[1]
    given = b.target & (TABLE >= 0)
    return b.classify(z) + weight * F.cross_entropy(z[given], TABLE[given])


def shot(b, weight=0.6):
    table = TABLE.clamp(min=0)
    head = {n: t.detach() for n, t in b.tensors.items()}
    z = b.apply("head", b.apply("encoder", b.x), head)[b.target]
    return uncertain(z) - marginal(z) + weight * F.cross_entropy(z, table[b.target])


def reweight(b):
    z = model(b)[1]
    each = F.cross_entropy(z[b.source], b.y[b.source], reduction="none")
    return (each * TABLE.double()[b.source]).mean()


CASES = (mmd, mmd_linear, jan, coral, deepjdot, entropy, entropy_diverse, self_training, shot, reweight)
method_bench.write("moments", {case.__name__: case for case in CASES}, "gen_method_moments.py")
