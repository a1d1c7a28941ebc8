"""What makes foreign runners load the connector, each from the same declarations."""
