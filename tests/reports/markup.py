"""A page as a tree, read strictly: what isn't closed, or closed by another, is an error."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "img", "br", "hr", "wbr", "input"}


@dataclass
class Element:
    """An element with its attributes, and what is in it: text and elements."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, with single spaces."""
        inner = (child if isinstance(child, str) else child.text for child in self.children)
        return " ".join("".join(inner).split())

    def all(self, *tags: str, **attributes: str) -> "Iterator[Element]":
        """Every element inside of one of these tags, or of any, with these attributes, in order."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        for child in self.children:
            if isinstance(child, Element):
                if (not tags or child.tag in tags) and wanted.items() <= child.attributes.items():
                    yield child
                yield from child.all(*tags, **attributes)

    def one(self, *tags: str, **attributes: str) -> "Element":
        """The only one of them."""
        (found,) = self.all(*tags, **attributes)
        return found

    def section(self, name: str) -> "Element":
        """The section under the heading of this id."""
        return self.one("section", **{"aria-labelledby": name})

    def rows(self, caption: str) -> list[list[str]]:
        """The texts of the cells, header first, of the table whose caption starts so; without small notes."""
        (table,) = (each for each in self.all("table") if each.one("caption").text.startswith(caption))
        return [[_without_note(cell) for cell in row.all("th", "td")] for row in table.all("tr")]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("document")]

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names), f"{tag}: an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attributes})
        self.open[-1].children.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"<{closed.tag}> is closed by </{tag}>, line {self.getpos()[0]}"

    def handle_data(self, text: str) -> None:
        self.open[-1].children.append(text)


def read(html: str) -> Element:
    """Return the document; AssertionError where its elements don't nest."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert [element.tag for element in reader.open] == ["document"], "something is left open"
    return reader.open[0]


def _without_note(cell: Element) -> str:
    kept = [child for child in cell.children if isinstance(child, str) or child.tag != "small"]
    return Element("cell", {}, kept).text


def markdown_rows(text: str, header: str) -> list[list[str]]:
    """The cells, header first, of the table in Markdown whose header starts so, without marks for code."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith(f"| {header} |"))
    end = next((place for place in range(start, len(lines)) if not lines[place]), len(lines))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[start:end]]
    return [[cell.replace("`", "") for cell in row] for row in (cells[0], *cells[2:])]
