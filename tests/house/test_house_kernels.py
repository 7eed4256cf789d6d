"""The rules of a kernel file, read from its text: nothing here imports a kernel."""

from __future__ import annotations

import ast
import re

from tests.support.source_tree import ROOT, assigned, decorators, functions, kernel_files, sources, tree_of

COMPILED = {"device", "device_call", "kernel", "njit"}  # decorators of functions that Numba compiles


def test_there_are_kernels() -> None:
    assert {"mpm_p2g", "mpm_g2p", "mpm_grid", "img_trace", "img_resolve"} <= {path.stem for path in kernel_files()}


def test_a_kernel_file_holds_what_it_must() -> None:
    wrong = []
    for path in kernel_files():
        found = functions(path)
        if not {"cpu", "traffic", "example"} <= set(found):
            wrong.append(f"{path.stem}: cpu, traffic and example are expected")
        elif not {"kernel", "serial_kernel"} & set(decorators(found["cpu"])):
            wrong.append(f"{path.stem}: cpu is neither a @kernel nor a @serial_kernel")
        call = assigned(path)["KERNEL"]
        stated = {keyword.arg: keyword.value for keyword in call.keywords} if isinstance(call, ast.Call) else {}
        if not {"name", "item", "cpu", "traffic", "example"} <= set(stated):
            wrong.append(f"{path.stem}: KERNEL states name, item, cpu, traffic and example by keyword")
        elif getattr(stated["name"], "value", None) != path.stem:
            wrong.append(f"{path.stem}: the kernel's name is not the file's")
    assert not wrong


def rank_of(argument: str) -> int:
    """0 for counts and scalars; the vector of counts stands among them, whatever is done to it."""
    suffix = re.search("_(in|inout|out)$", argument)
    return 0 if suffix is None or argument.startswith("counts_") else ["in", "inout", "out"].index(suffix[1]) + 1


def test_arguments_stand_in_order() -> None:
    """Counts and scalars, then ``*_in``, ``*_inout``, ``*_out``."""
    wrong = []
    for path in kernel_files():
        names = [argument.arg for argument in functions(path)["cpu"].args.args]
        if names != sorted(names, key=rank_of):
            wrong.append(f"{path.stem}: {', '.join(names)}")
    assert not wrong


def test_an_array_that_is_only_read_is_not_written() -> None:
    """No assignment to an element of a ``*_in`` argument of a kernel, nor of a compiled function's."""
    wrong = []
    for path in sources("kernels"):
        for function in functions(path).values():
            for node in ast.walk(function):
                targets = (
                    node.targets
                    if isinstance(node, ast.Assign)
                    else [node.target]
                    if isinstance(node, ast.AugAssign)
                    else []
                )
                for target in targets:
                    if isinstance(target, ast.Subscript) and getattr(target.value, "id", "").endswith("_in"):
                        wrong.append(f"{path.stem}.{function.name}:{target.lineno}")
    assert not wrong


def bare_floats(function: ast.FunctionDef) -> list[ast.Constant]:
    wrapped = {
        id(part)
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in ("F32", "float32")
        for argument in node.args
        for part in (argument, getattr(argument, "operand", argument))
    }
    constants = [
        node for node in ast.walk(function) if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    return [node for node in constants if id(node) not in wrapped]


def test_no_bare_float_in_compiled_functions() -> None:
    """A literal like 0.5 makes Numba compute in float64: a constant is a float32 object."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for path in sources("kernels")
        for function in functions(path).values()
        if decorators(function) & COMPILED
        for node in bare_floats(function)
    ]
    assert not wrong


def test_no_fastmath_and_no_library_mathematics_in_kernels() -> None:
    """``exp``, ``log``, ``sin`` and the like are the ones of ``common``: a library's differ from machine to machine."""
    banned = {
        "exp",
        "log",
        "log2",
        "log10",
        "pow",
        "sin",
        "cos",
        "tan",
        "atan",
        "atan2",
        "tanh",
        "power",
        "random",
        "dot",
    }
    wrong = []
    for path in sources("kernels"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.keyword) and node.arg == "fastmath":
                wrong.append(f"{path.stem}: fastmath")
        for function in functions(path).values():
            if not decorators(function) & COMPILED:
                continue
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Attribute)
                    and getattr(node.value, "id", "") in {"np", "math"}
                    and node.attr in banned
                ):
                    wrong.append(f"{path.stem}:{node.lineno}: {node.value.id}.{node.attr}")
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
                    wrong.append(f"{path.stem}:{node.lineno}: **")
    assert not wrong
