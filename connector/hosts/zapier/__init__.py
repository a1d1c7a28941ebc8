"""An app for the Zapier Platform: code that is the same for all, and definitions.json, which the declarations make."""
