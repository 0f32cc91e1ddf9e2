/* Run again without leaving the page: what was typed stays, and the answer appears below it. */
"use strict";

(() => {
  const form = document.getElementById("again-form");
  const result = document.getElementById("again-result");
  const button = form.querySelector("button");

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    result.textContent = "In the sandbox …";
    try {
      const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.getElementById("again-result");
      // a problem's page has no such place
      result.replaceChildren(...(found ?? page.querySelector("main")).childNodes);
    } catch {
      result.textContent = "The server does not answer.";
    }
    button.disabled = false;
  });
})();
