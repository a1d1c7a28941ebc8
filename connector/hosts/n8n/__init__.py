"""A package of nodes for n8n: `template`, the code that all hosts share, and definitions.json of the declarations."""
