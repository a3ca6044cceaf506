#!/usr/bin/python3
"""Losses and gradients of adversarial domain adaptation. Usage: gen_method_dann.py (writes tests/method/dann_values.h)"""
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


method_bench.write("dann", {"dann": dann}, "gen_method_dann.py")
