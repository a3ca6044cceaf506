#!/usr/bin/python3
"""Reference values of the principal components of colour from numpy: writes tests/data/pca_values.h.

The data set is that of tests/data/test_augment_pca.c: SAMPLES images of 2x2x3 bytes, of which the 10,000 at
i * SAMPLES // 10000 count; the test paints the others white."""
import os

import numpy as np

SAMPLES, USED = 10007, 10000
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "pca_values.h")

sample = np.arange(SAMPLES, dtype=np.int64)[:, None]
pixel = np.arange(4, dtype=np.int64)[None, :]
light = (sample * 37 + pixel * 101) % 200
red = light + (sample * 7 + pixel) % 40
green = light // 2 + (sample * 13 + pixel * 5) % 60
blue = 220 - light + (sample * sample + pixel) % 30
rgb = np.stack([red, green, blue], 2)
assert rgb.min() >= 0 and rgb.max() <= 255
used = rgb[np.arange(USED) * SAMPLES // USED].reshape(-1, 3) / 255.0
value, vector = np.linalg.eigh(np.cov(used.T, bias=True))
order = np.argsort(value)[::-1]
with open(OUT, "w") as f:
    f.write("/* Made by tests/reference/gen_pca.py with numpy %s. */\n/* clang-format off */\n" % np.__version__)
    f.write("static const ann_colour_pca pca_values = {\n    {%s},\n    {" % ", ".join("%.17g" % np.sqrt(value[i]) for i in order))
    rows = []
    for i in order:
        v = vector[:, i] * np.sign(vector[np.argmax(np.abs(vector[:, i])), i])
        rows.append("{%s}" % ", ".join("%.17g" % e for e in v))
    f.write(",\n     ".join(rows) + "}};\n")
