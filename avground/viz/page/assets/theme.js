// Light or dark as the system is, until the reader says otherwise.

{
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  const dark = () => (chosen ?? (system.matches ? "dark" : "light")) === "dark";
  const show = () => {
    document.documentElement.dataset.theme = chosen ?? "";
    write(button, dark() ? "Light" : "Dark");
    button.setAttribute("aria-label", dark() ? "Light colours" : "Dark colours");
  };
  button.addEventListener("click", () => {
    chosen = dark() ? "light" : "dark";
    show();
  });
  system.addEventListener("change", show);
  show();
}
