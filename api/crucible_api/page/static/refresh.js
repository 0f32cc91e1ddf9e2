/* Pages that move: gets the page again when there is news, or every few seconds, and puts in what
   has changed, so that server and browser render in one place.

   [data-refresh] says after how many seconds at the earliest, [data-events] where news come from;
   [data-live] elements are replaced by those with the same id, figures are drawn anew. */
"use strict";

(() => {
  const root = document.querySelector("[data-refresh]");
  if (!root) return;
  const pause = Number(root.dataset.refresh) * 1000;
  let timer = null;

  const put = (page) => {
    for (const old of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(old.id);
      // whoever reads there with the keyboard keeps the place
      if (!fresh || fresh.outerHTML === old.outerHTML || old.contains(document.activeElement)) continue;
      old.replaceWith(document.adoptNode(fresh));
    }
    for (const old of document.querySelectorAll("figure.figure [data-figure]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || fresh.dataset.figure === old.dataset.figure) continue;
      old.dataset.figure = fresh.dataset.figure;
      old.dispatchEvent(new CustomEvent("figure", { detail: JSON.parse(fresh.dataset.figure) }));
    }
  };

  const outline = (page) => [...page.querySelectorAll("main > h2, [data-figure], form")].map((one) => one.id || one.textContent).join("\n");

  const tellAway = () => {
    if (root.firstChild) return;
    const told = document.createElement("p");
    told.className = "note alarming";
    told.setAttribute("role", "alert");
    told.textContent = "The server does not answer. What is shown is what it said last; this page goes on when it is back.";
    root.replaceChildren(told);
  };

  const refresh = async () => {
    timer = null;
    let text;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return plan();
      text = await answer.text();
      root.replaceChildren();
    } catch {
      // it may come back
      tellAway();
      return plan();
    }
    const page = new DOMParser().parseFromString(text, "text/html");
    // a part that was not there before is worth a new page
    if (outline(page) !== outline(document)) return location.reload();
    put(page);
    if (page.querySelector("[data-refresh]") && !source) plan();
  };

  const plan = () => {
    timer ??= setTimeout(() => (document.hidden ? ((timer = null), plan()) : refresh()), pause);
  };

  let source = null;
  if (root.dataset.events) {
    source = new EventSource(root.dataset.events);
    for (const name of ["progress", "end"]) source.addEventListener(name, plan);
    source.addEventListener("end", () => {
      // what comes behind a training, its proof, has no events of its own
      source.close();
      source = null;
    });
    source.addEventListener("error", () => {
      // a browser tries again by itself, unless the server has none
      if (source?.readyState === EventSource.CLOSED) source = null;
      plan();
    });
  } else {
    plan();
  }
})();
