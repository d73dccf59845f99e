// Suggestions for a reference, asked of the daemon as one types.
const WAIT_MS = 150;

function follow(input) {
  const list = document.getElementById(input.getAttribute("list"));
  let timer = 0;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const answer = await fetch(`${input.dataset.options}?q=${encodeURIComponent(input.value)}`, { headers: { "X-Fragment": "1" } });
      if (!answer.ok) return;
      const made = document.createElement("template");
      made.innerHTML = await answer.text();
      list.replaceChildren(made.content);
    }, WAIT_MS);
  });
}

export function followOptions(root = document) {
  for (const each of root.querySelectorAll("input[data-options]")) follow(each);
}
