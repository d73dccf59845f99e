// Switches that turn without leaving the page: the answer is the row as it is now, with what happened.
import { toast } from "./parts.js";
import { writeTimes } from "./times.js";

async function turn(form) {
  const button = form.querySelector(".switch");
  const row = form.closest("[data-switch-row]");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), headers: { "X-Fragment": "1" } });
    if (answer.status === 409) { location.assign(form.action); return; } // it has a question first
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    if (!answer.ok) { toast(made.content.textContent.trim().replace(/\s+/g, " ") || "It could not be switched."); return; }
    const fresh = made.content.querySelector("[data-switch-row]");
    row.replaceWith(fresh);
    writeTimes(fresh);
    fresh.querySelector(".switch").focus();
    toast(fresh.dataset.told, "success", 10, fresh.dataset.href, fresh.dataset.label);
  } catch {
    toast("The daemon did not answer.");
  } finally {
    button.removeAttribute("aria-busy");
  }
}

export function followSwitches() {
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-switch]") || !event.target.closest("[data-switch-row]")) return;
    event.preventDefault();
    if (!event.target.querySelector('[aria-busy="true"]')) turn(event.target);
  });
}
