"""Registries: images from another machine (`docker pull`) and to it (`docker push`), over HTTP.

A registry knows two kinds of things. *Blobs* are bytes under their digest: layers, packed, and image configs. A
*manifest* is a small JSON document under a tag, which names the config and the layers of one image.

    endpoint.py   from an image's name to a URL        client.py     requests, with a login where one is wanted
    auth.py       who we are: Basic and Bearer         failures.py   what went wrong, and what is worth another try
    manifests.py  the documents, checked               platforms.py  one of several architectures
    download.py   a blob in, verified and resumed      upload.py     a blob out
    reach.py      out of a rootless engine's network
    pull.py  push.py  progress.py                      the two verbs, and what the client sees of them

Left out: moving a blob between two repositories of a registry, uploading in pieces, foreign layers, and signatures.

Source: OCI distribution spec; Docker API ImageCreate, ImagePush, SystemAuth, DistributionInspect.
"""
