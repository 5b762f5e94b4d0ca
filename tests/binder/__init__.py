"""The image of binder/ in the sandbox that Binder gives it: `make test-binder`. Builds for minutes, needs a network."""
