/** The dialog that an example opens in; `moved` is told where its reader wants to go: to an example, or out. */
function openDialog(settings, moved) {
  const find = (id) => document.getElementById(id);
  const dialog = find("dialog");
  let view, index, around;

  function step(by) {
    const entry = around[around.findIndex((one) => one.index === index) + by];
    if (entry) moved(entry.index);
  }
  find("previous").addEventListener("click", () => step(-1));
  find("next").addEventListener("click", () => step(1));
  find("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => moved(null));
  dialog.addEventListener("keydown", (event) => {
    const by = { n: 1, p: -1 }[event.key.toLowerCase()];
    if (by && !taken(event)) step(by);
  });

  /** Show an example among those that are chosen, or none. */
  function show(next, chosen) {
    around = chosen;
    const at = chosen.findIndex((entry) => entry.index === next);
    find("previous").disabled = at <= 0;
    find("next").disabled = at < 0 || at === chosen.length - 1;
    write(find("place"), at < 0 ? "filtered out" : `${count(at + 1)} of ${count(chosen.length)}`);
    if (next === index) return;
    index = next;
    view?.close();
    view = null;
    if (next === null) {
      dialog.close();
      return;
    }
    view = new View(data.examples[next], settings);
    find("main").replaceChildren(view.element);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }
  return show;
}
