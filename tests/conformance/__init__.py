"""The Docker SDK's own integration tests as a judge of the embedded engine; see run.py."""
