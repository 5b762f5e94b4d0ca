"""Masks for a transcript: what may differ between two engines or two runs, each by a rule that has a name."""

import re

# name: (what is looked for, what is put in its place), applied in this order
RULES = {
    "digest": (r"sha256:[0-9a-f]{64}", "sha256:DIGEST"),
    "long id": (r"\b[0-9a-f]{64}\b", "LONG-ID"),
    "short id": (r"\b[0-9a-f]{12}\b", "SHORT-ID"),
    "age": (r"\b(?:About )?(?:an?|\d+|Less than a) (?:second|minute|hour)s?(?: ago)?\b", "SOME-TIME"),
    "moment": (r"\b1\d{9}\b", "MOMENT"),
    "size": (r"\b\d+(?:\.\d+)?\s?(?:[kKMG]i?)?B\b", "SIZE"),
    "percent": (r"\b\d+\.\d+%", "PERCENT"),
    "port that the engine chose": (r"\b127\.0\.0\.1:\d{5}\b", "127.0.0.1:PORT"),
    "pid inside": (r"(?m)^ +(?!1 )\d+ (root|postgres)", r"  PID \1"),
    "pids in top": (r"(?m)^root +\d+ +\d+ +\d+ +\S+ +\S+ +[\d:]+ +", "root  PID  PPID  C  STIME  TTY  TIME  "),
    "exec without arguments": (r"(?m)^(exec_\w+: \S+)  (?=\S+$)", r"\1 "),
    "columns": (r"(?m)(?<=\S) {2,}", "  "),
    "end of line": (r"(?m)[ \t\r]+$", ""),
    # What the command line itself says differs between its versions.
    "error prefix of docker run": (r"(?m)^docker: Error response", "Error response"),
    "hint of docker run": (r"(?m)^\n?(See|Run) 'docker run --help'.*\n", ""),
    "no such object": (r"(?m)^(Error: No such object|error: no such object)", "Error: No such object"),
    "the classic builder's notice": (r"(?m)^DEPRECATED: .*\n(?: +\S.*\n)+", ""),
    # Docker 20.10 tells of a volume's creation again each time a container asks for it.
    "volume that was there already": (r"(?m)^(volume create|volume unmount)\nvolume create$", r"\1"),
    # A reason comes from the runtime, whose words differ; the status and the last words must be the same.
    "runtime's reason": (
        r"(?m)^(Error response from daemon: |OCI runtime exec ).*?(exec[^\n]*?: )?\"([^\"\n]+)\".*$",
        r"\1… \3",
    ),
    "blank lines": (r"\n{2,}", "\n"),
}


def normalized(transcript: str, names: dict[str, str]) -> str:
    """The transcript with `names` (what is ours in this session, and what to call it) and all RULES applied."""
    for name, mask in names.items():
        transcript = transcript.replace(name, mask)
    for pattern, mask in RULES.values():
        transcript = re.sub(pattern, mask, transcript)
    return transcript
