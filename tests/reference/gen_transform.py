#!/usr/bin/python3
"""Transformed images in float64, by the formulas of src/data/transform.h: writes tests/data/transform_values.h. The images are those of
tests/data/test_transform.c; values are 255 v, before they are rounded."""
import math
import os

import numpy as np

from method_bench import philox

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "transform_values.h")
SEED, SAMPLES = 21, (0, 1000003)
KEY, PARAMETER, ELEMENT = 0xA06D, 0xA06A, 0xA06B  # streams of src/base/philox.h
GREY, COLOUR = (9, 11, 1), (8, 6, 3)


def picture(shape, sample):
    """A third of the pixels is background, and some are close to it."""
    h, w, c = shape
    at = np.arange(h * w)[:, None]
    v = (sample % 256 * 31 + (at * c + np.arange(c)) * 37) % 256
    v = np.where(at % 3 == 0, 0, np.where(at % 5 == 0, v % 40, v))
    return v.reshape(shape) / 255


class Draws:
    def __init__(self, op, sample):
        k = philox(SEED, op, KEY << 32)
        self.key, self.sample = k[1] << 32 | k[0], sample

    def uniform(self, stream, i):
        return (philox(self.key, self.sample, stream << 32 | i >> 2)[i & 3] >> 8) * 2.0**-24

    def between(self, low, high):
        return low + (high - low) * self.uniform(PARAMETER, 1)


def invert(v, d):
    return 1 - v


def noise(d, h, w, cell, octaves):
    total, first = np.zeros((h, w)), 0
    for o in range(octaves):
        size = cell / 2**o
        place = [(np.arange(n) + 0.5) / size + d.uniform(PARAMETER, 1 + 2 * o + axis) for axis, n in enumerate((h, w))]
        rows, columns = (int(math.floor(p[-1])) + 2 for p in place)
        lattice = np.array([d.uniform(ELEMENT, first + i) for i in range(rows * columns)]).reshape(rows, columns)
        first += rows * columns
        (y, x), (fy, fx) = [np.floor(p).astype(int) for p in place], [p - np.floor(p) for p in place]
        sy, sx = (f * f * (3 - 2 * f) for f in (fy, fx))
        for dy, wy in ((0, 1 - sy), (1, sy)):
            for dx, wx in ((0, 1 - sx), (1, sx)):
                total += 0.5**o * wy[:, None] * wx[None, :] * lattice[np.ix_(y + dy, x + dx)]
    return total


def texture(v, d, level, background, edge, cell, octaves):
    n = noise(d, v.shape[0], v.shape[1], cell, octaves)
    t = level[0] + (level[1] - level[0]) * (n - n.min()) / (n.max() - n.min())
    a = np.minimum(1, np.abs(v - background).max(2) / edge)[:, :, None]
    return a * v + (1 - a) * t[:, :, None]


def blur(v, d, sigma):
    s = d.between(*sigma)
    r = math.ceil(3 * s)
    k = np.exp(-0.5 * (np.arange(-r, r + 1) / s) ** 2)
    k /= k.sum()
    for axis in (0, 1):
        pad = [(r, r) if a == axis else (0, 0) for a in range(3)]
        p = np.pad(v, pad, mode="reflect")
        v = sum(k[i] * np.take(p, np.arange(i, i + v.shape[axis]), axis) for i in range(2 * r + 1))
    return v


def brightness(v, d, factor):
    return np.minimum(1, d.between(*factor) * v)


def rotate(v, d, degrees, border, fill=0.0):
    angle = math.radians(d.between(*degrees))
    h, w, _ = v.shape
    y, x = np.mgrid[:h, :w] - np.array([(h - 1) / 2, (w - 1) / 2])[:, None, None]
    sx = math.cos(angle) * x - math.sin(angle) * y + (w - 1) / 2
    sy = math.sin(angle) * x + math.cos(angle) * y + (h - 1) / 2
    mode = {"fill": "constant", "edge": "edge", "reflect": "reflect"}[border]
    m = 40
    p = np.pad(v, ((m, m), (m, m), (0, 0)), mode=mode, **({"constant_values": fill} if border == "fill" else {}))
    x0, y0 = np.floor(sx).astype(int), np.floor(sy).astype(int)
    fx, fy = (sx - x0)[:, :, None], (sy - y0)[:, :, None]
    at = lambda dy, dx: p[y0 + dy + m, x0 + dx + m]
    return (1 - fy) * ((1 - fx) * at(0, 0) + fx * at(0, 1)) + fy * ((1 - fx) * at(1, 0) + fx * at(1, 1))


# As in tests/data/test_transform.c.
CASES = [
    ("invert", GREY, [(invert, {})]),
    ("texture", GREY, [(texture, dict(level=(0.2, 0.9), background=0, edge=0.3, cell=5, octaves=3))]),
    ("texture_colour", COLOUR, [(texture, dict(level=(0.5, 0.6), background=1, edge=1, cell=2.5, octaves=1))]),
    ("blur", COLOUR, [(blur, dict(sigma=(0.5, 1.5)))]),
    ("brightness", COLOUR, [(brightness, dict(factor=(0.4, 1.8)))]),
    ("rotate_fill", GREY, [(rotate, dict(degrees=(-40, 170), border="fill", fill=0.25))]),
    ("rotate_edge", COLOUR, [(rotate, dict(degrees=(30, 30), border="edge"))]),
    ("rotate_reflect", GREY, [(rotate, dict(degrees=(-15, 15), border="reflect"))]),
    ("shift", GREY, [(invert, {}), (texture, dict(level=(0, 0.2), background=1, edge=0.3, cell=8, octaves=3)),
                     (blur, dict(sigma=(0.6, 0.6))), (brightness, dict(factor=(0.6, 0.9))),
                     (rotate, dict(degrees=(-15, 15), border="reflect"))]),
]

with open(OUT, "w") as f:
    f.write("/* Made by tests/reference/gen_transform.py with numpy %s. */\n/* clang-format off */\n" % np.__version__)
    for name, shape, ops in CASES:
        f.write("static const double values_%s[2][%d] = {\n" % (name, math.prod(shape)))
        for sample in SAMPLES:
            v = picture(shape, sample)
            for i, (op, parameters) in enumerate(ops):
                v = op(v, Draws(i, sample), **parameters)
            f.write("    {%s},\n" % ", ".join("%.10g" % (255 * e) for e in v.flatten()))
        f.write("};\n")
