"use strict";

// Elements are made of names and text only: nothing here, or anywhere in the page, parses HTML.

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child != null && child !== false));
  return element;
}

/** An element; an attribute that is a function listens to the event of that name. */
const make = (tag, attributes = {}, ...children) => build(document.createElement(tag), attributes, children);

const draw = (tag, attributes = {}, ...children) =>
  build(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/** Styles that depend on data; the policy allows them on the object, not in an attribute. */
function place(element, styles) {
  for (const [name, value] of Object.entries(styles)) element.style.setProperty(name, value);
  return element;
}

/** Text that changes often is written only when it did. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const part = (share) => `${100 * share}%`;
const percent = (share) => `${(100 * share).toFixed(1)}\u00a0%`;
const second = (time) => String(Math.round(time * 100) / 100);
const weight = (value) => (value === 0 ? "0" : value < 0.001 ? value.toExponential(1) : value.toPrecision(3));
const largest = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity);
const count = (number) => number.toLocaleString("en");
