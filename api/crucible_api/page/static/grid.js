/* The grid: colours its rows as they come into sight, and moves one link over its cells.

   A row is one string of letters; equal neighbours share an element. The link is what a pointer
   presses and what Enter opens, so that every cell can be opened in all the ways a link can. */
"use strict";

(() => {
  const box = document.getElementById("grid");
  if (!box) return;
  const classes = JSON.parse(box.dataset.classes);
  const cell = document.getElementById("cell");
  const name = document.getElementById("cell-name");
  const at = document.getElementById("at");
  const rows = [...box.querySelectorAll("tbody tr")].map((row) => {
    const strip = row.querySelector(".strip");
    return { strip, letters: strip.textContent, task: row.querySelector("th").textContent, link: row.querySelector("a").href };
  });
  let row = 0;
  let column = 0;

  const paint = ({ strip, letters }) => {
    const parts = document.createDocumentFragment();
    for (const [run] of letters.matchAll(/(.)\1*/g)) {
      const part = document.createElement("i");
      const outcome = classes[run[0]];
      part.className = box.dataset.only && box.dataset.only !== outcome ? `${outcome} other` : outcome;
      part.textContent = run;
      parts.append(part);
    }
    strip.replaceChildren(parts);
  };

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      near.unobserve(entry.target);
      paint(rows.find((one) => one.strip === entry.target));
    }
  }, { rootMargin: "400px 100000px" });

  const place = () => {
    const { strip, letters, task, link } = rows[row];
    const strips = strip.getBoundingClientRect(), outer = box.getBoundingClientRect();
    const width = strips.width / letters.length;
    cell.style.left = `${strips.left - outer.left + box.scrollLeft + column * width}px`;
    cell.style.top = `${strips.top - outer.top + box.scrollTop}px`;
    cell.style.width = `${width}px`;
    cell.style.height = `${strips.height}px`;
    cell.href = `${link}&index=${column}`;
    const outcome = classes[letters[column]].replaceAll("_", " ");
    at.textContent = `${task}, sample ${column}: ${outcome}`;
    name.textContent = at.textContent;
    cell.hidden = false;
  };

  const move = (toRow, toColumn) => {
    row = Math.min(Math.max(toRow, 0), rows.length - 1);
    column = Math.min(Math.max(toColumn, 0), rows[row].letters.length - 1);
    place();
  };

  const under = (event) => {
    const strip = event.target.closest("tbody .strip");
    if (!strip) return null;
    const bounds = strip.getBoundingClientRect();
    const found = rows.findIndex((one) => one.strip === strip);
    const share = (event.clientX - bounds.left) / bounds.width;
    return [found, Math.floor(share * rows[found].letters.length)];
  };

  const KEYS = {
    ArrowUp: () => [row - 1, column],
    ArrowDown: () => [row + 1, column],
    ArrowLeft: () => [row, column - 1],
    ArrowRight: () => [row, column + 1],
    PageUp: () => [row - 10, column],
    PageDown: () => [row + 10, column],
    Home: (event) => [event.ctrlKey ? 0 : row, 0],
    End: (event) => [event.ctrlKey ? rows.length - 1 : row, Infinity],
  };

  cell.addEventListener("keydown", (event) => {
    const target = KEYS[event.key]?.(event);
    if (!target) return;
    event.preventDefault();
    move(...target);
    cell.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  cell.addEventListener("focus", place);
  box.addEventListener("pointermove", (event) => {
    // a finger scrolls, and presses what is under it
    const target = event.pointerType === "touch" ? null : under(event);
    if (target) move(...target);
  });
  box.addEventListener("click", (event) => {
    const target = under(event);
    if (!target) return;
    move(...target);
    location.assign(cell.href);
  });
  addEventListener("resize", () => cell.hidden || place());

  for (const one of rows) near.observe(one.strip);
  cell.hidden = false;
})();
