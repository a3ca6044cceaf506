#!/usr/bin/python3
"""Losses and gradients of contrastive learning. Usage: gen_method_contrastive.py (writes
tests/method/contrastive_values.h)"""
import torch
from torch.nn.functional import cross_entropy, normalize

import method_bench


def project(b, x):
    return normalize(b.apply("projector", b.apply("encoder", x)), dim=1)


def simclr(b, temperature=0.3):
    z = torch.cat([project(b, b.x), project(b, b.x2)])
    n = len(z)
    logits = (z @ z.T / temperature).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    return cross_entropy(logits, torch.arange(n).roll(n // 2))


method_bench.write("contrastive", {"simclr": simclr}, "gen_method_contrastive.py")
