# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Files that a config is made of."""
import os


def config_files(file: str | os.PathLike) -> list[str]:
    """List a config file and all that it inherits from.

    Args:
        file: A config file, or the name of one of upstream's, ``mmseg::...``.

    Returns:
        The files. Where one does not exist, or is not a config, reading the
        config says so: its bases are left out here.
    """
    from mmengine.config import Config
    found, waiting = [], [(str(file), '')]
    for name, child in waiting:  # grows on the way
        try:
            path, _ = Config._get_cfg_path(name, child)
            if path not in found:
                found.append(path)
                waiting += [(base, path)
                            for base in Config._get_base_files(path)]
        except (ImportError, OSError, SyntaxError, TypeError, ValueError,
                KeyError):
            found.append(name)
    return found
