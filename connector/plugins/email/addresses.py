"""Reads e-mail addresses so strictly that nothing in one can be taken for a second address or a header."""

import re

import idna

_LOCAL = re.compile(r"[^\s@<>()\[\],:;\\\"\ufffd]+")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_LONGEST_LOCAL, _LONGEST = 64, 254  # bytes, RFC 5321


def to_mailbox(text: str) -> str:
    """`ann@müller.example` → `ann@xn--mller-kva.example`. Raises ValueError for what is not one bare address."""
    local, at, domain = text.strip().rpartition("@")
    dotted = local.startswith(".") or local.endswith(".") or ".." in local
    encoded = "=?" in local  # a word in which anything may stand
    shown = local.isprintable() and _LOCAL.fullmatch(local)
    if not at or not shown or dotted or encoded or len(local.encode()) > _LONGEST_LOCAL:
        raise ValueError("expected one address, such as ann@example.com")
    mailbox = f"{local}@{to_ascii_domain(domain)}"
    if len(mailbox.encode()) > _LONGEST:
        raise ValueError("expected an address of at most 254 bytes")
    return mailbox


def to_ascii_domain(domain: str) -> str:
    """`müller.example` → `xn--mller-kva.example`. Raises ValueError."""
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except UnicodeError:  # idna.IDNAError is one
            domain = ""
    if not domain or not all(_LABEL.fullmatch(label) for label in domain.split(".")):
        raise ValueError("expected a domain such as example.com behind the @")
    return domain
