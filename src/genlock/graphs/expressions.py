"""Expressions of arithmetic, as nodes compute them: evaluated within bounds, and never as a program.

evaluate("a * 16 + 1", {"a": 5}) == 81
"""

import ast
import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

Number = int | float | bool

MAX_LENGTH = 1000
_MAX_NODES = 300
_MAX_EXPONENT = 64
_MAX_NUMBER = 1e15

_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: lambda left, right: left / right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "cos": math.cos,
    "float": float,
    "floor": math.floor,
    "int": int,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": round,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "sum": lambda *numbers: sum(_spread(numbers)),
    "tan": math.tan,
}


def _spread(numbers: Sequence[Any]) -> Sequence[Any]:
    """Return the numbers of the only argument if it is a list of them."""
    return cast("list[Any]", numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], list) else numbers


def evaluate(expression: str, names: Mapping[str, Any]) -> Number:
    """Return the number that ``expression`` gives; raise ``ValueError``, with the reason, if it gives none."""
    if len(expression) > MAX_LENGTH:
        raise ValueError("the expression is too long")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        if sum(1 for _ in ast.walk(tree)) > _MAX_NODES:
            raise ValueError("the expression has too many parts")
        return _bounded(_value(tree.body, names))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError(f"{expression[:80]!r} is not an expression of numbers") from error
    except (ArithmeticError, TypeError, LookupError) as error:
        raise ValueError(f"{expression[:80]!r} gives no number: {error}") from error


def _value(node: ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() as number):
            return _bounded(number)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_number(left, names), _number(right, names))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _bounded(_BINARY[type(op)](_number(left, names), _number(right, names)))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            return _UNARY[type(op)](_number(operand, names))
        case ast.BoolOp(op=op, values=values):
            return _either(isinstance(op, ast.And), values, names)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compared(left, ops, comparators, names)
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _number(test, names) else orelse, names)
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return [_number(element, names) for element in elements]
        case ast.Subscript(value=ast.Name(id=name), slice=index) if isinstance(names.get(name), list):
            return names[name][int(_number(index, names))]
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _called(name, [_value(argument, names) for argument in arguments])
        case _:
            raise ValueError(f"{ast.unparse(node)[:80]!r} is not arithmetic")


def _number(node: ast.expr, names: Mapping[str, Any]) -> Number:
    return _bounded(_value(node, names))


def _either(every: bool, values: Sequence[ast.expr], names: Mapping[str, Any]) -> Any:
    value: Any = None
    for part in values:
        value = _number(part, names)
        if bool(value) is not every:
            break
    return value


def _compared(left: ast.expr, ops: Sequence[ast.cmpop], rest: Sequence[ast.expr], names: Mapping[str, Any]) -> bool:
    numbers = [_number(part, names) for part in (left, *rest)]
    if any(type(op) not in _COMPARISONS for op in ops):
        raise ValueError("it compares in a way that is not arithmetic")
    return all(_COMPARISONS[type(op)](*pair) for op, pair in zip(ops, itertools.pairwise(numbers), strict=True))


def _called(name: str, arguments: Sequence[Any]) -> Any:
    if name == "pow" and len(arguments) == 2:
        return _power(_bounded(arguments[0]), _bounded(arguments[1]))
    if name not in _FUNCTIONS:
        raise ValueError(f"{name[:80]!r} is not a known function")
    for argument in arguments:
        for number in cast("list[Any]", argument) if isinstance(argument, list) else [argument]:
            _bounded(number)
    return _FUNCTIONS[name](*arguments)


def _power(base: Number, exponent: Number) -> Number:
    if abs(exponent) > _MAX_EXPONENT:
        raise ValueError("an exponent in it is too large")
    return _bounded(base**exponent)


def _bounded(number: Any) -> Number:
    if not isinstance(number, int | float) or not math.isfinite(number) or abs(number) > _MAX_NUMBER:
        raise ValueError("it does not give a number that any setting has")
    return number
