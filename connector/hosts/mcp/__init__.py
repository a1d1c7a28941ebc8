"""A server of the Model Context Protocol: actions and flows as tools; agents, leads and runs as resources."""
