"""Requests to any service that speaks HTTP: `http.request`."""
