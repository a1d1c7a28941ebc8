"""Expressions made at random, most of them with tempting mistakes, for values of `ROOT` under the name `r`."""

import re
from random import Random

from connector.flows import types
from connector.flows.types import BOOL, INT, NULL, NUMBER, STR, TIME, ListOf, Object, Simple, Type


def nullable(kind: Type) -> Type:
    return types.union([kind, NULL])


WORDS = Simple("str", words=("new", "old", "won"))
ITEM = Object("Item", {"name": STR, "qty": INT, "tag": nullable(STR), "maybe": STR}, frozenset({"name", "qty", "tag"}))
CARD = types.record("Card", {"k": Simple("str", words=("a",)), "x": INT, "both": STR})
BANK = types.record("Bank", {"k": Simple("str", words=("b",)), "y": nullable(STR), "both": nullable(INT)})
ROOT = types.record(
    "Root",
    {
        "s": STR,
        "sn": nullable(STR),
        "i": INT,
        "inn": nullable(INT),
        "n": NUMBER,
        "b": BOOL,
        "bn": nullable(BOOL),
        "yes": Simple("bool", words=(True,)),
        "one": Simple("int", words=(1, 2)),
        "t": TIME,
        "tn": nullable(TIME),
        "e": WORDS,
        "en": nullable(WORDS),
        "ls": ListOf(STR),
        "lsn": nullable(ListOf(nullable(STR))),
        "o": ITEM,
        "on": nullable(ITEM),
        "lo": ListOf(ITEM),
        "m": Object("map", {}, extra=INT),
        "mn": nullable(Object("map", {}, extra=nullable(STR))),
        "u": types.union([CARD, BANK]),
        "un": types.union([CARD, BANK, NULL]),
        "si": types.union([STR, INT]),
    },
)

PARTS: dict[str, tuple[str, ...]] = {
    "test": ("!= null", "== null", "== 'new'", "== 1", "== true", "!= 'x'"),
    "order": ("<", ">=", "=="),
    "sign": tuple("+-*/%"),
    "use": ("{p}.lower() == 'x'", "{p} > 0", "size({p}) > 0", "{p}.name == 'a'", "{p}.qty > 1", "{p}"),
    "zone": ("'Europe/Berlin'", "'UTC'", "({bool} ? 'Asia/Tokyo' : 'America/Lima')", "{str}", "'Berlin'"),
    "pattern": ("'%d.%m.%Y %H:%M %Z'", "({bool} ? '%A %j' : '%I %p')", "'DD.MM'", "{str}"),
    "hours": ("'Mon-Fri 09:00-17:00'", "'22:00-06:00; Sun'", "({bool} ? 'Mon' : '00:00-24:00')", "'9-17'", "{str}"),
    "macro": ("exists", "all", "filter", "map"),
}
LEAVES: dict[str, tuple[str, ...]] = {
    "bool": ("r.b", "r.bn == true", "(r.bn ?? false)", "true", "r.yes", "r.bn"),
    "str": ("r.s", "(r.sn ?? '')", "'new'", "r.e", "r.sn", "(r.ls[0] ?? 'x')", "''", "'12'", "'https://a.b/c?d=e'"),
    "num": ("r.i", "r.n", "1", "(r.inn ?? 0)", "r.one", "0", "2.5", "r.inn"),
    "time": ("r.t", "'2026-03-25T10:30:00Z'", "(r.tn ?? r.t)", "add_duration(r.t, '15m')"),
    "list": ("r.ls", "(r.lsn ?? [])", "['a', r.s]", "[1, r.sn]", "r.lo", "[]", "[r.o, r.on]", "r.lsn"),
    "path": ("{p}",),
}
# Those for any kind come with each of them; `{p}` is the same path wherever it stands.
ANY_KIND = (
    "({p} ?? {kind})",
    "default({p}, {kind})",
    "({bool} ? {kind} : {kind})",
    "({p} != null ? {p} : {kind})",
    "({p} == null ? {kind} : {p})",
)
TEMPLATES: dict[str, tuple[str, ...]] = {
    "bool": (
        "({bool} && {bool})",
        "({bool} || {bool})",
        "!{bool}",
        "({str} == {str})",
        "({num} {order} {num})",
        "({time} {order} {time})",
        "({str} in {list})",
        "({path} == {path})",
        "({p} {test} && {use})",
        "({p} {test} || {use})",
        "(!({p} {test}) && {use})",
        "contains({str}, {str})",
        "{str}.starts_with({str})",
        "ends_with({str}, {str})",
        "within({time}, {hours}, {zone})",
        "{list}.exists({new}, {bool})",
        "all({list}, {new}, {bool})",
        "{list}.exists({new}, {item} {test} && {use})",
        "({list}.exists({new}, {p} {test}) && {use})",
        "({list}.all({new}, {p} {test}) || {use})",
        "r.lo.filter({new}, {item}.{tag} != null).exists({new}, size({item}.{tag}) > 0)",
    ),
    "str": (
        "({str} + {str})",
        "{str}.{case}()",
        "string({num})",
        "replace({str}, {str}, {str})",
        "first({list})",
        "join({list}, {str})",
        "json({any})",
        "url_encode({str})",
        "url_host({str})",
        "(url_path({str}) ?? {str})",
        "url_query({str}).a",
        "(url_query({str})['d'] ?? {str})",
        "format_time({time}, {pattern})",
        "format_time({time}, {pattern}, {zone})",
    ),
    "num": (
        "({num} {sign} {num})",
        "-{num}",
        "size({list})",
        "size({str})",
        "int({num})",
        "(int({str}) ?? {num})",
        "number({str})",
        "(number({any}) ?? 0)",
        "age({time})",
    ),
    "time": ("add_duration({time}, '1d')", "add_duration({time}, {str})"),
    "list": (
        "[{any}, {str}]",
        "split({str}, {str})",
        "{list}.map({new}, {any})",
        "{list}.map({new}, {item}.{tag})",
        "{list}.filter({new}, {bool})",
        "{list}.filter({new}, {item} != null)",
        "{list}.filter({new}, {p} {test} && {use})",
        "{list}.filter({new}, {item}?.{tag} != null)",
        "[last({list}), {any}]",
    ),
}


class Maker:
    """Makes expressions that are likely to be of a wanted kind."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.items: list[str] = []
        """The names of items of lists that may be used."""

    def path(self) -> str:
        """Fields and items from the root or an item, nullable ones with and without `?.`."""
        text, owner = "r", ROOT
        if self.items and self.random.random() < 0.5:
            text, owner = self.random.choice(self.items), ITEM
            if self.random.random() < 0.4:
                return text
        while True:
            name = self.random.choice([*owner.fields, "zz"])
            dot = self.random.choice((".", ".", "?."))
            text += f"['{name}']" if self.random.random() < 0.1 else f"{dot}{name}"
            kind = owner.fields.get(name, owner.extra or NULL)
            while lists := [part for part in types.parts(kind) if isinstance(part, ListOf)]:
                text, kind = f"{text}[{self.random.choice(('0', '1', 'r.i', 'size(r.ls) - 1'))}]", lists[0].item
            objects = [part for part in types.parts(kind) if isinstance(part, Object)]
            if not objects or self.random.random() < 0.3:
                return text
            owner = self.random.choice(objects)

    def make(self, kind: str, depth: int) -> str:
        if kind == "any":
            kind = self.random.choice(("bool", "str", "num", "time", "list", "path"))
        if self.random.random() < (0.3 if self.items else 0.1):
            kind = "path"
        if depth <= 0 or kind == "path" or self.random.random() < 0.25:
            return self.fill(self.random.choice(LEAVES[kind]), kind, depth)
        templates = TEMPLATES[kind] if self.random.random() < 0.7 else ANY_KIND
        return self.fill(self.random.choice(templates), kind, depth - 1)

    def fill(self, template: str, kind: str, depth: int) -> str:
        """The template with its `{…}` replaced from left to right; its items are known up to its end."""
        own, outer = {"p": "", "kind": kind}, len(self.items)

        def part(match: re.Match[str]) -> str:
            name = match[1]
            if name == "p":
                own["p"] = own["p"] or self.path()
                return own["p"]
            if name in PARTS:
                return _HOLE.sub(part, self.random.choice(PARTS[name]))
            return self._word(name) or self.make(own.get(name, name), depth)

        text = _HOLE.sub(part, template)
        del self.items[outer:]
        return text

    def _word(self, name: str) -> str | None:
        if name == "new":
            names = ("x", "y", "z", "x1", "r", "item") if self.random.random() < 0.1 else ("x", "y", "z")
            self.items.append(self.random.choice([n for n in names if n not in self.items] or ["w"]))
        words = {"tag": ("tag", "name", "maybe", "zz"), "case": ("lower", "upper", "trim")}
        if name in ("new", "item"):
            return self.items[-1]
        return self.random.choice(words[name]) if name in words else None


_HOLE = re.compile(r"\{(\w+)\}")
