#!/usr/bin/python3
"""Reference values of the judges of features (src/method/judge.h) from numpy and PyTorch, in float64.

Usage: gen_judge.py  (writes pca_values.h, tsne_values.h, knn_values.h, roc_values.h and probe_values.h in tests/method)"""
import os

import numpy as np
import torch

torch.set_default_dtype(torch.float64)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "method")


def table(first, *shape):
    """table_at(first), table_at(first + 1) ... of tests/method/table.h."""
    x = np.arange(first + 1, first + 1 + int(np.prod(shape)), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    x ^= x >> np.uint64(32)
    return ((x >> np.uint64(40)).astype(np.float64) * 2.0**-24 - 0.5).reshape(shape)


def write(name, parts):
    with open(os.path.join(OUT, name + "_values.h"), "w") as f:
        f.write("/* Made by tests/reference/gen_judge.py with numpy %s and PyTorch %s. */\n" % (np.__version__, torch.__version__))
        f.write("/* clang-format off */\n" + "".join(parts))


def doubles(name, values):
    values = np.asarray(values).ravel()
    rows = ["    " + ", ".join("%.17g" % v for v in values[i : i + 5]) for i in range(0, len(values), 5)]
    return "static const double %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


def integers(name, values):
    values = np.asarray(values).ravel()
    rows = ["    " + ", ".join("%d" % v for v in values[i : i + 30]) for i in range(0, len(values), 30)]
    return "static const int %s[%d] = {\n%s};\n" % (name, len(values), ",\n".join(rows))


# ---- principal components: the samples are table_at(i * d + j) * 2^-(j % 4) + j ----


def pca(n, d, k):
    x = table(0, n, d) * 2.0 ** -(np.arange(d) % 4) + np.arange(d)
    x = x.astype(np.float32).astype(np.float64)
    value, vector = np.linalg.eigh(np.cov(x.T))
    value, vector = value[::-1], vector[:, ::-1].T
    vector *= np.sign(vector[np.arange(d), np.abs(vector).argmax(1)])[:, None]
    z = (x - x.mean(0)) @ vector[:k].T
    return value, vector[:k], z


def write_pca():
    value, vector, z = pca(20, 6, 6)
    parts = [doubles("pca_small_value", value), doubles("pca_small_vector", vector), doubles("pca_small_z", z)]
    value, vector, z = pca(400, 150, 4)
    parts += [doubles("pca_large_value", value[:5]), "static const double pca_large_total = %.17g;\n" % value.sum()]
    parts += [doubles("pca_large_vector", vector), doubles("pca_large_z", z[::40])]
    write("pca", parts)


# ---- t-SNE: the samples are table_at(i * 5 + j), the embedding 4 table_at(1000 + ...) ----


def affinities(x, perplexity):
    n = len(x)
    square = ((x[:, None] - x[None]) ** 2).sum(-1)
    p = np.zeros((n, n))
    for i in range(n):
        low, high = 0.0, 1e6
        others = np.arange(n) != i
        for _ in range(300):
            beta = (low + high) / 2
            e = np.exp(-beta * (square[i][others] - square[i][others].min()))
            q = e / e.sum()
            entropy = -(q[q > 0] * np.log(q[q > 0])).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        p[i][others] = q
    return (p + p.T) / (2 * n)


def divergence(p, y):
    square = ((y[:, None] - y[None]) ** 2).sum(-1)
    off = ~torch.eye(len(y), dtype=torch.bool)
    near = 1 / (1 + square[off])
    return (p[off] * (torch.log(p[off]) - torch.log(near / near.sum()))).sum()


def write_tsne():
    n = 14
    p = affinities(table(0, n, 5), 4.0)
    y = torch.tensor(4 * table(1000, n, 2), requires_grad=True)
    kl = divergence(torch.tensor(p), y)
    (gradient,) = torch.autograd.grad(kl, y)
    parts = [doubles("tsne_p", p), doubles("tsne_gradient", gradient.T.detach())]
    write("tsne", parts + ["static const double tsne_divergence = %.17g;\n" % kl.item()])


# ---- neighbours: samples of class c are table_at(...) with 0.3 added to feature c ----


def classes_of(first, n, d, classes):
    label = np.arange(n) % classes
    x = table(first, n, d)
    x[np.arange(n), label] += np.float32(0.3)
    return x.astype(np.float32).astype(np.float64), label


def knn(likeness, label, classes, k, temperature):
    order = np.argsort(-likeness, axis=1, kind="stable")[:, :k]
    votes = np.zeros((len(likeness), classes))
    for i, row in enumerate(order):
        for j in row:
            votes[i, label[j]] += np.exp(likeness[i, j] / temperature) if temperature else 1
    ordered = np.sort(likeness, axis=1)
    assert np.abs(np.diff(ordered, axis=1)).min() > 1e-12  # no order hangs on the last bits
    if temperature:
        top = np.sort(votes, axis=1)
        assert ((top[:, -1] - top[:, -2]) / top[:, -1]).min() > 1e-12
    return votes.argmax(1)


def write_knn():
    a, label = classes_of(0, 300, 6, 4)
    b, _ = classes_of(5000, 270, 6, 4)
    cosine = (b / np.linalg.norm(b, axis=1)[:, None]) @ (a / np.linalg.norm(a, axis=1)[:, None]).T
    distance = np.sqrt(((b[:, None] - a[None]) ** 2).sum(-1))
    parts = [integers("knn_cosine_7", knn(cosine, label, 4, 7, 0)), integers("knn_euclidean_1", knn(-distance, label, 4, 1, 0))]
    parts += [integers("knn_euclidean_20", knn(-distance, label, 4, 20, 0)), integers("knn_weighted_50", knn(cosine, label, 4, 50, 0.07))]
    write("knn", parts)


# ---- ROC: scores floor(8 (table_at(i) + [positive] / 4)), so that many are equal; every third is positive ----


def write_roc():
    n = 60
    positive = np.arange(n) % 3 == 0
    score = np.floor(8 * (table(0, n) + 0.25 * positive))
    pairs = score[positive][:, None] - score[~positive][None]
    area = ((pairs > 0) + 0.5 * (pairs == 0)).mean()
    threshold = np.unique(score)[::-1]
    points = [[(score[~positive] >= t).mean(), (score[positive] >= t).mean(), t] for t in threshold]
    write("roc", ["static const double roc_area = %.17g;\n" % area, doubles("roc_points", points)])


# ---- probe: the samples of neighbours, Newton's method to the last digits ----


def write_probe():
    classes, l2 = 4, 0.01
    x, label = classes_of(0, 300, 6, classes)
    test, _ = classes_of(5000, 270, 6, classes)
    x, t = torch.tensor(x), torch.tensor(label)

    def loss(flat):
        w, b = flat[: 6 * classes].view(6, classes), flat[6 * classes :]
        return torch.nn.functional.cross_entropy(x @ w + b, t) + l2 / 2 * (w**2).sum()

    flat = torch.zeros(7 * classes, requires_grad=True)
    for _ in range(20):  # Newton's method; the Hessian is singular where all biases grow alike
        (gradient,) = torch.autograd.grad(loss(flat), flat)
        hessian = torch.autograd.functional.hessian(loss, flat)
        flat = (flat - torch.linalg.pinv(hessian, rcond=1e-12, hermitian=True) @ gradient).detach().requires_grad_()
    assert gradient.abs().max() < 1e-14
    w, b = flat[: 6 * classes].view(6, classes), flat[6 * classes :]
    b0 = b - b.mean()  # a number added to all biases changes nothing; those found from 0 sum up to 0
    logits = torch.tensor(test) @ w + b
    top = logits.sort(1).values
    assert (top[:, -1] - top[:, -2]).min() > 1e-4
    parts = [doubles("probe_weight", torch.cat([w, b0[None]]).detach()), "static const double probe_loss = %.17g;\n" % loss(flat).item()]
    write("probe", parts + [integers("probe_predicted", logits.argmax(1))])


write_pca()
write_tsne()
write_knn()
write_roc()
write_probe()
