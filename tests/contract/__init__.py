"""What labkit promises of a Docker engine: the same tests on dockerd and on the embedded engine."""
