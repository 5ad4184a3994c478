# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What ``mmhires budget`` runs."""
