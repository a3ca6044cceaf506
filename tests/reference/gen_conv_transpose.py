#!/usr/bin/python3
"""Transposed convolution by PyTorch, float64. Usage: gen_conv_transpose.py (writes tests/nn/conv_transpose_values.h)"""
import os

import torch

torch.set_default_dtype(torch.float64)
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def array(name, values):
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def case(name, shape, channels, kernel, stride, padding, more, dilation, groups):
    n, h, w, c = shape
    x = torch.sin(0.7 * torch.arange(n * h * w * c)).reshape(shape).requires_grad_()
    weights = c * kernel[0] * kernel[1] * channels // groups
    weight = torch.sin(1.3 * torch.arange(weights) + 1).reshape(c, *kernel, channels // groups).requires_grad_()
    bias = torch.sin(1.9 * torch.arange(channels) + 2).requires_grad_()
    y = torch.nn.functional.conv_transpose2d(x.permute(0, 3, 1, 2), weight.permute(0, 3, 1, 2), bias, stride, padding, more,
                                             groups, dilation).permute(0, 2, 3, 1)
    (y.square() / 2).sum().backward()
    text = "\nenum { %s_H = %d, %s_W = %d };\n" % (name.upper(), y.shape[1], name.upper(), y.shape[2])
    for what, value in (("y", y), ("dx", x.grad), ("dw", weight.grad), ("db", bias.grad)):
        text += array("%s_%s" % (name, what), value.detach().reshape(-1).tolist())
    return text


with open(os.path.join(TESTS, "nn", "conv_transpose_values.h"), "w") as f:
    f.write("/* Made by tests/reference/gen_conv_transpose.py with PyTorch %s. */\n" % torch.__version__)
    f.write(case("plain", (2, 3, 2, 2), 3, (3, 2), (1, 1), (0, 0), (0, 0), (1, 1), 1))
    f.write(case("strided", (2, 3, 4, 4), 6, (3, 4), (2, 3), (1, 1), (1, 2), (2, 1), 2))
