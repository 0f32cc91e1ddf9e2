/* Figures: draws every [data-figure] as it comes near the screen, in the page's colours.

   Whoever has newer data sends the element a "figure" event with {data, layout} as its detail.
   The policy of our pages refuses inline styles; what plotly.js does with them is done otherwise. */
"use strict";

(() => {
  const url = document.currentScript.dataset.plotly;
  const config = { displayModeBar: false, responsive: true, showTips: false };
  const drawn = new Set();
  let loading = null;

  /* the object model may set a style, markup may not */
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style") this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };

  /* its maps bring rules when it is loaded; nobody draws a map */
  document.head.appendChild = (node) =>
    node.localName === "style" ? node : Node.prototype.appendChild.call(document.head, node);

  const load = () => {
    if (window.Plotly) return Promise.resolve();
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
    return loading;
  };

  /* "--figure-1/20" is the page's colour of this name, a fifth opaque */
  const resolve = (element, name) => {
    const [property, percent] = name.split("/");
    const probe = document.createElement("span");
    probe.style.color = `var(${property})`;
    element.append(probe);
    const color = getComputedStyle(probe).color;
    probe.remove();
    return percent ? color.replace(/^rgb\((.*)\)$/, `rgba($1, ${percent / 100})`) : color;
  };

  const colored = (element, value, key = "") => {
    if (Array.isArray(value)) return value.map((one) => (typeof one === "object" ? colored(element, one) : one));
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, colored(element, one, name)]));
    }
    const isColor = typeof value === "string" && /color$/.test(key) && value.startsWith("--");
    return isColor ? resolve(element, value) : value;
  };

  const draw = async (element) => {
    const figure = element.figure ?? JSON.parse(element.dataset.figure);
    try {
      await load();
    } catch {
      // the table has its numbers
      return;
    }
    drawn.add(element);
    await window.Plotly.react(element, colored(element, figure.data), colored(element, figure.layout), config);
    element.dataset.drawn = "";
  };

  const near = new IntersectionObserver((entries) => {
    for (const entry of entries.filter((one) => one.isIntersecting)) {
      near.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "300px" });

  const begin = () => {
    for (const element of document.querySelectorAll("[data-figure]")) {
      near.observe(element);
      element.addEventListener("figure", (event) => {
        element.figure = event.detail;
        if (drawn.has(element)) draw(element);
      });
    }
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach(draw));
})();
