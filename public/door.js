// On the pages for joining, coming back and getting back in: checks while one types, a password that is shown or proposed,
// codes that are copied and printed, the time zone, and no second press while the first is under way. Without this script
// the same forms are answered by the server, button by button.
const at = (selector, root = document) => root.querySelector(selector);
const SHORTEST = 15;

for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}

// A refused form: to the first field that is wrong.
(at("main .field.bad input") ?? at("#faults"))?.focus();

for (const form of document.querySelectorAll("main form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent === "true") event.preventDefault();
    form.dataset.sent = "true";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  // Back from the next page, as it was left.
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
    for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  });
}

/** Says what is wrong with a field, or that nothing is. */
function tell(input, message) {
  const error = document.getElementById(`${input.id}-error`);
  if (error && error.textContent !== message) error.textContent = message;
  input.closest(".field").classList.toggle("bad", message !== "");
  if (message) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

const password = at("[data-password] input");
const username = at("input#username:not([readonly])");

// Shown and hidden.
const show = at("[data-show]");
function reveal(visible) {
  password.type = visible ? "text" : "password";
  show.textContent = visible ? "Hide" : "Show";
  show.value = visible ? "hide" : "show";
  show.setAttribute("aria-label", visible ? "Hide password" : "Show password");
}
show?.addEventListener("click", (event) => {
  event.preventDefault();
  reveal(password.type === "password");
  password.focus();
});

// How long it is, and whether it holds what is guessed first.
const count = at("#password-count");
function judge(leaving) {
  const length = [...password.value].length;
  const known = [username?.value, at("#email")?.value.split("@")[0], "soulforge"].filter((w) => w && w.length >= 4);
  const held = known.find((word) => password.value.toLowerCase().includes(word.toLowerCase()));
  if (length === 0) count.textContent = "";
  else if (length < SHORTEST) count.textContent = `${length} of ${SHORTEST} characters`;
  else if (held) count.textContent = "Contains a name that is easy to guess";
  else if (new Set(password.value).size < 6) count.textContent = "Easy to guess";
  else count.textContent = length < 20 ? "Good" : "Strong";
  const wrong = length > 0 && length < SHORTEST ? `Use at least ${SHORTEST} characters.` : held ? `Your password can't contain “${held}”.` : "";
  // While somebody types nothing is wrong yet; what was wrong is right as soon as it is.
  if (leaving || !wrong) tell(password, wrong);
}
if (count) {
  password.addEventListener("input", () => judge(false));
  password.addEventListener("blur", () => password.value && judge(true));
  if (password.value) judge(false);
}

// Four words, drawn here and sent nowhere but with the form.
at("[data-propose]")?.addEventListener("click", async (event) => {
  event.preventDefault();
  const words = (await (await fetch("/words.txt")).text()).trim().split("\n");
  const draw = () => {
    const even = Math.floor(65536 / words.length) * words.length;
    const drawn = new Uint16Array(1);
    do crypto.getRandomValues(drawn);
    while (drawn[0] >= even);
    return words[drawn[0] % words.length];
  };
  password.value = [draw(), draw(), draw(), draw()].join(" ");
  reveal(true);
  judge(true);
  password.focus();
});

// Whether the name is free.
if (username && at("#email")) {
  let asked = 0;
  let timer = 0;
  const ask = async () => {
    const name = username.value.trim();
    if (!name) return;
    const mine = ++asked;
    try {
      const answer = await fetch(`/api/usernames/${encodeURIComponent(name)}`);
      if (!answer.ok || mine !== asked) return;
      tell(username, (await answer.json()).message);
    } catch {
      // Without a network the form itself will say so.
    }
  };
  username.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 500);
  });
}

// What is filled in later is no longer missing.
for (const input of document.querySelectorAll("main .field input")) {
  if (input !== password && input !== username) input.addEventListener("change", () => input.value && tell(input, ""));
}

// What was typed and only this browser has: the part after the line about it.
const kept = at("[data-kept]");
if (kept) {
  try {
    const stored = localStorage.getItem(kept.dataset.kept) ?? "";
    const text = stored.slice(stored.indexOf("\n") + 1).trim();
    if (stored.includes("\n") && text) {
      kept.lastElementChild.textContent = text;
      kept.hidden = false;
    }
  } catch {
    // Browsers that keep nothing.
  }
}

// Codes to copy and to print.
const copy = at("[data-copy]");
if (copy && navigator.clipboard) {
  copy.hidden = false;
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.textContent = "Copied";
  });
}
const printer = at("[data-print]");
if (printer) {
  printer.hidden = false;
  printer.addEventListener("click", () => window.print());
}
