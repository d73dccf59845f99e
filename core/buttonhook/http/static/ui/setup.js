// The set-up code stands behind the # of the link, which the browser does not send: it is put into the form here.
export function takeSetUpCode() {
  const field = document.querySelector("form[data-setup] input[name=code]");
  const code = location.hash.slice(1);
  if (!field || !code) return;
  field.value = code;
  history.replaceState(null, "", location.pathname);
  document.querySelector("form[data-setup] input[name=name]").focus();
}
