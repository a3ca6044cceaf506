#!/usr/bin/python3
"""Losses and gradients of greedy layer-wise training. Usage: gen_method_layerwise.py (writes
tests/method/layerwise_values.h)"""
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

import method_bench
from method_bench import FEATURES, INPUTS, WHOLE, array, uniform


def layer(index, b):
    """Input, block and decoder of a layer of the model [units, upper]."""
    if index == 0:
        return b.x2, "units", "decoder"
    return b.apply("units", b.x2).detach(), "upper", "lower"


def autoencoder(index):
    def loss(b):
        x, block, decoder = layer(index, b)
        below = {"units/fc/weight": torch.zeros(INPUTS, FEATURES)} if index == 1 else {}
        return ((b.apply(decoder, b.apply(block, x)) - x) ** 2).mean(), below

    return loss


def denoising(b, noise=0.4):
    x, block, decoder = layer(1, b)
    kept = torch.where(uniform("upper/noise", FEATURES) < noise, 0.0, x)
    return bce(b.apply(decoder, b.apply(block, kept)), x)


def tested(likelihood):
    """The sum over samples of a Boltzmann machine's reconstruction error."""

    def loss(b):
        x, block, _ = layer(1, b)
        b.tensors["upper/visible/bias"] = visible_bias(FEATURES)
        h = b.apply(block, x)
        logits = h @ b.tensors["upper/fc/weight"].T + b.tensors["upper/visible/bias"]
        if likelihood == "bce":
            each = bce(logits, x, reduction="none")
        else:
            each = (torch.sigmoid(logits) - x) ** 2
        return each.mean(1).sum()

    return loss


def visible_bias(n):
    return (0.3 * torch.cos(torch.arange(n) + 0.0)).requires_grad_()


def free_energy(t, block, v):
    return -(v @ t[block + "/visible/bias"]) - torch.nn.functional.softplus(
        v @ t[block + "/fc/weight"] + t[block + "/fc/bias"]
    ).sum(1)


@torch.no_grad()
def gibbs(t, block, v, steps):
    weight, bias = t[block + "/fc/weight"], t[block + "/fc/bias"]
    for k in range(steps):
        h = (torch.sigmoid(v @ weight + bias) > uniform("%s/hidden%d" % (block, k), weight.shape[1])).double()
        p = torch.sigmoid(h @ weight.T + t[block + "/visible/bias"])
        v = (p > uniform("%s/visible%d" % (block, k), weight.shape[0])).double()
    return v


def divergence(index, steps):
    def loss(b):
        x, block, _ = layer(index, b)
        b.tensors[block + "/visible/bias"] = visible_bias(x.shape[1])
        end = gibbs(b.tensors, block, x, steps)
        return (free_energy(b.tensors, block, x) - free_energy(b.tensors, block, end)).mean()

    return loss


def chain():
    return (torch.arange(WHOLE * INPUTS).reshape(WHOLE, INPUTS) % 3 == 0).double()


def persistent(b, steps=2):
    x, block, _ = layer(0, b)
    b.tensors["units/visible/bias"] = visible_bias(INPUTS)
    end = gibbs(b.tensors, block, chain()[: len(x)], steps)
    moved = torch.cat([end, chain()[len(x) :]])
    return (free_energy(b.tensors, block, x) - free_energy(b.tensors, block, end)).mean(), {"units/chain": moved}


method_bench.write(
    "layerwise",
    {
        "autoencoder_0": autoencoder(0),
        "autoencoder_1": autoencoder(1),
        "denoising": denoising,
        "cd_0": divergence(0, 1),
        "cd_1": divergence(1, 3),
        "pcd": persistent,
        "test_bce": tested("bce"),
        "test_mse": tested("mse"),
    },
    "gen_method_layerwise.py",
    "".join(array(n, v.detach().reshape(-1).tolist()) for n, v in {
        "bias_0": visible_bias(INPUTS), "bias_1": visible_bias(FEATURES), "chain_0": chain()}.items()),
)
