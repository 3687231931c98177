"""Colab's kernels begin with google.colab imported; so does each Python that has this folder on its path."""

import google.colab.drive
import google.colab.files
import google.colab.output
import google.colab.userdata  # noqa: F401
