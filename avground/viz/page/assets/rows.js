/** A long list of cards of one size, of which only those near the window exist. */
class Rows {
  constructor(list, drawItem) {
    this.list = list;
    this.drawItem = drawItem;
    this.items = [];
    this.cards = new Map();
    let asked = false;
    const soon = () => {
      if (!asked) requestAnimationFrame(() => { asked = false; this.render(); });
      asked = true;
    };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    new ResizeObserver(() => list.clientWidth !== this.wide && this.arrange()).observe(list);
  }

  show(items) {
    this.items = items;
    this.cards.clear();
    this.list.replaceChildren();
    this.arrange();
  }

  /** Columns as wide as fit; all rows are as high as the style says. */
  arrange() {
    const style = getComputedStyle(this.list);
    const [least, gap] = ["--least", "--gap"].map((name) => parseFloat(style.getPropertyValue(name)));
    this.high = parseFloat(style.getPropertyValue("--high")) + gap;
    this.wide = this.list.clientWidth;
    this.columns = Math.max(1, Math.floor((this.wide + gap) / (least + gap)));
    const height = `${Math.ceil(this.items.length / this.columns) * this.high}px`;
    place(this.list, { "--columns": this.columns, height });
    this.cards.forEach((card, n) => this.settle(card, n));
    this.render();
  }

  settle(card, n) {
    place(card, { "--column": n % this.columns, top: `${Math.floor(n / this.columns) * this.high}px` });
  }

  render() {
    const { columns, high, cards, list, items } = this;
    const top = -list.getBoundingClientRect().top;
    const first = Math.max(0, Math.floor(top / high) - 1) * columns;
    const last = Math.min(items.length, (Math.floor((top + innerHeight) / high) + 2) * columns);
    const wanted = Array.from({ length: Math.max(0, last - first) }, (_, k) => first + k);
    for (const [n, card] of cards) {
      if (n >= first && n < last) continue;
      if (card.contains(document.activeElement)) wanted.push(n); // The reader's place is kept.
      else {
        card.remove();
        cards.delete(n);
      }
    }
    let next = list.firstChild;
    for (const n of wanted.sort((a, b) => a - b)) {
      if (!cards.has(n)) {
        cards.set(n, make("li", { "aria-setsize": items.length, "aria-posinset": n + 1 }, this.drawItem(items[n])));
        this.settle(cards.get(n), n);
      }
      if (cards.get(n) === next) next = next.nextSibling;
      else list.insertBefore(cards.get(n), next);
    }
  }

  /** Bring a card into sight and give it the focus. */
  focus(n) {
    if (n < 0) return;
    if (!this.cards.has(n)) {
      scrollBy(0, this.list.getBoundingClientRect().top + Math.floor(n / this.columns) * this.high - this.high / 2);
      this.render();
    }
    this.cards.get(n)?.firstChild.focus();
  }
}
