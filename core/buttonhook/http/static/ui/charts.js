// What a chart tells of the column that is pointed at, beside its title; without this it is the drawing's own hint.
export function followCharts() {
  const tell = (event) => {
    const place = event.target.closest?.(".place") ?? event.target.querySelector?.(":scope > .place");
    const readout = place?.closest(".chart").querySelector("[data-readout]");
    if (readout) readout.textContent = place.dataset.text;
  };
  document.addEventListener("pointerover", tell);
  document.addEventListener("focusin", tell);
}
