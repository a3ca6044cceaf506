#!/usr/bin/python3
"""Losses and gradients of methods of transfer and of adversarial steps. Usage: gen_method_transfer.py (writes
tests/method/transfer_values.h)"""
import torch
import torch.nn.functional as F

import method_bench


def svm(b):
    z = b.apply("head", b.apply("encoder", b.x))[b.source]
    t = 2 * F.one_hot(b.y[b.source], method_bench.CLASSES) - 1
    return torch.relu(1 - t * z).square().sum(1).mean()


def l2sp(b, alpha=0.3, beta=0.2):
    loss = b.classify(b.apply("head", b.apply("encoder", b.x)))
    for name, w in b.tensors.items():
        if name.startswith("encoder/"):
            loss = loss + alpha / 2 * (w - b.teacher[name]).square().sum()
        if name.startswith("head/"):
            loss = loss + beta / 2 * w.square().sum()
    return loss


def distill(b, temperature=3.0, alpha=0.6):
    z = b.apply("head", b.apply("encoder", b.x))
    t = b.apply("whole", b.x, b.teacher)
    apart = F.kl_div(torch.log_softmax(z / temperature, 1), torch.softmax(t / temperature, 1), reduction="batchmean")
    return (1 - alpha) * b.classify(z) + alpha * temperature**2 * apart


def mean_teacher(b, momentum=0.9, weight=2.0, threshold=0.0, progress=0.3):
    z = b.apply("head", b.apply("encoder", b.x))
    p = torch.softmax(b.apply("head", b.apply("encoder", b.x2, b.teacher), b.teacher), 1)
    each = (torch.softmax(z, 1) - p).square().sum(1)
    if threshold:
        each = each * (p.max(1).values > threshold)
    else:
        weight *= 2 / (1 + torch.exp(torch.tensor(-10 * progress))) - 1
    states = {"teacher/" + n: momentum * b.teacher[n] + (1 - momentum) * w.detach()
              for n, w in b.tensors.items() if n.split("/")[0] in ("encoder", "head")}
    return b.classify(z) + weight * each[b.target].mean(), states


def mean_teacher_sure(b):
    return mean_teacher(b, threshold=0.4)


def entropy(z):
    return -(torch.softmax(z, 1) * torch.log_softmax(z, 1)).sum(1)


def tent(b):
    return entropy(b.apply("head", b.apply("encoder", b.x)))[b.target].mean()


def discriminate(b, source, target):
    return F.softplus(-b.apply("discriminator", source)).mean() + F.softplus(b.apply("discriminator", target)).mean()


def adda_discriminate(b):
    return discriminate(b, b.apply("encoder", b.x, b.teacher)[b.source], b.apply("encoder", b.x).detach()[b.target])


def frozen(b, *blocks):
    return {n: t.detach() if n.split("/")[0] in blocks else t for n, t in b.tensors.items()}


def adda_deceive(b):
    return F.softplus(-b.apply("discriminator", b.apply("encoder", b.x), frozen(b, "discriminator")))[b.target].mean()


def both(b, f, tensors=None):
    return b.apply("head", f, tensors), b.apply("second", f, tensors)


def apart(b, one, two):
    return (torch.softmax(one, 1) - torch.softmax(two, 1)).abs().mean(1)[b.target].mean()


def mcd_classify(b):
    one, two = both(b, b.apply("encoder", b.x))
    return b.classify(one) + b.classify(two)


def mcd_diverge(b):
    one, two = both(b, b.apply("encoder", b.x).detach())
    return b.classify(one) + b.classify(two) - apart(b, one, two)


def mcd_agree(b):
    return apart(b, *both(b, b.apply("encoder", b.x), frozen(b, "head", "second")))


CASES = (svm, l2sp, distill, mean_teacher, mean_teacher_sure, tent, adda_discriminate, adda_deceive, mcd_classify,
         mcd_diverge, mcd_agree)
method_bench.write("transfer", {case.__name__: case for case in CASES}, "gen_method_transfer.py")
