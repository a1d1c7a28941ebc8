"""Tests of flows: files `NAME.test.yaml` beside them, in which nothing is called."""
