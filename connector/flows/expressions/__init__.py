"""Expressions: `syntax` reads them, `inference` types them, `evaluation` turns them into closures."""
