"""Measure the embedded engine beside dockerd, through the Docker SDK, in one go.

    python -m tests.bench [--rounds 20] [--all] [--json bench.json]

Each round runs every engine once, in shuffled order, so that what else the machine does hits them alike; the ratio is
taken round by round and then its median. This prints numbers and judges nothing: it is no test.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import statistics
import time
from pathlib import Path

import pytest

from tests import busybox, engines
from tests.bench import machines
from tests.bench.measures import MEASURES, Measure
from tests.bench.sample import IMAGE, LABEL, Sample, Target

BUSY = 0.25  # a sample waits until less than this part of the machine's time is used …
PATIENCE = 3.0  # … but no longer than so many seconds


def targets(stack: contextlib.ExitStack) -> tuple[list[Target], list[str]]:
    """The engines that are here, with the bench's image; and what is missing, in words."""
    found, missing = [], []
    for open_engine in (lambda: engines.dockerd(), lambda: stack.enter_context(engines.embedded())):
        try:
            engine = open_engine()
        except (pytest.skip.Exception, pytest.fail.Exception) as reason:
            missing.append(str(reason))
            continue
        except RuntimeError as reason:
            missing.append(f"the embedded engine did not start: {reason}")
            continue
        client = stack.enter_context(contextlib.closing(engine.client()))
        busybox.import_image(client, IMAGE, changes=[f"LABEL {LABEL}="])
        if engine.name == "dockerd":  # ours goes away as a whole
            stack.callback(client.images.remove, IMAGE, force=True)
        found.append(Target(engine, client))
    return found, missing


def interleaved(measure: Measure, found: list[Target], rounds: int) -> dict[str, list[Sample]]:
    """{engine: its samples, round by round}."""
    chosen = [target for target in found if measure.only in (None, target.engine.name)]
    samples: dict[str, list[Sample]] = {target.engine.name: [] for target in chosen}
    for _ in range(rounds):
        for target in random.sample(chosen, len(chosen)):
            wait_for_quiet()
            samples[target.engine.name].append(measure.sample(target))
    return samples


def wait_for_quiet() -> None:
    """Wait until the machine has little else to do."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        used, total = cpu_time()
        time.sleep(0.06)
        used_now, total_now = cpu_time()
        if used_now - used < BUSY * max(1, total_now - total):
            return


def cpu_time() -> tuple[int, int]:
    """Ticks used and ticks in all since the machine started (the first line of /proc/stat)."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def medians(samples: list[Sample]) -> Sample:
    return {step: statistics.median(sample[step] for sample in samples) for step in samples[0]} if samples else {}


def ratios(samples: dict[str, list[Sample]]) -> Sample:
    """How many times longer dockerd took, step by step: the median of the ratios of the rounds."""
    if not (samples.get("dockerd") and samples.get("embedded")):
        return {}
    pairs = list(zip(samples["dockerd"], samples["embedded"], strict=True))
    rounds = {step: [a[step] / b[step] for a, b in pairs if b[step] > 0] for step in pairs[0][0]}
    return {step: statistics.median(found) for step, found in rounds.items() if found}


def show(measure: Measure, samples: dict[str, list[Sample]]) -> dict:
    middle = {name: medians(taken) for name, taken in samples.items()}
    ratio = ratios(samples)
    rounds = max(map(len, samples.values()), default=0)
    print(f"\n{measure.name} (medians of {rounds}, ms unless the step says otherwise)")
    print(f"  {'step':18}" + "".join(f"{name:>12}" for name in middle) + f"{'dockerd/ours':>14}")
    for step in next(iter(middle.values()), {}):
        cells = "".join(f"{taken[step]:12.2f}" for taken in middle.values())
        print(f"  {step:18}{cells}" + (f"{ratio[step]:14.1f}" if step in ratio else ""))
    return {"rounds": rounds, "medians": middle, "ratios": ratio, "samples": samples}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds of each measure (default: as the measure says)")
    parser.add_argument("--all", action="store_true", help="every measure: some minutes, and hundreds of containers")
    parser.add_argument("--only", metavar="WORDS", help="the measures whose name has these words")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the numbers go")
    return parser.parse_args()


def main() -> int:
    options = parse()
    chosen = [m for m in MEASURES if (options.only in m.name if options.only else m.always or options.all)]
    with contextlib.ExitStack() as stack:
        found, missing = targets(stack)
        for reason in missing:
            print(f"NOT MEASURED: {reason}")
        numbers = {}
        for measure in chosen if found else []:
            rounds = options.rounds or measure.rounds
            numbers[measure.name] = show(measure, interleaved(measure, found, rounds))
        if not options.only:
            numbers["first container in a machine"] = machines.show()
        machine = {"kernel": platform.release(), "cpus": os.cpu_count(), "python": platform.python_version()}
        versions = {target.engine.name: target.client.version()["Version"] for target in found}
    written = {"machine": machine, "engines": versions, "missing": missing, "measures": numbers}
    options.json.write_text(json.dumps(written, indent=1) + "\n")
    print(f"\nwritten to {options.json}")
    return 0 if found else 1
