#!/usr/bin/python3
"""Losses and gradients of DANN, CDAN and DRCN. Usage: gen_method_dann.py (writes tests/method/dann_values.h)"""
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

import method_bench


class Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        return -ctx.factor * dy, None


def discriminate(b, logits):
    source, target = logits[b.source].squeeze(1), logits[b.target].squeeze(1)
    return bce(source, torch.ones_like(source)) + bce(target, torch.zeros_like(target))


def dann(b, progress=0.3, weight=0.7):
    ramp = 2 / (1 + torch.exp(torch.tensor(-10 * progress))) - 1
    f = b.apply("encoder", b.x)
    return b.classify(b.apply("head", f)) + weight * discriminate(b, b.apply("discriminator", Reverse.apply(f, ramp)))


def cdan(b, progress=0.3, weight=0.7, entropy=True):
    ramp = 2 / (1 + torch.exp(torch.tensor(-10 * progress))) - 1
    f = b.apply("encoder", b.x)
    logits = b.apply("head", f)
    p = torch.softmax(logits, 1).detach()
    h = Reverse.apply(torch.einsum("bk,bc->bkc", f, p).flatten(1), ramp)
    v = 1 + torch.exp((p * p.log()).sum(1)) if entropy else torch.ones(len(p))
    each = bce(b.apply("cdan", h).squeeze(1), b.source.double(), reduction="none")
    s, t = b.source * v, b.target * v
    return b.classify(logits) + weight * ((each * s).sum() / s.sum() + (each * t).sum() / t.sum())


def cdan_plain(b):
    return cdan(b, entropy=False)


def drcn(b, weight=0.3):
    f = b.apply("encoder", b.x)
    error = (b.apply("decoder", f) - b.x) ** 2
    return (1 - weight) * b.classify(b.apply("head", f)) + weight * error[b.target].mean()


method_bench.write("dann", {"dann": dann, "cdan": cdan, "cdan_plain": cdan_plain, "drcn": drcn}, "gen_method_dann.py")
