"""Reads the suite's report: counts the verdicts, names every bad one, and fails if there is one.

    verdict.py REPORT_FOLDER CASES
"""

import collections
import json
import pathlib
import sys

GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


def main(folder, cases_expected):
    report = json.loads((pathlib.Path(folder) / "index.json").read_text())
    (cases,) = report.values()
    counts = collections.Counter()
    bad = []
    for name, case in sorted(cases.items()):
        # What was echoed, and how the connection ended.
        for half in ("behavior", "behaviorClose"):
            counts[half, case[half]] += 1
            if case[half] not in GOOD:
                bad.append(f"{name}: {half} is {case[half]}")
    for (half, verdict), count in sorted(counts.items()):
        print(f"{half:14} {verdict:14} {count}")
    print(f"{len(cases)} cases, {len(bad)} bad")
    for line in bad:
        print(line)
    if len(cases) != cases_expected:
        print(f"expected {cases_expected} cases")
        return 1
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
