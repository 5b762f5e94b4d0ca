// The button of labkit.terminal(): a new terminal of the Jupyter server that this page came from, with one line typed.
// The page's own cookie is the login. Nothing here reads a token, and nothing is sent anywhere but to that server.

const PATIENCE = 10_000; // milliseconds until the terminal's shell must have shown its prompt

function serverAddress() {
  const config = document.getElementById("jupyter-config-data");
  if (!config) return null; // not a page of a Jupyter server
  return new URL(JSON.parse(config.textContent).baseUrl ?? "/", location.href);
}

async function newTerminal(server) {
  const xsrf = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1] ?? "";
  const answer = await fetch(new URL("api/terminals", server), {
    method: "POST",
    credentials: "same-origin",
    headers: { "Content-Type": "application/json", "X-XSRFToken": decodeURIComponent(xsrf) },
    body: "{}",
  });
  if (!answer.ok) throw new Error(`the Jupyter server gave no terminal (${answer.status} ${answer.statusText})`);
  return (await answer.json()).name;
}

// Wait for the first output, which is the shell's prompt, and type.
function type(server, name, line) {
  const address = new URL(`terminals/websocket/${name}`, server);
  address.protocol = address.protocol.replace("http", "ws");
  const socket = new WebSocket(address);
  return new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error("the terminal did not answer")), PATIENCE);
    socket.onerror = () => failed(new Error("the terminal's connection was refused"));
    socket.onmessage = (message) => {
      if (JSON.parse(message.data)[0] !== "stdout") return;
      socket.onmessage = null;
      socket.send(JSON.stringify(["stdin", `${line}\r`]));
      clearTimeout(late);
      done();
    };
  }).finally(() => setTimeout(() => socket.close(), 500)); // after what was sent has left
}

// JupyterLab and Notebook 7 run a command when something that bears these attributes is clicked.
// JupyterLab 4.6 asks once whether it may, because the click comes from a cell's output.
function show(name, root) {
  const open = ["terminal:open", { name }];
  if (window.jupyterapp) return Boolean(window.jupyterapp.commands.execute(...open));
  const link = document.createElement("span");
  link.hidden = true;
  link.dataset.commandlinkerCommand = open[0];
  link.dataset.commandlinkerArgs = JSON.stringify(open[1]);
  root.append(link);
  const taken = !link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
  link.remove();
  return taken;
}

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "lk-terminal";
  const button = document.createElement("button");
  button.type = "button";
  button.className = "lk-terminal-open";
  button.textContent = model.get("label");
  const command = document.createElement("code");
  command.textContent = model.get("command");
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  root.append(button, command, said);
  el.append(root);

  const server = serverAddress();
  button.hidden = server === null;
  button.addEventListener("click", async () => {
    button.disabled = true;
    said.textContent = "Opening…";
    try {
      const name = await newTerminal(server);
      await type(server, name, model.get("command"));
      if (show(name, root)) {
        said.textContent = `Terminal ${name} has it. Leave the container with exit.`;
      } else {
        const link = document.createElement("a");
        link.href = new URL(`terminals/${name}`, server);
        link.target = "_blank";
        link.rel = "noopener";
        link.textContent = `Terminal ${name}`;
        said.replaceChildren("Ready: ", link);
      }
    } catch (error) {
      said.textContent = `It did not work: ${error.message}. Copy the command into a terminal of your own.`;
    } finally {
      button.disabled = false;
    }
  });
}

export default { render };
