"""Pictures that a class reacts to: one file a method, and the engine, parameterisations and transformations they share."""
