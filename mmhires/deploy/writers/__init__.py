# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Writers of exported files: a module with ``write`` for each format."""
