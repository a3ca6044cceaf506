"""page.py FILE EXPRESSION: whether a Python expression holds for an HTML document. text(id): what stands in the element;
count(id, tag[, classes]): how many such elements there are in it ("page": the whole document); points(id): those of polylines;
title()."""
import html.parser
import sys


class Page(html.parser.HTMLParser):
    """Elements as (ids of those around it and its own, tag, attributes); text with the ids around it."""
    EMPTY = {"meta", "link", "img", "br", "input", "hr"}

    def __init__(self, document):
        super().__init__()
        self.open, self.elements, self.texts = [("", "page")], [], []
        self.feed(document)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.open.append((tag, attributes.get("id")))
        self.elements.append(({i for _, i in self.open}, tag, attributes))
        if tag in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        while tag in (t for t, _ in self.open) and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data):
        self.texts.append(({i for _, i in self.open} | {t for t, _ in self.open[:3]}, data))


page = Page(open(sys.argv[1], encoding="utf-8").read())


def text(element):
    return " ".join(" ".join(t for ids, t in page.texts if element in ids).split())


def count(element, tag, classes=None):
    return sum(element in ids and tag == t and (classes is None or a.get("class") == classes) for ids, t, a in page.elements)


def points(element):
    return sum(len(a["points"].split()) for ids, t, a in page.elements if element in ids and t == "polyline")


def title():
    return " ".join(t for ids, t in page.texts if "head" in ids and "svg" not in ids)


if not eval(sys.argv[2]):
    print(f"title {title()!r}, link {text('link')!r}, name {text('run-name')!r}, nothing {text('nothing')!r}, "
          f"{points('curves')} points, run list {text('run-list')!r}, events {text('events')[:300]!r}")
    sys.exit(1)
