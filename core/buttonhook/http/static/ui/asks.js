// A link with data-ask leads to a page that asks; with a script the question comes as a dialog on this page.
import { toast } from "./parts.js";

async function ask(link) {
  const answer = await fetch(link.href, { headers: { "X-Fragment": "1" } });
  const made = document.createElement("template");
  made.innerHTML = await answer.text();
  const dialog = made.content.querySelector("dialog");
  if (!answer.ok || !dialog) {
    toast(made.content.textContent.trim().replace(/\s+/g, " "));
    return;
  }
  document.body.append(dialog);
  let isSent = false;
  dialog.addEventListener("submit", (event) => {
    if (isSent) event.preventDefault(); // a double click means it once
    isSent = true;
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    link.focus();
  });
  dialog.showModal();
}

export function followAsks() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-ask]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) ask(link).catch(() => { location.href = link.href; });
  });
}
