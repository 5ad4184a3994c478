# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""What runs exported networks, a module for each engine.

Each has one function, ``load(file, device, precision, threads)``, that gives
the network as a function of a tensor, and the description in the file. Its
library is imported when it is called.
"""
