// Clocks that go on: how long what runs has run so far.
function lasted(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 100) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 100 ? `${minutes} min ${seconds % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function writeClocks() {
  for (const each of document.querySelectorAll(".running[data-since]")) {
    each.textContent = lasted(Date.now() - Number(each.dataset.since));
  }
}

export function followClocks() {
  writeClocks();
  setInterval(writeClocks, 1000);
}
