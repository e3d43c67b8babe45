"""Heat maps: one file a method, and the engine that they share."""
