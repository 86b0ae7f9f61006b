"""Our own networks: the preset `compact`."""
