import ast
import json
import subprocess
import sys

from tests.peers import ROOT


def test_torch_is_never_imported_by_the_agent() -> None:
    """Serving does not need torch: importing every module of the agent leaves it out of sys.modules."""
    code = (
        "import pkgutil, importlib, sys, json, agent\n"
        "for m in pkgutil.walk_packages(agent.__path__, 'agent.'):\n"
        "    if not m.name.endswith('__main__'): importlib.import_module(m.name)\n"
        "print(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "agent" in loaded
    assert not {"torch", "monai", "models"} & loaded


def test_receiver_imports_neither_database_nor_model_runtime() -> None:
    """What the receiver needs is small: pynetdicom and the spool."""
    code = "import sys, agent.bootstrap.receiver as r; print(sorted({n.split('.')[0] for n in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("sqlalchemy", "onnxruntime", "highdicom", "apscheduler", "typer"):
        assert f"'{name}'" not in done.stdout


def test_whatever_is_raised_is_caught_in_one_place() -> None:
    """No handler but that of the boundaries is so broad; cleaning up and raising again is allowed."""
    broad = []
    for path in sorted((ROOT / "agent").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node):
                broad.append(path.relative_to(ROOT).as_posix())
    assert broad == ["agent/core/boundary.py"]


def _is_broad(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(one is None or (isinstance(one, ast.Name) and one.id in ("Exception", "BaseException")) for one in names)


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
