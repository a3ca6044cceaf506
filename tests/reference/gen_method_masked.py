#!/usr/bin/python3
"""Losses and gradients of masked autoencoding. Usage: gen_method_masked.py (writes tests/method/masked_values.h)"""
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce, mse_loss

import method_bench
from method_bench import BATCH, INPUTS

RATIO, PATCH = 0.65, 4  # of 6 elements: the second patch is cut off


def hidden(draws):
    """[BATCH, patches] -> [BATCH, INPUTS]"""
    return (draws < RATIO).repeat_interleave(PATCH, dim=1)[:, :INPUTS]


def reconstruct(b, hide):
    return b.apply("decoder", b.apply("encoder", torch.where(hide, 0.0, b.x)))


def masked(b, loss=bce):
    hide = hidden(method_bench.uniform("masked/patches", 2))
    return loss(reconstruct(b, hide)[hide], b.x[hide])


def evaluated(b):
    hide = hidden(method_bench.uniform("masked/patches", 2)[:1].expand(BATCH, -1))
    each = (reconstruct(b, hide) - b.x).square()
    return ((each * hide).sum(1) / hide.sum(1)).sum()


method_bench.write("masked", {"masked": masked, "squared": lambda b: masked(b, mse_loss), "evaluated": evaluated},
                   "gen_method_masked.py")
