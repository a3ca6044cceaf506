"""What generators of tests/method's values share: the samples of tests/method/table.h, and headers of numbers."""
import os

import numpy as np
import torch

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "method")


def table(first, *shape):
    """table_at(first), table_at(first + 1) ... of tests/method/table.h."""
    x = np.arange(first + 1, first + 1 + int(np.prod(shape)), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(32)
    return ((x >> np.uint64(40)).astype(np.float64) * 2.0**-24 - 0.5).reshape(shape)


def number(name, value):
    return "static const double %s = %.17g;\n" % (name, float(value))


def doubles(name, values):
    values = np.asarray(values).ravel()
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 5]) for i in range(0, len(values), 5)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def integers(name, values):
    values = np.asarray(values).ravel()
    rows = ["    " + ", ".join("%d" % v for v in values[i : i + 30]) for i in range(0, len(values), 30)]
    return "static const int32_t %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def write(name, generator, parts):
    with open(os.path.join(OUT, name + "_values.h"), "w") as f:
        f.write("/* Made by tests/reference/%s with numpy %s and PyTorch %s. */\n" % (generator, np.__version__, torch.__version__))
        f.write("/* clang-format off */\n" + "".join(parts))
