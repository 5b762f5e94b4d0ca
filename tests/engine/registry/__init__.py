"""Pull and push: against a registry of the test's own, which can fail in every way, and against a real one."""
