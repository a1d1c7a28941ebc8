"""An app for the Zapier Platform: `template`, the code that all hosts share, and definitions.json."""
