"""Where the parts of a graph stand in a picture: from top to bottom, branches side by side. Lengths are in pixels.

Each node is the head of a block: its box, then a row with what branches off it, then what follows where those meet.
A line that leads past what stands in the row has a lane of its own there. So no line crosses a box.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from connector.flow_graph.graph import Edge, Graph, Node
from connector.flow_graph.texts import Text, cut, measure
from connector.flow_graph.tree import Tree

BOX = 232
TITLE, SMALL = 14, 12
"""The sizes of the fonts."""
_PAD = 12
_LINE = 17
_TURN = 12
"""From the end of a part to where its lines turn aside."""
_ARROW = 14
_GAP = 24
"""Between columns."""
_LANE = 12
_WIDEST_LANE = 150
_MARGIN = 8
_HEADING = 30
_BESIDE = 620
"""Up to this width of the flow, other parts stand beside it, else below."""


@dataclass(frozen=True, slots=True)
class Box:
    node: Node
    x: float
    y: float
    width: float
    height: float
    lines: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Line:
    points: Sequence[tuple[float, float]]
    target: str
    dotted: bool


@dataclass(frozen=True, slots=True)
class Label:
    """`x` is its middle, `y` its base line."""

    x: float
    y: float
    text: Text


@dataclass(frozen=True, slots=True)
class Panel:
    """A frame around a part of the graph."""

    title: Text
    x: float
    y: float
    width: float
    height: float


@dataclass(slots=True)
class Picture:
    width: float = 0.0
    height: float = 0.0
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    panels: list[Panel] = field(default_factory=list)


def arrange(graph: Graph) -> Picture:
    """The same picture for the same graph. Lines between its parts, such as to a called flow, are not in it."""
    picture = Picture()
    main = _Part(graph.nodes, graph.edges)
    main.place(picture, _MARGIN, _MARGIN)
    beside = main.width <= _BESIDE
    x = 2 * _MARGIN + main.width + _GAP if beside else _MARGIN
    y = _MARGIN if beside else 2 * _MARGIN + main.height + _GAP
    picture.width, picture.height = main.width + 2 * _MARGIN, main.height + 2 * _MARGIN
    for inner in graph.inner:
        part = _Part(inner.nodes, graph.edges)
        width, height = part.width + 2 * _PAD, part.height + _HEADING + _PAD
        picture.panels.append(Panel(cut(inner.title, part.width, SMALL), x, y, width, height))
        part.place(picture, x + _PAD, y + _HEADING)
        picture.width = max(picture.width, x + width + _MARGIN)
        picture.height = max(picture.height, y + height + _MARGIN)
        y += height + _GAP
    return picture


@dataclass(slots=True)
class _Column:
    """What stands in the row below a box: the block of the edge's target, or a lane."""

    edge: Edge
    is_lane: bool
    lines: Sequence[Text]
    left: float
    right: float
    height: float


@dataclass(slots=True)
class _Block:
    """`left` and `right` reach from the middle of its box; what has a place below the box has it from there."""

    lines: Sequence[Text]
    above: Sequence[Text]
    """The labels of the line that leads to it."""
    head: float
    """The height of that line's end."""
    box: float
    left: float = BOX / 2
    right: float = BOX / 2
    height: float = 0.0
    lanes: list[tuple[_Column, float]] = field(default_factory=list)
    below: list[tuple[str, float, float]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0


class _Part:
    """The flow, or another part of the graph that stands by itself."""

    def __init__(self, nodes: Sequence[Node], edges: Iterable[Edge]) -> None:
        self._nodes = {node.id: node for node in nodes}
        self._tree = Tree.of(nodes, edges)
        self._joins = self._tree.joins()
        self._passed = self._tree.passed(self._joins)
        self._blocks: dict[str, _Block] = {}
        for node in reversed(nodes):
            self._blocks[node.id] = self._block(node)
        roots = [self._blocks[one] for one, parent in self._tree.parent.items() if parent is None]
        self._left = max((root.left for root in roots), default=0.0)
        self.width = self._left + max((root.right for root in roots), default=0.0)
        self.height = sum(root.height + _ARROW for root in roots) - _ARROW

    def place(self, picture: Picture, x: float, y: float) -> None:
        """Add the boxes and lines to the picture, with the corner at `x`, `y`."""
        for one, parent in self._tree.parent.items():
            block = self._blocks[one]
            if parent is None:
                block.x, block.y = x + self._left, y
                y += block.height + _ARROW
            for child, right, down in block.below:
                self._blocks[child].x, self._blocks[child].y = block.x + right, block.y + down
        for one, node in self._nodes.items():
            block = self._blocks[one]
            top = block.y + block.head
            picture.boxes.append(Box(node, block.x - BOX / 2, top, BOX, block.box, block.lines))
            picture.labels += _labels(block.above, block.x, block.y + _TURN)
            picture.lines += [self._line(edge) for edge in self._tree.out[one]]
            for column, right in block.lanes:
                picture.labels += _labels(column.lines, block.x + right, top + block.box + _TURN)

    def _block(self, node: Node) -> _Block:
        incoming = self._tree.into[node.id]
        above = [cut(line, BOX + _GAP / 2, SMALL) for line in _shared(incoming)]
        head = _TURN + _LINE * len(above) + _ARROW if incoming else 0.0
        lines = [cut(line, BOX - 2 * _PAD, TITLE if not at else SMALL) for at, line in enumerate(node.lines) if line]
        block = _Block(lines, above, head, 2 * _PAD + _LINE * len(lines) - 4)
        end = self._row(node, block, head + block.box)
        block.height = self._follow(node, block, end)
        return block

    def _row(self, node: Node, block: _Block, top: float) -> float:
        """Put side by side what branches off; where that ends."""
        columns = [self._column(edge) for edge in self._tree.out[node.id]]
        if node.shape != "branch" and len(columns) > 1:  # the flow goes straight on, what else there is stands aside
            columns = [self._lane(columns[-1].edge), *columns[:-1]]
        if len(columns) == 1 and columns[0].is_lane:
            return top
        places, x = [], 0.0
        for column in columns:
            places.append(x + column.left)
            x += column.left + column.right + _GAP
        middle = (places[0] + places[-1]) / 2 if node.shape == "branch" else places[0] if places else 0.0
        for column, place in zip(columns, places, strict=True):
            block.left = max(block.left, middle - place + column.left)
            block.right = max(block.right, place - middle + column.right)
            if column.is_lane:
                block.lanes.append((column, place - middle))
            else:
                block.below.append((column.edge.target, place - middle, top))
        return top + max((column.height for column in columns), default=0.0)

    def _column(self, edge: Edge) -> _Column:
        if not self._tree.branches_off(edge):
            return self._lane(edge)
        block = self._blocks[edge.target]
        return _Column(edge, False, (), block.left, block.right, block.height)

    def _lane(self, edge: Edge) -> _Column:
        shared = len(_shared(self._tree.into[edge.target]))
        lines = [cut(line, _WIDEST_LANE, SMALL) for line in edge.lines[: len(edge.lines) - shared]]
        side = max([_LANE, *(measure(line.shown, SMALL) / 2 for line in lines)])
        return _Column(edge, True, lines, side, side, _TURN + _LINE * len(lines) + _ARROW if lines else _TURN)

    def _follow(self, node: Node, block: _Block, top: float) -> float:
        """Put below the row what follows it, or beside where lines go on downwards from the row; where that ends."""
        placed = {one for one, _, _ in block.below}
        rest = [edge.target for edge in self._tree.out[node.id] if self._tree.branches_off(edge)]
        names = [*(one for one in rest if one not in placed), *self._joins[node.id]]
        found = [self._blocks[one] for one in names]
        if not found:
            return top
        total = sum(one.left + one.right for one in found) + _GAP * (len(found) - 1)
        x = -found[0].left if len(found) == 1 else -total / 2
        if node.id in self._passed and self._joins[node.id]:
            x = block.right + _GAP
        for name, one in zip(names, found, strict=True):
            block.below.append((name, x + one.left, top))
            block.left, block.right = max(block.left, -x), max(block.right, x + one.left + one.right)
            x += one.left + one.right + _GAP
        return top + max(one.height for one in found)

    def _line(self, edge: Edge) -> Line:
        source, target = self._blocks[edge.source], self._blocks[edge.target]
        start, turn, end = source.y + source.head + source.box, target.y + _TURN, target.y + target.head
        lanes = [source.x + right for column, right in source.lanes if column.edge is edge]
        lane = lanes[0] if lanes else target.x if self._tree.branches_off(edge) else source.x
        points = [(source.x, start), (source.x, start + _TURN), (lane, start + _TURN), (lane, turn)]
        return Line(_straight([*points, (target.x, turn), (target.x, end)]), edge.target, edge.dotted)


def _shared(edges: Sequence[Edge]) -> Sequence[str]:
    """The lines with which the labels of all of them end."""
    if not edges:
        return ()
    lines, others = [*edges[0].lines], [edge.lines for edge in edges[1:]]
    while lines and any(list(other[-len(lines) :]) != lines for other in others):
        del lines[0]
    return lines


def _labels(lines: Sequence[Text], x: float, y: float) -> list[Label]:
    return [Label(x, y + _LINE * number - 2, text) for number, text in enumerate(lines, 1)]


def _straight(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Without the points at which nothing turns."""
    kept: list[tuple[float, float]] = []
    for point in points:
        while len(kept) > 1 and (kept[-2][0] == kept[-1][0] == point[0] or kept[-2][1] == kept[-1][1] == point[1]):
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    return kept
