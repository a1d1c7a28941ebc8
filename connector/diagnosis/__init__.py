"""Tests connections stage by stage, from the values to the webhook secrets, and says what to do about what is wrong.

It reads only. `chatforge doctor` and the page of connections show what it finds.
"""
