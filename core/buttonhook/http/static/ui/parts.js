// Menus that close, dialogs in place of pages, keys, copying, toasts.

export function followMenus() {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open], details.menu-phone[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details.menu[open], details.menu-phone[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
}

// A link with data-dialog leads to a page that asks; where its dialog is on this page, that is shown instead.
export function followDialogs() {
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog) {
      event.preventDefault();
      opener.closest("details")?.removeAttribute("open");
      dialog.showModal();
      return;
    }
    const closer = event.target.closest("[data-close]");
    if (closer?.closest("dialog")) {
      event.preventDefault();
      closer.closest("dialog").close();
    }
    if (event.target instanceof HTMLDialogElement) event.target.close();
    if (event.target.closest("[data-inert]")) event.preventDefault();
  });
}

// `/` goes to the search; data-key names another element's key.
export function followKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, [contenteditable], dialog[open]")) return;
    const wanted = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    if (!wanted) return;
    event.preventDefault();
    if (wanted.matches("input")) wanted.focus();
    else wanted.click();
  });
}

export function followCopies() {
  for (const each of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    each.hidden = false;
    each.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(each.dataset.copy).textContent);
      each.lastChild.textContent = "Copied";
    });
  }
}

export function toast(text, kind = "failure", seconds = 8, href = "", label = "") {
  const made = document.createElement("div");
  made.className = `alert alert-${kind}`;
  made.setAttribute("role", kind === "failure" ? "alert" : "status");
  const inner = document.createElement("div");
  inner.textContent = text;
  if (href) {
    const link = document.createElement("a");
    link.href = href;
    link.textContent = label;
    inner.append(" ", link);
  }
  made.append(inner);
  document.getElementById("toasts").append(made);
  setTimeout(() => made.remove(), seconds * 1000);
}
