"""Pictures that a class reacts to: one file a method; engine, parameterisations and transformations are shared."""
