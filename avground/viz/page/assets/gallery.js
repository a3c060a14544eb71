// The page of a test split. The address holds what is chosen and what is open, and everything follows the address.

{
  const form = document.getElementById("filters");
  const settings = newSettings();
  const address = () => new URLSearchParams(location.hash.slice(1));
  const rows = new Rows(document.getElementById("cards"), (entry) =>
    drawCard(entry, form.elements.scale.value || "true", `#${changed(address(), { open: entry.index + 1 })}`));
  const showDialog = openDialog(settings, (index) => go({ open: index === null ? "" : index + 1 }));
  let chosen = [];
  let before = null;
  let last = null;

  function changed(parameters, changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (value === "") parameters.delete(name);
      else parameters.set(name, value);
    }
    return parameters;
  }

  function go(changes) {
    history.replaceState(null, "", `#${changed(address(), changes)}`);
    follow();
  }

  /** Show what the address says. */
  function follow() {
    const parameters = address();
    const open = Number(parameters.get("open")) - 1;
    parameters.delete("open");
    if (String(parameters) !== before) {
      before = String(parameters);
      filter(parameters);
    }
    const index = data.examples[open] ? open : null;
    showDialog(index, chosen);
    if (index === null && last !== null) rows.focus(chosen.findIndex((entry) => entry.index === last));
    last = index;
  }

  function filter(parameters) {
    const fields = [...form.elements];
    for (const field of fields) {
      const value = parameters.get(field.name) ?? "";
      if (field.value !== value) field.value = value;
      if (field.selectedIndex === -1) field.selectedIndex = 0; // The address asks for what there is not.
    }
    settings.scale = form.elements.scale.value || "true";
    chosen = choose(Object.fromEntries(fields.map((field) => [field.name, field.value])));
    write(document.getElementById("count"), describeChosen(chosen));
    document.getElementById("empty").hidden = chosen.length > 0;
    rows.show(chosen);
  }

  const read = () => go(Object.fromEntries([...form.elements].map(({ name, value }) => [name, value])));
  let waiting;
  form.addEventListener("input", ({ target }) => {
    clearTimeout(waiting);
    if (target.type === "search") waiting = setTimeout(read, 120);
    else read();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("reset").addEventListener("click", () => {
    history.replaceState(null, "", "#");
    follow();
    form.elements.q.focus();
  });
  addEventListener("hashchange", follow);
  fillForm(form);
  follow();
}
