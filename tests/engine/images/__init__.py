"""Tests of images: names, archives, layers on disk, and what is made of them."""
