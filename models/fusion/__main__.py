"""python -m models.fusion train | evaluate | export: the three commands of this system."""

import argparse
import json

from models.fusion.settings import Settings


def main() -> None:
    """Run one command, or all three in order."""
    parser = argparse.ArgumentParser(prog="python -m models.fusion", description=__doc__)
    parser.add_argument("command", choices=["train", "evaluate", "export", "all"])
    command = parser.parse_args().command
    settings = Settings()
    if command in ("train", "all"):
        from models.fusion.train import train

        print(f"wrote {train(settings)}")
    if command in ("evaluate", "all"):
        from models.fusion.evaluate import evaluate

        print(json.dumps(evaluate(settings)["summary"]))
    if command in ("export", "all"):
        from models.fusion.bundle import export

        print(json.dumps(export(settings)))


if __name__ == "__main__":
    main()
