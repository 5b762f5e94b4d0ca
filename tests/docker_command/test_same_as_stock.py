"""Verb for verb, ours prints what the stock docker command prints, and exits with the same status."""

import json
import time

import pytest

from labkit.docker_command.verbs import VERBS

IMAGE = "labkit/base"
WEB = f"run -d --name {{P}}-web -e COLOUR=blue {IMAGE} sh -c 'echo up; touch /up; sleep 600'"
ENDED = f"run --name {{P}}-end {IMAGE} sh -c 'echo out; exit 3'"
MADE = f"create --name {{P}}-made {IMAGE} echo made"

# a story: (what is done first and compared too, what is compared after that)
STORIES = {
    "run": [
        WEB,
        ENDED,
        MADE,
        f"run --rm {IMAGE} echo hello",
        f"run --rm --name {{P}}-x -w /tmp -h web -e A=1 -u 7 {IMAGE} sh -c 'pwd; hostname; echo $A; id -u'",
        f"run --rm --entrypoint echo {IMAGE} a b",
        f"run --rm --read-only {IMAGE} touch /x",
        f"run --rm -m 32m --cpus 0.5 --pids-limit 20 {IMAGE} echo limited",
        f"run --rm -l a=b --cap-drop ALL --init {IMAGE} echo labelled",
        f"run --rm --tmpfs /scratch {IMAGE} touch /scratch/x",
        f"run --rm -t {IMAGE} echo in a terminal",
        f"run --rm -i {IMAGE} cat",
        f"run -it {IMAGE} sh",
        f"run --name {{P}}-web {IMAGE} true",
        f"run --rm {IMAGE} no-such-program",
        f"run --rm {IMAGE} /etc/motd",
        "run --rm --pull never {P}-no-such-image true",
        f"run --rm {IMAGE} sh -c 'exit 4'",
        "run",
    ],
    "look": [
        WEB,
        ENDED,
        "logs {P}-web",
        "logs --tail 1 {P}-end",
        "logs -n 0 {P}-end",
        "logs --since 10m {P}-end",
        "logs {P}-no-such",
        "ps --filter name={P}-",
        "ps -a --filter name={P}-",
        "ps -a -q --filter name={P}- --filter status=exited",
        "ps -a --no-trunc --filter name={P}-",
        "ps -as --filter name={P}-",
        "ps -a --filter name={P}- --format '{{.Names}}: {{.State}} {{.Image}}'",
        "ps -a --filter name={P}- --format 'table {{.Names}}\\t{{.Command}}'",
        "ps --filter name={P}-nothing",
        "container ls --filter name={P}-",
        "inspect -f '{{.Name}} {{.State.Status}} {{.State.ExitCode}}' {P}-end",
        "inspect -f '{{.Config.Cmd}} {{json .Config.Env}} {{len .Mounts}}' {P}-web",
        "inspect -f '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}' {P}-web",
        "inspect -f '{{if .State.Running}}yes{{else}}no{{end}}{{index .Config.Cmd 0}}' {P}-end",
        "inspect --type image -f '{{.RootFS.Type}}' labkit/base",
        "image inspect -f '{{.Config.Cmd}}' labkit/base",
        "inspect {P}-no-such",
        "inspect -f '{{.Name}}' {P}-web {P}-no-such",
        "top {P}-web",
        "top {P}-end",
        "diff {P}-web",  # one path: neighbours come in no fixed order from dockerd, and sorted from ours
        "diff {P}-no-such",
        "port {P}-web",
    ],
    "exec": [
        WEB,
        "exec {P}-web echo hello",
        "exec {P}-web sh -c 'echo $COLOUR; exit 5'",
        "exec -e B=2 -w /tmp -u 7 {P}-web sh -c 'echo $B; pwd; id -u'",
        "exec -d {P}-web touch /detached",
        "exec -t {P}-web echo hi",
        "exec -it {P}-web sh",
        "exec {P}-no-such true",
        "exec {P}-web",
    ],
    "life": [
        WEB,
        MADE,
        "start {P}-made",
        "wait {P}-made",
        "pause {P}-web",
        "ps --filter name={P}-web --format '{{.Status}}'",
        "exec {P}-web true",
        "unpause {P}-web",
        "unpause {P}-web",
        "rename {P}-web {P}-site",
        "rename {P}-web {P}-other",
        "rm {P}-site",
        "kill -s USR1 {P}-site",
        "kill {P}-site",
        "kill {P}-no-such",
        "wait {P}-site",
        "start {P}-site",
        "restart -t 0 {P}-site",
        "stop -t 0 {P}-site {P}-no-such",
        "stop {P}-site",
        "start {P}-no-such",
        "rm {P}-site {P}-made",
        "rm {P}-site",
        "rm -f {P}-site",
        "rm",
    ],
    "images": [
        WEB,
        "exec {P}-web touch /{P}",  # so that the two worlds' layers are different ones
        "commit -a 'A. Learner' -m 'a message' {P}-web {P}-image:v1",
        "images --filter reference={P}-image --format '{{.Repository}}:{{.Tag}}'",
        "tag {P}-image:v1 {P}-image:v3",
        "images {P}-image",
        "image ls --no-trunc {P}-image",
        "images -q {P}-image",
        "history {P}-image:v1",
        "history --format '{{.CreatedBy}}|{{.Comment}}' {P}-image:v1",
        "history {P}-no-such",
        "tag {P}-no-such x",
        'commit -c \'CMD ["echo", "committed"]\' {P}-web {P}-image:v2',
        "run --rm {P}-image:v2",
        "rmi {P}-image:v1 {P}-no-such",
        "rmi {P}-image:v2 {P}-image:v3",
        "rmi labkit/no-such",
    ],
    "mistakes": ["ps x", "diff", "rename one", "cp a b"],
    "engine": ["version --format '{{.Server.Os}} {{.Server.Version}}'", "info --format '{{.OSType}} {{.NCPU}}'"],
}


@pytest.mark.parametrize("story", STORIES)
def test_a_story_told_by_both(story, worlds):
    stock, ours = worlds
    told = []
    for line in STORIES[story]:
        told.append((line, stock(line), ours(line)))
    different = [(line, theirs, mine) for line, theirs, mine in told if theirs != mine]
    assert not different, "\n".join(f"$ docker {line}\nstock: {a}\n ours: {b}" for line, a, b in different)


def test_every_verb_has_been_compared():
    lines = [line for lines in STORIES.values() for line in lines]
    compared = {line.split()[0] for line in lines}
    assert set(VERBS) - compared == set()


SAME_STATE = [
    "ps -a --filter name=lkcmd-",
    "ps -as --no-trunc --filter name=lkcmd-",
    "ps -a --filter name=lkcmd- --format 'table {{.ID}}\\t{{.CreatedAt}}\\t{{.Labels}}'",
    "images labkit/base",
    "images --digests labkit/base",
    "history labkit/base",
    "history --no-trunc labkit/base",
    "top lkcmd-stock-web",
    "top lkcmd-stock-web -o pid,args",
    "inspect lkcmd-stock-web",
    "inspect labkit/base",
    "logs -t lkcmd-stock-web",
]


@pytest.mark.parametrize("line", SAME_STATE)
def test_to_the_letter_on_the_same_state(line, worlds):
    """Nothing masked: columns, ids and ages too. An age may change between the two, so try again."""
    stock, ours = worlds
    stock(WEB)
    stock(ENDED)
    time.sleep(0.3)
    for _ in range(5):
        theirs, mine = stock.run(line), ours.run(line)
        if theirs == mine:
            break
    assert mine == theirs


def test_a_line_of_json_has_the_stock_commands_keys(worlds):
    """Newer stock commands know more of a container (its platform); what ours says is the same."""
    stock, ours = worlds
    stock(MADE)
    line = "ps -a --filter name=lkcmd-stock --format json"
    theirs, mine = json.loads(stock.run(line)[0]), json.loads(ours.run(line)[0])
    assert set(mine) <= set(theirs) <= set(mine) | {"Platform"}
    assert [key for key in mine if mine[key] != theirs[key] and key != "RunningFor"] == []


def test_copying_in_and_out(worlds, tmp_path):
    letter = tmp_path / "letter"
    letter.write_text("dear container")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "deep" / "file").write_text("deep")
    for world in worlds:
        out = tmp_path / world.prefix
        out.mkdir()
        world(WEB)
        for line in (
            f"cp {letter} {{P}}-web:/root/",
            f"cp {letter} {{P}}-web:/renamed",
            f"cp {tmp_path}/folder {{P}}-web:/tmp",
            f"cp {{P}}-web:/root/letter {out}",
            f"cp {{P}}-web:/renamed {out}/back",
            f"cp {{P}}-web:/tmp/folder {out}/tree",
            f"cp {{P}}-web:/etc {out}",
        ):
            assert world(line) == ("", 0), line
    stock, ours = worlds
    assert ours("exec {P}-web ls -lnR /root /tmp /renamed")[1] == 0
    assert tree(tmp_path / stock.prefix) == tree(tmp_path / ours.prefix)
    assert sorted(stock("diff {P}-web")[0].splitlines()) == sorted(ours("diff {P}-web")[0].splitlines())
    for line in ("cp {P}-no-such:/x .", "cp {P}-web:/nope .", "cp /nope {P}-web:/"):
        assert stock(line)[1] == ours(line)[1] == 1


def tree(folder):
    """Every file below a folder with its text; etc/hosts and its kind name the container, so they are left out."""
    own = ("hosts", "hostname", "resolv.conf", "mtab")
    paths = [path for path in sorted(folder.rglob("*")) if path.name not in own]
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in paths}


def test_the_engines_own_lines_of_version_and_info(worlds):
    """Ours has fewer lines, and says who it is; the lines that it has are the stock command's."""
    stock, ours = worlds
    for verb in ("version", "info"):
        theirs, mine = stock.run(verb)[0], ours.run(verb)[0]
        server = {squeezed(line) for line in theirs.partition("Server:")[2].splitlines()}
        assert {squeezed(line) for line in mine.partition("Server:")[2].splitlines()} <= server | {""}
        assert "in place of the docker command" in mine


def squeezed(line):
    return " ".join(line.split())
