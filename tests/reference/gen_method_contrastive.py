#!/usr/bin/python3
"""Losses and gradients of contrastive and self-distilled learning, and teachers and queues after the step. Usage:
gen_method_contrastive.py (writes tests/method/contrastive_values.h)"""
import math

import torch
from torch.nn.functional import cosine_similarity, cross_entropy, normalize

import method_bench


def project(b, x, tensors=None):
    return b.apply("projector", b.apply("encoder", x, tensors), tensors)


def simclr(b, temperature=0.3):
    z = normalize(torch.cat([project(b, b.x), project(b, b.x2)]), dim=1)
    n = len(z)
    logits = (z @ z.T / temperature).masked_fill(torch.eye(n, dtype=torch.bool), -torch.inf)
    return cross_entropy(logits, torch.arange(n).roll(n // 2))


def byol(b, progress=0.3, tau0=0.9):
    tau = 1 - (1 - tau0) * (math.cos(math.pi * progress) + 1) / 2
    loss = 0
    for one, other in (b.x, b.x2), (b.x2, b.x):
        q, z = b.apply("predictor", project(b, one)), project(b, other, b.teacher)
        loss = loss + (2 - 2 * cosine_similarity(q, z)).mean()
    return loss, b.follow(tau, "encoder", "projector")


def queue(rows):
    """Directions, not yet of length 1."""
    return torch.sin(0.7 * torch.arange(rows * 3) + 1).reshape(rows, 3)


def moco(b, rows, temperature=0.2, keep=0.99):
    q, k = normalize(project(b, b.x), dim=1), normalize(project(b, b.x2, b.teacher), dim=1)
    negative = q @ normalize(queue(rows), dim=1).T
    logits = torch.cat([(q * k).sum(1, keepdim=True), negative], dim=1) / temperature
    after = {"moco/queue": torch.cat([k, queue(rows)])[:rows]}
    after.update(b.follow(keep, "encoder", "projector"))
    return cross_entropy(logits, torch.zeros(len(q), dtype=torch.long)), after


LONG, SHORT = 11, 5  # of a batch of 8
method_bench.write("contrastive", {"simclr": simclr, "byol": byol, "moco": lambda b: moco(b, LONG),
                                   "short_queue": lambda b: moco(b, SHORT)}, "gen_method_contrastive.py",
                   "".join("\n" + method_bench.array(n, queue(rows).reshape(-1).tolist())
                           for n, rows in (("given_long", LONG), ("given_short", SHORT))))
