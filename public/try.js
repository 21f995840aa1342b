// What scripts add to the admin's pages about models. First, how far files are while they are fetched or loaded: without
// this the page says it when it is loaded again.
if (document.querySelector("#files-live[data-busy]")) {
  const look = async () => {
    const answer = await fetch(location.pathname).catch(() => null);
    const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, next] = [document, page || document].map((d) => d.querySelector("#files-live"));
    // Nothing is taken away from under somebody's fingers.
    if (next && next !== now && !now.contains(document.activeElement) && !now.querySelector("details[open]")) {
      now.replaceWith(document.adoptNode(next));
    }
    if (document.querySelector("#files-live[data-busy]")) setTimeout(look, 2000);
  };
  setTimeout(look, 2000);
}

// Then the words of a trial as they come, on the page of a model. Without this the form is sent, waits, and the page
// comes again with the whole reply.
for (const form of document.querySelectorAll("form[data-try]")) {
  const out = form.parentElement.querySelector("[data-trial]");
  const button = form.querySelector("button");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-busy") === "true") return;
    button.setAttribute("aria-busy", "true");
    const add = (name, text) => {
      const p = document.createElement("p");
      p.className = name;
      p.textContent = text;
      out.append(p);
      return p;
    };
    out.replaceChildren();
    const said = add("voice trial-text", "");
    try {
      const answer = await fetch(form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { accept: "text/event-stream" },
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        const events = rest.split("\n\n");
        rest = events.pop();
        for (const lines of events) {
          const field = (name) => lines.split("\n").find((l) => l.startsWith(name + ":"))?.slice(name.length + 1).trim();
          const data = JSON.parse(field("data") ?? "null");
          if (field("event") === "reset") said.textContent = "";
          if (field("event") === "delta") said.textContent += data.text;
          if (field("event") === "done") {
            if (data.error) add("note bad", data.error);
            const figures = [];
            if (data.first_token_ms !== null) figures.push(`first word after ${data.first_token_ms} ms`);
            if (data.tokens_per_second !== null) figures.push(`${data.tokens_per_second.toFixed(1)} tokens per second`);
            if (data.reply_tokens > 0) figures.push(`${data.prompt_tokens.toLocaleString("en")} tokens read, ${data.reply_tokens.toLocaleString("en")} written`);
            if (data.cost) figures.push(data.cost);
            add("meta", figures.join(" · "));
          }
        }
      }
    } catch (error) {
      add("note bad", error.message || "The server cannot be reached.");
    }
    if (!said.textContent) said.remove();
    button.removeAttribute("aria-busy");
  });
}
