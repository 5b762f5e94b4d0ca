"""The runtime: a bundle in, a process out. What runc does for Docker, in files to be read in this order.

    namespaces    which views of the system a container gets for itself
    cgroups       how much of the machine it may use
    mounts        what its file tree looks like
    create        PARENT side: clone a child into new namespaces, speak with it, let it start
    init          CHILD side: the recipe from a bare clone to a container that waits for its start
    process       the last steps before execve: limits, user, capabilities, seccomp
    exec          a further process in a container that runs
    capabilities, seccomp, syscalls, devices    the tables and small assemblers that the above need

A bundle is described by the OCI runtime specification (config.json), so that runc can run the same one. Left out:
user namespaces for each container (the whole engine enters one instead), hooks, AppArmor and SELinux.
"""
