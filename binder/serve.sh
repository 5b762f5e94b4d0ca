#!/bin/sh
# What the image runs: the server of one user of a hub, where a hub has started us; else JupyterLab.
# Binder runs its own command instead. All three read /etc/jupyter/jupyter_server_config.py.
if [ -n "${JUPYTERHUB_API_TOKEN}" ]; then
    exec jupyterhub-singleuser "$@"
fi
exec jupyter lab --ip=0.0.0.0 --no-browser "$@"
