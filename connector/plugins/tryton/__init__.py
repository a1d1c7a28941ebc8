"""Parties and opportunities in Tryton, by the REST interface of its server (trytond/protocols/rest.py of 8.2)."""
