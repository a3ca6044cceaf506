#!/usr/bin/python3
"""Reference values of every op's forward, by PyTorch and NumPy in float64: writes tests/golden/ops.txt.

The examples are those of tests/graph/examples_*.c, under the same names. One line each: name, number of values,
values. Needs python3-torch and python3-numpy (written with torch 1.13.1, numpy 1.24.2); the tests need the values only.
Usage: tests/reference/gen_ops.py > tests/golden/ops.txt
"""
import math

import numpy as np
import torch
import torch.nn.functional as F

# ---- inputs, as tests/graph/op_examples.c makes them --------------------------------------------------------------


def weyl(i, salt):
    x = float(i + 1) * 0.6180339887498949 + float(salt) * 0.3183098861837907
    return math.floor((x - math.floor(x)) * 256.0) / 256.0


def signed(i, salt, _):
    return 2.0 * weyl(i, salt) - 1.0 + 1.0 / 512.0


def away(i, salt, _):
    s = signed(i, salt, 0)
    return s + 0.25 if s > 0 else s - 0.25


GENERATORS = {
    "signed": signed,
    "positive": lambda i, salt, _: 0.5 + weyl(i, salt),
    "away": away,
    "distinct": lambda i, salt, _: ((i * 37 + salt * 11) % 211) / 64.0 - 1.5 + salt / 128.0,
    "binary": lambda i, salt, _: float((i + salt) % 3 == 0),
    "int": lambda i, salt, _: (i * 7 + salt) % 5 - 2,
    "label": lambda i, salt, mod: (i * 2 + 1) % mod,
    "ids": lambda i, salt, _: i * 1000003 + 7 + salt,
    "index": lambda i, salt, mod: (i * 3 + 1) % mod,
}
INTEGERS = ("int", "label", "ids", "index")


def tensor(gen, shape, salt, mod=0):
    n = int(np.prod(shape)) if shape else 1
    values = np.array([GENERATORS[gen](i, salt, mod) for i in range(n)],
                      dtype=np.int64 if gen in INTEGERS else np.float64)
    return torch.from_numpy(values.reshape(shape))


# ---- Philox4x32-10 (Salmon et al. 2011) ---------------------------------------------------------------------------

M32 = 0xFFFFFFFF


def philox(key, counter):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & M32, (p0 >> 32) ^ c[3] ^ k[1], p0 & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


# Known answers of Random123's kat_vectors.
assert philox((0, 0), (0, 0, 0, 0)) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox((M32, M32), (M32, M32, M32, M32)) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]


def uniform(seed, stream, sample, element):
    words = philox((seed & M32, seed >> 32), (sample & M32, sample >> 32, element >> 2, stream))
    return (words[element & 3] >> 8) / 2.0**24


def normal(seed, stream, sample, element):
    u, v = (uniform(seed, stream, sample, 2 * element + j) for j in (0, 1))
    return math.sqrt(-2.0 * math.log(1.0 - u)) * math.cos(2.0 * math.pi * v)


def draws(draw, seed, stream, ids, shape):
    rest = int(np.prod(shape[1:]))
    return torch.tensor([[draw(seed, stream, int(b), e) for e in range(rest)] for b in ids],
                        dtype=torch.float64).reshape(shape)


def dropout(p):
    def f(x, ids):
        keep = draws(uniform, 42, 3, ids, x.shape) >= p
        return torch.where(keep, x / (1 - p), torch.zeros_like(x))
    return f


# ---- windows: x [N,H,W,C], w [O,KH,KW,C/groups] -------------------------------------------------------------------


class Window:
    def __init__(self, kernel, image, stride=(1, 1), dilation=(1, 1), pad=(0, 0, 0, 0), groups=1):
        self.kernel, self.image, self.stride, self.dilation, self.groups = kernel, image, stride, dilation, groups
        self.top, self.bottom, self.left, self.right = pad

    def padded(self, x_nchw, value=0.0):
        return F.pad(x_nchw, (self.left, self.right, self.top, self.bottom), value=value)

    def conv(self, x, w):
        y = F.conv2d(self.padded(x.permute(0, 3, 1, 2)), w.permute(0, 3, 1, 2), stride=self.stride,
                     dilation=self.dilation, groups=self.groups)
        return y.permute(0, 2, 3, 1)

    def adjoint(self, y, wrt, dy):
        return torch.autograd.grad(y, wrt, dy)[0]

    def conv_dx(self, dy, w):
        x = torch.zeros(dy.shape[0], *self.image, w.shape[3] * self.groups, dtype=torch.float64, requires_grad=True)
        return self.adjoint(self.conv(x, w), x, dy)

    def conv_dw(self, x, dy):
        w = torch.zeros(dy.shape[3], *self.kernel, x.shape[3] // self.groups, dtype=torch.float64, requires_grad=True)
        return self.adjoint(self.conv(x, w), w, dy)

    def sum_pool(self, x):
        ones = torch.ones(x.shape[3], 1, *self.kernel, dtype=torch.float64)
        y = F.conv2d(self.padded(x.permute(0, 3, 1, 2)), ones, stride=self.stride, dilation=self.dilation,
                     groups=x.shape[3])
        return y.permute(0, 2, 3, 1)

    def sum_pool_dx(self, dy):
        x = torch.zeros(dy.shape[0], *self.image, dy.shape[3], dtype=torch.float64, requires_grad=True)
        return self.adjoint(self.sum_pool(x), x, dy)

    def max_pool(self, x):
        y = F.max_pool2d(self.padded(x.permute(0, 3, 1, 2), -math.inf), self.kernel, self.stride, 0, self.dilation)
        return y.permute(0, 2, 3, 1)

    def pixel(self, oh, ow, k):
        """Image pixel of window element k, None if it is padding."""
        ih = oh * self.stride[0] - self.top + k // self.kernel[1] * self.dilation[0]
        iw = ow * self.stride[1] - self.left + k % self.kernel[1] * self.dilation[1]
        return (ih, iw) if 0 <= ih < self.image[0] and 0 <= iw < self.image[1] else None

    def max_index(self, x):
        """The first maximum of each window, by plain loops."""
        shape = self.max_pool(x).shape
        index = torch.zeros(shape, dtype=torch.int64)
        for at in np.ndindex(*shape):
            n, oh, ow, c = at
            best = None
            for k in range(self.kernel[0] * self.kernel[1]):
                p = self.pixel(oh, ow, k)
                if p is not None and (best is None or x[n, p[0], p[1], c] > best):
                    best, index[at] = x[n, p[0], p[1], c], k
        return index

    def gather(self, x, index):
        y = torch.zeros(index.shape, dtype=torch.float64)
        for at in np.ndindex(*index.shape):
            p = self.pixel(at[1], at[2], int(index[at]))
            if p is not None:
                y[at] = x[at[0], p[0], p[1], at[3]]
        return y

    def scatter(self, dy, index):
        x = torch.zeros(dy.shape[0], *self.image, dy.shape[3], dtype=torch.float64)
        for at in np.ndindex(*index.shape):
            p = self.pixel(at[1], at[2], int(index[at]))
            if p is not None:
                x[at[0], p[0], p[1], at[3]] += dy[at]
        return x


CONV = {
    # name: (window, x, w, y)
    "plain": (Window((3, 2), (5, 4)), (2, 5, 4, 3), (2, 3, 2, 3), (2, 3, 3, 2)),
    "stride": (Window((2, 2), (5, 6), stride=(2, 3)), (2, 5, 6, 2), (3, 2, 2, 2), (2, 2, 2, 3)),
    "padded": (Window((3, 3), (4, 4), pad=(1, 2, 0, 1)), (1, 4, 4, 2), (2, 3, 3, 2), (1, 5, 3, 2)),
    "dilated": (Window((2, 3), (5, 6), dilation=(3, 2)), (1, 5, 6, 2), (2, 2, 3, 2), (1, 2, 2, 2)),
    "grouped": (Window((2, 2), (3, 3), groups=2), (2, 3, 3, 4), (6, 2, 2, 2), (2, 2, 2, 6)),
    "depthwise": (Window((2, 2), (3, 3), groups=3), (2, 3, 3, 3), (3, 2, 2, 1), (2, 2, 2, 3)),
    "pointwise": (Window((1, 1), (2, 3)), (2, 2, 3, 3), (4, 1, 1, 3), (2, 2, 3, 4)),
    "every": (Window((3, 2), (5, 4), stride=(2, 1), dilation=(1, 2), pad=(1, 1, 2, 1), groups=2),
              (2, 5, 4, 4), (2, 3, 2, 2), (2, 3, 5, 2)),
}
TILES = Window((2, 2), (5, 4), stride=(2, 2))
OVERLAP = Window((3, 2), (5, 4), stride=(2, 1), pad=(1, 1, 0, 1))
SPARSE = Window((2, 2), (5, 5), dilation=(2, 3))
TILES_Y, OVERLAP_Y, SPARSE_Y = (2, 2, 2, 3), (2, 3, 4, 2), (1, 3, 2, 2)

# ---- the examples -------------------------------------------------------------------------------------------------

examples = []


def example(name, inputs, f):
    examples.append((name, inputs, f))


def same(gen, shape=(2, 3, 4)):
    return [(gen, shape), (gen, shape)]


def row(gen):
    return [(gen, (2, 3)), (gen, (3,))]


def both(gen):
    return [(gen, (2, 1, 4)), (gen, (3, 1))]


def scalar(gen):
    return [(gen, ()), (gen, (2, 3))]


def onehot(index, k):
    return (index[..., None] == torch.arange(k)).double()


def store_block():
    x = torch.zeros(16, dtype=torch.float64)
    x[:6] = tensor("signed", (6,), 0)
    return x


def cross_entropy(x, label):
    loss = F.cross_entropy(x, torch.where(label < x.shape[1], label, torch.tensor(-100)), reduction="none")
    return loss


def topk(x, k):
    kept = torch.argsort(-x.abs(), stable=True)[:k]
    y = torch.zeros_like(x)
    y[kept] = x[kept]
    return y


def pack(a, b):
    y = torch.zeros(16, dtype=torch.float64)
    y[1:7], y[10:14] = a.flatten(), b
    return y


def avg_pool(x):
    return Window((2, 3), (4, 4), stride=(2, 1), pad=(0, 0, 1, 0)).sum_pool(x) / 6


def first_argmax(x):
    return torch.from_numpy(np.argmax(x.numpy(), axis=-1))


X = [("signed", (2, 3, 4))]
AWAY = [("away", (2, 3, 4))]
POSITIVE = [("positive", (2, 3, 4))]
DISTINCT = [("distinct", (2, 3, 4))]

example("input", [("signed", (2, 3))], lambda x: x)
example("store", [], lambda: tensor("signed", (2, 3), 0))
example("block", [], store_block)
example("fill", [("signed", (1,))], lambda x: torch.full((3, 2), -1.25))
example("rand/uniform", [("ids", (3,))], lambda ids: draws(uniform, 0x123456789ABCDEF0, 7, ids, (3, 2, 3)))
example("rand/normal", [("ids", (3,))], lambda ids: draws(normal, 99, 0xFFFFFFF0, ids, (3, 5)))

example("neg", X, torch.neg)
example("abs", AWAY, torch.abs)
example("sign", AWAY, torch.sign)
example("step", AWAY, lambda x: (x > 0).double())
example("exp", X, torch.exp)
example("log", POSITIVE, torch.log)
example("sqrt", POSITIVE, torch.sqrt)
example("recip", POSITIVE, torch.reciprocal)
example("tanh", X, torch.tanh)
example("sigmoid", X, torch.sigmoid)
example("softplus", X, F.softplus)
example("relu", AWAY, F.relu)
example("round_bf16", X, lambda x: x.bfloat16())
example("round_f16", X, lambda x: (x + 32).half())

example("cast/to_f32", [("signed", (2, 3))], lambda x: x)
example("cast/to_f64", [("signed", (2, 3))], lambda x: x)
example("cast/i32_to_f64", [("int", (2, 3))], lambda x: x.double())
example("cast/i64_to_f64", [("ids", (6,))], lambda x: x.double())
example("cast/to_i32", [("signed", (2, 8))], lambda x: torch.trunc(8 * x))
example("cast/i32_to_i64", [("int", (2, 3))], lambda x: x)
example("cast/to_u8_saturates", [("away", (2, 8))], lambda x: torch.trunc((300 * x).clamp(0, 255)))
example("stop_grad", [("signed", (2, 3))], lambda x: x)

example("add", same("signed"), torch.add)
example("add/row", row("signed"), torch.add)
example("add/both_stretch", both("signed"), torch.add)
example("add/scalar", scalar("signed"), torch.add)
example("sub", same("signed"), torch.sub)
example("sub/both_stretch", both("signed"), torch.sub)
example("mul", same("signed"), torch.mul)
example("mul/row", row("signed"), torch.mul)
example("mul/scalar", scalar("signed"), torch.mul)
example("mul/self", [("signed", (2, 3))], lambda x: x * x)
example("div", same("positive"), torch.div)
example("div/both_stretch", both("positive"), torch.div)
example("max", same("distinct"), torch.maximum)
example("max/row", row("distinct"), torch.maximum)
example("min", same("distinct"), torch.minimum)
example("min/row", row("distinct"), torch.minimum)
example("eq", same("binary"), torch.eq)
example("eq/i32", both("int"), torch.eq)
example("gt", same("signed"), torch.gt)
example("gt/i32", both("int"), torch.gt)
example("select", [("binary", (2, 3)), ("signed", (2, 3)), ("signed", (2, 3))], lambda c, a, b: torch.where(c != 0, a, b))
example("select/stretch", [("binary", (2, 1)), ("signed", (3,)), ("signed", (2, 3))],
        lambda c, a, b: torch.where(c != 0, a, b))
example("select/i32", [("label", (6,), 2), ("int", (6,)), ("int", (6,))], lambda c, a, b: torch.where(c != 0, a, b))

example("square", [("signed", (2, 3))], torch.square)
example("affine", [("signed", (2, 3))], lambda x: 0.75 - 2.5 * x)
example("leaky_relu", AWAY, lambda x: F.leaky_relu(x, 0.125))
example("elu", AWAY, lambda x: F.elu(x, 1.5))
example("bce_logits", same("signed"), lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="none"))
example("squared_error", same("signed"), lambda x, t: F.mse_loss(x, t, reduction="none"))
example("flatten", X, lambda x: x.flatten(1))
example("sum_all", X, torch.sum)
example("avg_pool2d", [("signed", (2, 4, 4, 2))], avg_pool)
example("global_avg_pool", [("signed", (2, 3, 4, 3))], lambda x: x.mean((1, 2)))
example("normalise", [("signed", (5, 3))], lambda x: F.batch_norm(x, None, None, training=True, eps=0.0625))

example("reshape", X, lambda x: x.reshape(4, 6))
example("reshape/open", X, lambda x: x.reshape(3, -1, 2))
example("permute/3", X, lambda x: x.permute(2, 0, 1))
example("permute/nhwc_nchw", [("signed", (2, 3, 2, 4))], lambda x: x.permute(0, 3, 1, 2))
example("permute/transpose", X, lambda x: x.transpose(1, 2))
example("permute/i32", [("int", (2, 3, 4))], lambda x: x.permute(2, 0, 1))
example("bcast/rows", [("signed", (3,))], lambda x: x.expand(4, 3))
example("bcast/middle", [("signed", (2, 1, 3))], lambda x: x.expand(2, 4, 3))
example("bcast/column", [("signed", (3, 1))], lambda x: x.expand(3, 5))
example("bcast/one", [("signed", (1, 1))], lambda x: x.expand(4, 3))
example("slice", [("signed", (3, 3, 4))], lambda x: x[1:3, 0:3, 2:4])
example("slice/empty", [("signed", (3, 4))], lambda x: x[2:2, 1:3])
example("slice/i32", [("int", (3, 3, 4))], lambda x: x[1:3, 0:3, 2:4])
example("pad", [("signed", (2, 3, 2))], lambda x: F.pad(x, (2, 1, 0, 1, 1, 0)))
example("pad/i32", [("int", (2, 3, 2))], lambda x: F.pad(x, (2, 1, 0, 1, 1, 0)))
example("concat/first", [("signed", (2, 3)), ("signed", (1, 3))], lambda *x: torch.cat(x, 0))
example("concat/middle", [("signed", (2, 1, 3)), ("signed", (2, 3, 3)), ("signed", (2, 2, 3))], lambda *x: torch.cat(x, 1))
example("concat/last", [("signed", (2, 2, 3)), ("signed", (2, 2, 1))], lambda *x: torch.cat(x, 2))
example("concat/i32", [("int", (2, 2, 3)), ("int", (2, 2, 1))], lambda *x: torch.cat(x, 2))

example("reduce_sum/first", X, lambda x: x.sum(0))
example("reduce_sum/middle", X, lambda x: x.sum(1))
example("reduce_sum/last", X, lambda x: x.sum(2))
example("reduce_sum/outer", X, lambda x: x.sum((0, 2)))
example("reduce_sum/every", X, lambda x: x.sum())
example("reduce_max/first", DISTINCT, lambda x: x.amax(0))
example("reduce_max/last", DISTINCT, lambda x: x.amax(2))
example("reduce_max/outer", DISTINCT, lambda x: x.amax((0, 2)))
example("argmax", [("distinct", (2, 3, 5))], first_argmax)
example("argmax/ties", [("binary", (4, 5))], first_argmax)
example("one_hot", [("label", (4,), 5)], lambda i: onehot(i, 5))
example("one_hot/out_of_range", [("label", (2, 3), 9)], lambda i: onehot(i, 5))

example("matmul/nn", [("signed", (2, 3)), ("signed", (3, 4))], lambda a, b: a @ b)
example("matmul/nt", [("signed", (2, 3)), ("signed", (4, 3))], lambda a, b: a @ b.mT)
example("matmul/tn", [("signed", (3, 2)), ("signed", (3, 4))], lambda a, b: a.mT @ b)
example("matmul/tt", [("signed", (3, 2)), ("signed", (4, 3))], lambda a, b: a.mT @ b.mT)
example("matmul/batch_nn", [("signed", (2, 2, 3)), ("signed", (2, 3, 4))], lambda a, b: a @ b)
example("matmul/batch_nt", [("signed", (2, 2, 3)), ("signed", (2, 4, 3))], lambda a, b: a @ b.mT)
example("matmul/batch_tn", [("signed", (2, 3, 2)), ("signed", (2, 3, 4))], lambda a, b: a.mT @ b)
example("matmul/batch_tt", [("signed", (2, 3, 2)), ("signed", (2, 4, 3))], lambda a, b: a.mT @ b.mT)
example("matmul/inner_one", [("signed", (2, 1)), ("signed", (1, 3))], lambda a, b: a @ b)

for name, (w, xs, ws, ys) in CONV.items():
    example("conv/" + name, [("signed", xs), ("signed", ws)], w.conv)
    example("conv_dx/" + name, [("signed", ys), ("signed", ws)], w.conv_dx)
    example("conv_dw/" + name, [("signed", xs), ("signed", ys)], w.conv_dw)
for name, w, xs, ys in (("tiles", TILES, (2, 5, 4, 3), TILES_Y), ("overlap", OVERLAP, (2, 5, 4, 2), OVERLAP_Y),
                        ("sparse", SPARSE, (1, 5, 5, 2), SPARSE_Y)):
    example("sum_pool/" + name, [("signed", xs)], w.sum_pool)
    example("sum_pool_dx/" + name, [("signed", ys)], w.sum_pool_dx)
    example("max_pool/" + name, [("distinct", xs)], w.max_pool)
    example("max_pool_index/" + name, [("distinct", xs)], w.max_index)
example("max_pool_index/ties", [("binary", (2, 5, 4, 2))], OVERLAP.max_index)
for name, w, xs, ys, mod in (("tiles", TILES, (2, 5, 4, 3), TILES_Y, 4), ("padding", OVERLAP, (2, 5, 4, 2), OVERLAP_Y, 6)):
    example("window_gather/" + name, [("signed", xs), ("index", ys, mod)], w.gather)
    example("window_scatter/" + name, [("signed", ys), ("index", ys, mod)], w.scatter)

example("allreduce/one_rank", [("signed", (2, 3))], lambda x: x)
example("allreduce/wire", [("signed", (2, 3))], lambda x: x)
example("reduce_scatter/one_rank", [("signed", (7,))], lambda x: x[2:5])
example("allgather/one_rank", [("signed", (3,))], lambda x: F.pad(x, (2, 2)))
example("assign", [("positive", (2, 3))], lambda x: x)
example("softmax", [("signed", (3, 5))], lambda x: F.softmax(x, -1))
example("softmax/rank3", X, lambda x: F.softmax(x, -1))
example("log_softmax", [("signed", (3, 5))], lambda x: F.log_softmax(x, -1))
example("log_softmax/rank3", X, lambda x: F.log_softmax(x, -1))
example("cross_entropy", [("signed", (4, 5)), ("label", (4,), 5)], cross_entropy)
example("cross_entropy/no_label", [("signed", (4, 5)), ("label", (4,), 9)], cross_entropy)
example("dropout", [("signed", (3, 2, 4)), ("ids", (3,))], dropout(0.375))
example("dropout/none", [("signed", (3, 4)), ("ids", (3,))], dropout(0.0))
example("gather_block", [], store_block)
example("view", [("signed", (9,))], lambda x: x[1:7].reshape(2, 3))
example("pack", [("signed", (2, 3)), ("signed", (4,))], pack)
example("topk", [("signed", (19,))], lambda x: topk(x, 5))
example("topk/ties", [("binary", (19,))], lambda x: topk(x, 5))
example("topk/all", [("signed", (19,))], lambda x: topk(x, 19))
example("topk/none", [("signed", (19,))], lambda x: topk(x, 0))
BIASED = [("away", (2, 2, 3)), ("signed", (3,))]
example("bias_act/none", BIASED, lambda x, b: x + b)
example("bias_act/relu", BIASED, lambda x, b: F.relu(x + b))
example("bias_act/sigmoid", BIASED, lambda x, b: torch.sigmoid(x + b))
example("bias_act/tanh", BIASED, lambda x, b: torch.tanh(x + b))
example("fused", [("signed", (4, 3)), ("signed", (3,)), ("signed", (4, 1)), ("signed", ())],
        lambda x, r, c, s: torch.tanh(x * r + c) * s)

for name, inputs, f in examples:
    y = f(*(tensor(spec[0], spec[1], salt, *spec[2:]) for salt, spec in enumerate(inputs)))
    values = y.detach().double().contiguous().flatten().tolist()
    print(name, len(values), *("%.17g" % v for v in values))
