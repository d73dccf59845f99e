// Picking rows of a table for one act on all of them: a count, all at once, ranges with Shift, all that fit.
function follow(form) {
  const bulk = form.querySelector(".bulk");
  if (!bulk) return; // nothing can be done with what is picked
  const all = form.querySelector(".pick-all");
  const everything = form.querySelector('input[name="picked"]');
  const picks = () => [...form.querySelectorAll(".pick")];
  let last = null;

  function update() {
    const chosen = picks().filter((each) => each.checked).length;
    const isEverything = everything?.checked ?? false;
    bulk.hidden = chosen === 0 && !isEverything;
    bulk.querySelector("[data-count]").textContent = isEverything ? "All" : `${chosen} selected`;
    if (all) {
      all.checked = chosen > 0 && chosen === picks().length;
      all.indeterminate = chosen > 0 && !all.checked;
    }
    for (const each of document.querySelectorAll("[data-picked]")) each.textContent = String(chosen);
    // How many all are is known to the daemon alone: it asks on a page of its own.
    for (const each of bulk.querySelectorAll("[data-dialog], [data-asks]")) {
      const id = each.dataset.dialog ?? each.dataset.asks;
      delete each.dataset[isEverything ? "dialog" : "asks"];
      each.dataset[isEverything ? "asks" : "dialog"] = id;
    }
  }

  form.addEventListener("click", (event) => {
    if (!event.target.matches(".pick")) return;
    const rows = picks();
    if (event.shiftKey && last) {
      const [from, to] = [rows.indexOf(last), rows.indexOf(event.target)].sort((a, b) => a - b);
      for (const each of rows.slice(from, to + 1)) each.checked = event.target.checked;
    }
    last = event.target;
  });
  form.addEventListener("change", (event) => {
    if (event.target === all) for (const each of picks()) each.checked = all.checked;
    update();
  });
  if (all) all.hidden = false;
  update();
}

export function followPicks() {
  for (const form of document.querySelectorAll("form[data-picks]")) follow(form);
}
