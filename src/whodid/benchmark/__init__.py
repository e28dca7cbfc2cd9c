"""What a machine does with whodid, measured by its user: `whodid bench`, and the rows that docs/scale.md is made of."""
