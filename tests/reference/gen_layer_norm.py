#!/usr/bin/python3
"""Layer normalisation by PyTorch, float64. Usage: gen_layer_norm.py (writes tests/nn/layer_norm_values.h)"""
import os

import torch

torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nn", "layer_norm_values.h")


def array(name, values):
    values = values.detach().reshape(-1).tolist()
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


torch.manual_seed(11)
x = (torch.randn(4, 2, 3, 5) * 1.5 + 0.5).requires_grad_()
w = torch.randn(4, 2, 3, 5)
layer = torch.nn.LayerNorm(5, eps=1e-3)
with torch.no_grad():
    layer.weight.copy_(torch.tensor([0.5, 1.25, -2.0, 1.0, 0.75]))
    layer.bias.copy_(torch.tensor([0.1, -0.2, 0.3, 0.0, -0.5]))
y = layer(x)
dx, dgamma, dbeta = torch.autograd.grad((w * y + 0.5 * y**2).sum(), (x, layer.weight, layer.bias), create_graph=True)
ddx, ddgamma = torch.autograd.grad((0.5 * dx**2).sum(), (x, layer.weight))
values = {"x": x, "w": w, "gamma": layer.weight, "beta": layer.bias, "y": y, "dx": dx, "dgamma": dgamma,
          "dbeta": dbeta, "ddx": ddx, "ddgamma": ddgamma}
with open(OUT, "w") as f:
    f.write("/* Made by tests/reference/gen_layer_norm.py with PyTorch %s. */\n/* clang-format off */\n" % torch.__version__)
    f.write("/* x [4,2,3,5]; loss = sum w y + y^2 / 2; dd: of sum dx^2 / 2; eps 1e-3. */\n")
    for name, value in values.items():
        f.write(array("ln_" + name, value))
