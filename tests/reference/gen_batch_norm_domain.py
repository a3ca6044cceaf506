#!/usr/bin/python3
"""Batch normalisation per domain by PyTorch, float64: one BatchNorm2d a domain, with the scale and shift of all.
Usage: gen_batch_norm_domain.py (writes tests/nn/batch_norm_domain_values.h)"""
import os

import torch

torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "nn", "batch_norm_domain_values.h")
DOMAIN = [0, 3, 0, 3, 3, 0, 0, 1]  # of each sample; domain 2 is absent, domain 1 has one sample
DOMAINS, EPS = 4, 1e-3


def array(name, values):
    values = values.detach().reshape(-1).tolist()
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 4]) for i in range(0, len(values), 4)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def layers(momentum, gamma, beta, mean, var):
    made = []
    for d in range(DOMAINS):
        layer = torch.nn.BatchNorm2d(3, eps=EPS, momentum=momentum)
        layer.weight, layer.bias = gamma, beta
        layer.running_mean.copy_(mean[d])
        layer.running_var.copy_(var[d])
        made.append(layer)
    return made


def apply(made, x):
    """Each sample by the layer of its domain."""
    y = torch.zeros_like(x)
    for d, layer in enumerate(made):
        rows = [i for i, of in enumerate(DOMAIN) if of == d]
        if rows:
            y = y.index_copy(0, torch.tensor(rows), layer(x[rows].permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    return y


def running(made):
    return torch.stack([m.running_mean for m in made]), torch.stack([m.running_var for m in made])


torch.manual_seed(5)
x = torch.randn(8, 2, 2, 3) * 1.5 + 0.5 + torch.tensor(DOMAIN)[:, None, None, None]
x.requires_grad_()
w = torch.randn(8, 2, 2, 3)
gamma = torch.nn.Parameter(torch.tensor([0.5, 1.25, -2.0]))
beta = torch.nn.Parameter(torch.tensor([0.1, -0.2, 0.3]))
mean, var = torch.randn(DOMAINS, 3), torch.rand(DOMAINS, 3) + 0.5
made = layers(0.1, gamma, beta, mean, var)
y = apply(made, x)
(w * y + 0.5 * y**2).sum().backward()
mean_after, var_after = running(made)
quarter = layers(0.25, gamma, beta, mean, var)
apply(quarter, x)
mean_quarter, var_quarter = running(quarter)
still = layers(0.1, gamma, beta, mean, var)
for layer in still:
    layer.eval()
y_frozen = apply(still, x)
y_eval = still[3](x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
values = {"x": x, "w": w, "gamma": gamma, "beta": beta, "mean": mean, "var": var, "y": y, "dx": x.grad,
          "dgamma": gamma.grad, "dbeta": beta.grad, "mean_after": mean_after, "var_after": var_after,
          "mean_quarter": mean_quarter, "var_quarter": var_quarter, "y_frozen": y_frozen, "y_eval": y_eval}
with open(OUT, "w") as f:
    f.write("/* Made by tests/reference/gen_batch_norm_domain.py with PyTorch %s. */\n/* clang-format off */\n" % torch.__version__)
    f.write("/* x [8,2,2,3]; mean, var [4,3]: running; loss = sum w y + y^2 / 2; eps 1e-3, momentum 0.1, and\n"
            "   0.25 in quarter; y_eval is by domain 3. */\n")
    f.write("static const int32_t bnd_domain[8] = {%s};\n" % ", ".join(map(str, DOMAIN)))
    for name, value in values.items():
        f.write(array("bnd_" + name, value))
