# Copyright (c) mmhires contributors. Licensed under Apache-2.0.
"""Expressions of sizes in ``.pt2`` files, which PyTorch evaluates."""

import ast
import re

# Functions of sizes, beside those that are classes of SymPy or PyTorch.
_FUNCTIONS = ('ceiling', 'floor', 'max', 'min', 'abs', 'int', 'float', 'bool')
_CLASSES = re.findall(
    r'\w+',
    'Abs Add And BitwiseFn_bitwise_and BitwiseFn_bitwise_or CeilDiv CeilToInt CleanDiv Equality '
    'Eq FloatPow FloatTrueDiv Float FloorDiv FloorToInt Ge GreaterThan Gt Identity IntTrueDiv '
    'Integer LShift Le LessThan Lt Max Min Mod ModularIndexing Mul Ne Not Or PowByNatural Pow '
    'PythonMod RShift Rational RoundDecimal RoundToInt StrictGreaterThan StrictLessThan ToFloat '
    'TruncToFloat TruncToInt Unequality Where IsNonOverlappingAndDenseIndicator',
)
_CALLED = {*_FUNCTIONS, *_CLASSES}
_OF_TENSORS = ('size', 'shape', 'dim', 'ndim', 'numel', 'stride', 'storage_offset')
_NODES = (
    ast.Expression,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.IfExp,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
    ast.Load,
)


def check_expression(text: str) -> bool:
    """Check that a text is arithmetic of sizes, such as ``'8*(s0//8)'``."""
    return _check(text, _is_size)


def check_guard(text: str) -> bool:
    """Check that a text compares sizes, as ``"L['image'].size()[2] >= 4"``."""
    return _check(text, lambda node: _is_of_tensor(node) or _is_size(node))


def _check(text: str, is_known) -> bool:
    try:
        tree = ast.parse(text.strip(), mode='eval')
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, _NODES) and not is_known(node):
            return False
        if not _is_leaf(node):
            waiting += ast.iter_child_nodes(node)
    return True


def _is_leaf(node: ast.AST) -> bool:
    """Return whether a node has no parts that need a check."""
    return _is_symbol(node) or (
        isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and _is_name(node.value)
    )


def _is_size(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, (int, float))
    if isinstance(node, ast.Call):
        return _is_symbol(node) or (
            not node.keywords and _is_name(node.func) and node.func.id in _CALLED
        )
    return _is_name(node)


def _is_of_tensor(node: ast.AST) -> bool:
    """Return whether it is the size of a network argument, or a part."""
    if isinstance(node, ast.Attribute):
        return node.attr in _OF_TENSORS or (_is_name(node.value) and node.value.id == 'math')
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and not node.keywords
    return isinstance(node, ast.Subscript)


def _is_symbol(node: ast.AST) -> bool:
    """Return whether it is ``Symbol('s0', integer=True)``."""
    words = [word.value for word in getattr(node, 'keywords', ())]
    return (
        isinstance(node, ast.Call)
        and _is_name(node.func)
        and node.func.id == 'Symbol'
        and len(node.args) == 1
        and all(isinstance(x, ast.Constant) for x in (*node.args, *words))
        and str(node.args[0].value).isidentifier()
        and all(isinstance(word.value, bool) for word in words)
    )


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and not node.id.startswith('__')
