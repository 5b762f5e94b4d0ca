"""What usually goes wrong in an exercise, and the hint that each slip gets: hints that react to what is there.

A check that says "not yet" names the slip. `lesson.hint` looks at the engine first, and gives the hint for the slip
that it finds, once; after that it goes on with the exercise's own three. None of them says the solution.
"""

SLIPS: dict[str, str] = {
    # names
    "misnamed": "Compare the name with the task's, letter by letter. A container can be renamed as it is; its object "
    "has a method for that.",
    "unnamed": "A container without a name of your choice gets one from Docker. The name is chosen when it is made, "
    "and can be changed later.",
    # how many
    "too few": "One of those that were asked for is not there yet. List all containers: which name is missing?",
    "too many": "There is more than was asked for. List all containers, the stopped ones too, and remove what does not "
    "belong.",
    # the life of a container
    "not started": "Created is not started: so far it has no process. Making and starting are two steps, and one call "
    "does both.",
    "exited": "It ran and has ended: a container lives as long as its main process. Which command stays busy for a "
    "while? Look at what the lesson's own long-lived containers run.",
    "paused": "Its processes are frozen. What was paused can be let go on, by the opposite call.",
    "still running": "Its main process is still at work, so nothing has ended. Choose a command that ends by itself.",
    "still there": "Stopped is not deleted. Look at the list of all containers, not only of those that run.",
    "gone": "It is not there any more, and what you could ask it went with it. Who removed it? Look at your call's "
    "arguments.",
    "never ran": "It was made and removed without a start in between. The task wants to see it run.",
    "wrong code": "A container ends with the exit code of its main process. Which command ends with a code that you "
    "choose?",
    "not restarted": "It is stopped, with its files. A stopped container can be started again; no new one is needed.",
    "too fresh": "The file is younger than the container's last stop. Which comes first in the task: the file or the "
    "stop?",
    "not asked": "It ended, and nobody had asked it to. A stop sends a signal first, and the task is about that.",
    "killed": "The grace period ran out, and SIGKILL came. The main process needs a plan for the stop signal. Has it "
    "made one, and is it really process 1?",
    # images
    "wrong image": "A container keeps the image that it was made from. Remove it, and make it anew from the one that "
    "the task names.",
    "no image": "The image that this exercise builds on is not there. Run the lesson's cells above from the top.",
    "wrong layers": "Count the layers of both images, and compare them from the bottom up. Which container was "
    "committed, and from which image did that one come?",
    # drift
    "drifted": "What was done in the container is in its own layer, and goes with it. In which layer does a fix last?",
    "repaired by hand": "It reads as it should, and it is still not as its image: to undo by hand is one more change.",
    "restarted": "A restart keeps the read-write layer, with all that was changed in it.",
    "not the drifted one": "One was replaced that was as its image says. Which had drifted? `docker diff` tells.",
    "not read-only": "Its root file system can be written to. That is chosen when the container is made.",
    "no room": "It is sealed, and has no place to write. What can be mounted on a folder to write in?",
    # volumes
    "no volume": "Nothing is mounted there, so what is written goes into the container's own layer. Mounts are chosen "
    "when the container is made.",
    "wrong volume": "Another volume is mounted there. A new name is no error: the engine silently makes a new volume. "
    "Compare the names.",
    "may write": "It may write there. A mount has a mode, which is chosen together with it.",
    "not writable": "It may only read there. Which of the two should be able to write?",
    "not before": "The file is younger than the container that should only find it. Who comes first in the task?",
    # files and layers
    "nothing changed": "Its read-write layer is empty, or does not hold what was asked for. Did the command inside "
    "succeed? Its exit code says so.",
    "too much changed": "There is more in its read-write layer than was asked for. `docker diff` lists it. A fresh "
    "container has a fresh layer.",
    "wrong place": "The right thing in the wrong place. Compare the whole path with the task's, from the first slash.",
    "wrong kind": "Look at the letter in front of the path in `docker diff`: was it to be A, C or D?",
    "wrong content": "The file is where it should be. Now read it in the container, and compare with what was asked.",
    # services and networks
    "wrong network": "It is not on the network of the others, so they can't find it, nor it them. A container can be "
    "connected when it is made, and later.",
    "no answer": "It runs, and does not answer where it is asked. What does its own log say? On which port does its "
    "program listen?",
    "wrong answer": "Somebody answers at that name, and says something else than the task wants. Ask it yourself, from "
    "a container on the same network.",
    "repaired": "That is the old container, mended or started again. The task wants another one in its place.",
    # building
    "wrong base": "The lowest layers of an image come from the image after FROM. Which one does the task name?",
    "misnamed image": "Compare the image's name with the task's, letter by letter. An image can have several names: "
    "there is a call that gives it one more.",
    "overridden": "What is written after the image's name takes the place of the image's own command. The task wants "
    "to see the image's.",
    "wrong output": "It ran, and what it printed is not what the task wants. Its log has it; its image's configuration "
    "says what was run.",
    "missing step": "A file that the task names is not in the image. Which step of the recipe should make it, or copy "
    "it?",
    "wrong kind of step": "Files of the context come into an image by COPY. The task is about the place of that step.",
    "wrong order": "Each step after the first miss runs again. Which step misses when the program changes, and what "
    "stands after it?",
    "still in the image": "The big file is there, in plain sight. At the end of which step could it be gone?",
    "left in a layer": "Deleted in a later step is hidden, not gone. The layer of the step that made it holds it.",
    # processes
    "not PID 1": "Something else is the first process, and the app is at most its child. Look at the process tree: who "
    "stands at the top?",
    "wrong folder": "The right program in the wrong folder. Each process has a current folder; a child begins in that "
    "of its parent.",
    "other work": "It runs, and does something else than the task wants. Read the list of its processes.",
    "zombie": "Somebody must ask for the exit code of each child, also of an adopted one. Does your PID 1 do that?",
    "two jobs": "Count how often the app runs in the container. One container, one job.",
    # virtual machines and containers
    "never stopped": "It is still in its first run. Stop it, and start the same one again.",
    "wrong hardware": "The virtual hardware is chosen when the machine is made. Ask `vm.hardware()`: what is there, "
    "and how many of each?",
    "not booted": "The hardware is there, and switched off. A machine boots when it is started.",
    "switched off": "It was made, and it does not run any more. A stopped machine can be started again; a deleted one "
    "is gone.",
    "another kernel": "What was written down is no boot ID, or one that is drawn anew at each look. Compare the path "
    "in the lesson, letter by letter.",
    "too big": "The app is there, and a lot with it. What does its layer hold that the app does not need?",
    "no alias": "It is on the right network, and does not answer to that name there. A name beside its own is given "
    "when it is connected: disconnect it first, then connect it again.",
    "not published": "Its port can be reached from its own networks only. A port is published when the container is "
    "made: remove it, and make it anew.",
    "wrong port": "The port before the colon is this machine's, the one behind it the container's. On which port does "
    "its program listen?",
    "open to all": "Every machine that can reach this one can reach that port. Name the address of this machine that "
    "it should be published on.",
    "not internal": "That network has a way out. Whether it has is settled when the network is made.",
    "started anew": "That is not the process that was there. The task wants the running container, as it is.",
    # two engines
    "not moved": "It is on one engine only. An archive brings it to the other: one call writes it, one reads it.",
    "wrong engine": "It was made on the wrong side. Which of your two clients did you call?",
    "another image": "The same name does not make it the same image. Building twice gives two images; an archive gives "
    "the same one.",
    "flattened": "Its layers and its configuration are lost. There is a pair of commands for containers' files, and "
    "another pair for images.",
    # what a container starts
    "can't start": "The engine could not execute the first word. Is it a program that the image has? Are the quotes "
    "double ones?",
    "wrong words": "It ran, and printed something else. Compare letter by letter, from the first word to the last.",
    "all in CMD": "The words of the start took the place of all of them. Which part must stay, whatever is given?",
    "default is fixed": "The default is still there although something else was given. Which of the two instructions "
    "can be replaced?",
    "arguments lost": "What was given never reached the program. Is there a shell between the engine and the program?",
    "entrypoint kept": "What you gave came after the entrypoint, as its arguments. The entrypoint has an option of its "
    "own.",
    "fixed value": "The variable was not asked. Who turns a name with a dollar into its value?",
    # looking inside
    "wrong one": "That was not the one. Look again, at all that there are, before you stop or delete anything.",
    # powers and walls
    "lacks a power": "A step of its command was refused: its log says which. What does that step need?",
    "too many powers": "It can do more than was asked for. Is it easier to name what it must not have, or what it may?",
    "wrong command": "The container is there, and runs something else than the task's command.",
    "may gain powers": "What it lacks now, a program could still give it. There is a security option against that.",
    "still root": "Its processes have the user number 0. The user can be chosen when the container is made.",
    "writable": "It can still write into its own layer. An option makes the root file system read-only.",
    "own network": "A container gets a network of its own unless it is told whose to share. The option names the other "
    "container.",
    "host's network": "That is the machine's network, with no wall at all. The task names a container.",
    "wrong partner": "It moved in with somebody else. Which container does the task name?",
    # by hand
    "not become": "The child is still the Python that you began with. Which call puts another program in a process's "
    "place?",
    "wrong hostname": "Compare the hostname with your word. A container gets its own when it is made; a process in "
    "a UTS namespace sets it with a call.",
    "old root": "Its root folder is still that of the machine. Which call exchanges the root, and what must be mounted "
    "first?",
    # restarts and health
    "no policy": "Without a policy the engine never restarts. It is an argument of `run`, a dictionary with a name.",
    "no end": "This policy never gives up. Which one has a limit?",
    "wrong retries": "The policy is the right one. How often may the engine try? Compare with the number in the task.",
    "not over": "The engine has not given up yet. Wait a little: each wait is twice the one before.",
    "called off": "A stop or a kill calls the restarts off. Let it come to its end alone.",
    "no health check": "The engine does not know how to ask whether it is well. The argument of `run` is a dictionary "
    "with a test and an interval.",
    "not sick": "The check does not fail, or not yet. What does it look at, and how could that be taken away?",
    "never healthy": "It has failed from its start on. Begin with a check that is passed, and see it healthy once.",
    "never crashed": "The engine brings back only what ended without its being asked. How did the lesson's app crash?",
    "not stopped": "The first half is done: it has come back. Now the second: ask the engine to end it.",
    "given up": "It ended by itself, and nobody stopped it. Let it run again after the crash, and stop it then.",
    # limits
    "no limit": "Nothing was set for it, so the usual holds: no limit, and equal shares. The number is given when the "
    "container is made, and some can be changed later.",
    "limit too high": "It would do its work with less. The task names the most that it may be given.",
    "limit too low": "It was killed while it worked: 137 is 128 and signal 9. How much more might it need? Try.",
    "wrong limit": "There is a number, and it is not the one that the task asks for.",
    "turned round": "The one that shall get more has less.",
    "limit, not share": "A limit holds even when nobody else wants the processor. The task asks for a rank.",
    # a page of Python
    "no run": "The judge calls `run` with a list of words, and wants two things back: a text and a number. Call it "
    "yourself in the child, and read what it says.",
    "wrong environment": "Its environment is your Python's. The call that starts the program can give it another.",
    "not fresh": "What one container wrote, the next one finds. What has to be made anew for each run?",
    "all processes": "It sees others' processes, or none at all. What does /proc show, and who mounted it?",
    "not kept": "What is written there goes into the container's layer. A folder that outlives it is mounted.",
}
