// On the pages for joining and coming back: the time zone, the field to look at again, and no second press while the
// first is under way.
for (const field of document.querySelectorAll("[data-zone]")) {
  field.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
}
document.querySelector("main .field.bad input")?.focus();
for (const form of document.querySelectorAll("main form")) {
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-busy") === "true") event.preventDefault();
    else button.setAttribute("aria-busy", "true");
  });
  // Back from the next page, as it was left.
  addEventListener("pageshow", () => button.removeAttribute("aria-busy"));
}
