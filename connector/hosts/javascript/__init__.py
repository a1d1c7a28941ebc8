"""What packages in JavaScript have in common: the code in `library`, and definitions.json of the declarations."""
