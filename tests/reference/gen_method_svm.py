#!/usr/bin/python3
"""Losses and gradients of heads other than cross-entropy. Usage: gen_method_svm.py (writes tests/method/svm_values.h)"""
import torch

import method_bench


def svm(b):
    z = b.apply("head", b.apply("encoder", b.x))[b.source]
    t = 2 * torch.nn.functional.one_hot(b.y[b.source], method_bench.CLASSES) - 1
    return torch.relu(1 - t * z).square().sum(1).mean()


method_bench.write("svm", {"svm": svm}, "gen_method_svm.py")
