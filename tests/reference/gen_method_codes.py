#!/usr/bin/python3
"""Losses and gradients of pre-training methods that say something of the code: sparse, contractive, variational.
Usage: gen_method_codes.py (writes tests/method/codes_values.h)"""
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

import method_bench
from method_bench import FEATURES


def squared(out, target):
    return ((out - target) ** 2).mean()


def sparse(b, rho=0.1, weight=0.7):
    code = b.apply("units", b.x)
    q = code.mean(0)
    kl = rho * torch.log(rho / q) + (1 - rho) * torch.log((1 - rho) / (1 - q))
    return bce(b.apply("decoder", code), b.x2) + weight * kl.sum()


def jacobians(b, block):
    """[B, K, D], by PyTorch's own reverse mode, one sample after the other."""
    return torch.stack([torch.autograd.functional.jacobian(lambda v: b.apply(block, v), x, create_graph=True) for x in b.x])


def contractive(block, weight=0.7):
    def loss(b):
        out = b.apply("decoder", b.apply(block, b.x))
        return squared(out, b.x2) + weight * (jacobians(b, block) ** 2).sum((1, 2)).mean()

    return loss


def contractive_probes(b, weight=0.7, probes=2):
    out = b.apply("decoder", b.apply("encoder", b.x))
    norm = 0
    for i in range(probes):
        signs = torch.where(method_bench.uniform("contractive/probe%d" % i, FEATURES) > 0.5, 1.0, -1.0)
        norm = norm + (torch.einsum("bk,bkd->bd", signs, jacobians(b, "encoder")) ** 2).sum(1).mean() / probes
    return squared(out, b.x2) + weight * norm


def variational(likelihood, beta, evaluates=False):
    def loss(b):
        mu, lv = b.apply("code", b.x).split(FEATURES, 1)
        p = torch.distributions.Normal(mu, torch.exp(lv / 2))
        z = mu if evaluates else mu + p.stddev * method_bench.normal("variational/eps", FEATURES)
        out = b.apply("decoder", z)
        if likelihood == "bce":
            unlikely = -torch.distributions.Bernoulli(logits=out, validate_args=False).log_prob(b.x2)
        else:
            unlikely = -torch.distributions.Normal(out, 1).log_prob(b.x2) - 0.5 * torch.log(torch.tensor(2 * torch.pi))
        kl = torch.distributions.kl_divergence(p, torch.distributions.Normal(0, 1))
        each = unlikely.sum(1) + beta * kl.sum(1)
        return each.sum() if evaluates else each.mean()

    return loss


method_bench.write(
    "codes",
    {
        "sparse": sparse,
        "contractive_units": contractive("units"),
        "contractive_encoder": contractive("encoder"),
        "contractive_probes": contractive_probes,
        "variational_bce": variational("bce", 1),
        "variational_mse": variational("mse", 0.3),
        "variational_test": variational("mse", 0.3, evaluates=True),
    },
    "gen_method_codes.py",
)
