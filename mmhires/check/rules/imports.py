# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Packages that a config imports."""

from ..context import Context
from ..finding import Finding, Findings
from ..remedies import from_error


def findings(ctx: Context) -> Findings:
    """Yield imports that fail, and mmhires where it is used but missing."""
    for error in ctx.import_errors:
        yield from_error('custom_imports', error, 'import')
    imported = {name.split('.')[0] for name in ctx.imports}
    if "'mmhires." in str(ctx.cfg.to_dict()) and 'mmhires' not in imported:
        yield Finding(
            'import',
            'custom_imports',
            'mmhires is not imported, but components of it are used',
            "add custom_imports = dict(imports=['mmhires'], allow_failed_imports=False)",
        )
