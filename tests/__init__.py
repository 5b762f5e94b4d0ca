"""The tests: each folder mirrors one of labkit's, `contract/` runs one body on every engine that is present."""
