// The page of one video: a view of the question that is chosen, which the address names.

{
  const select = document.getElementById("question");
  const settings = newSettings();
  let view;
  select.append(...data.examples.map((example, k) => make("option", { value: k }, example.asked)));
  document.getElementById("questions").hidden = data.examples.length < 2;

  function show() {
    const k = Number(new URLSearchParams(location.hash.slice(1)).get("question") ?? 1) - 1;
    select.value = data.examples[k] ? k : 0;
    view?.close();
    view = new View(data.examples[select.value], settings);
    document.getElementById("main").append(view.element);
  }
  select.addEventListener("change", () => (location.hash = `question=${Number(select.value) + 1}`));
  addEventListener("hashchange", show);
  show();
}
