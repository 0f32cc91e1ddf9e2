/* The page of one run: its numbers in place while it goes on, and its buttons.

   Events come over one stream; where that breaks, the same is asked for every few seconds. */
"use strict";

(() => {
  const root = document.getElementById("run");
  const api = `/api/v1/runs/${root.dataset.run}`;
  const pace = JSON.parse(root.dataset.pace);
  const whole = new Intl.NumberFormat("en-US");
  const POLL_MS = 3000;
  const REFRESH_MS = 10000;
  const AWAY = "The server does not answer. What is shown is what it said last; this page goes on when it is back.";
  const looks = [];
  let told = -1;
  let source = null;
  let timer = 0;
  let isRefreshing = false;
  let isAway = false;
  let refreshedAt = performance.now();

  const put = (name, text) => {
    const element = root.querySelector(`[data-live="${name}"]`);
    if (element && element.textContent !== text) element.textContent = text;
  };

  const clock = (seconds) => {
    const all = Math.round(seconds);
    const two = (number) => String(number).padStart(2, "0");
    const hours = Math.floor(all / 3600), minutes = Math.floor((all % 3600) / 60);
    return hours ? `${hours}:${two(minutes)}:${two(all % 60)}` : `${minutes}:${two(all % 60)}`;
  };

  /* as crucible_api/pace.py: the rate of the last minutes, unknown until enough was seen */
  const rate = (judged) => {
    const now = performance.now() / 1000;
    if (looks.length === 0) looks.push({ now, judged, isFirst: true });
    else if (judged !== looks[0].judged || !looks[0].isFirst) {
      if (looks[0].isFirst) looks.length = 0;
      looks.push({ now, judged });
    }
    while (looks.length > 1 && looks[1].now <= now - pace.window) looks.shift();
    const seconds = now - looks[0].now, gained = judged - looks[0].judged;
    return looks[0].isFirst || seconds < pace.seconds || gained < pace.judged ? null : gained / seconds;
  };

  const showOutcomes = (progress) => {
    const counts = Object.fromEntries(progress.outcomes.map((one) => [one.outcome, one.count]));
    let left = 0;
    for (const part of root.querySelectorAll("svg.outcomes rect")) {
      const width = progress.planned ? (1000 * (counts[part.dataset.outcome] ?? 0)) / progress.planned : 0;
      part.setAttribute("x", left.toFixed(2));
      part.setAttribute("width", width.toFixed(2));
      left += width;
    }
    for (const count of root.querySelectorAll("[data-count]")) {
      count.textContent = whole.format(counts[count.dataset.count] ?? 0);
    }
  };

  /* said once for every tenth, so that nobody has to listen to every number */
  const tell = (progress, seconds) => {
    const tenth = Math.floor((10 * progress.judged) / Math.max(1, progress.planned));
    if (tenth === told) return;
    if (told >= 0) {
      const left = seconds ? `, about ${clock(seconds)} left` : "";
      document.getElementById("told").textContent = `${tenth * 10} % judged${left}`;
      // the scores so far, and how long it took
      refresh();
    }
    told = tenth;
  };

  const show = (progress) => {
    const state = root.querySelector('[data-live="state"]');
    const hasChanged = state.textContent !== progress.state;
    put("judged", whole.format(progress.judged));
    put("generated", whole.format(progress.generated));
    put("passed", whole.format(progress.passed));
    root.querySelector('[data-live="bar"]').value = progress.judged;
    const perSecond = rate(progress.judged);
    const missing = Math.max(0, progress.planned - progress.judged - progress.infra);
    put("rate", perSecond === null ? "–" : perSecond.toFixed(perSecond < 10 ? 2 : 0));
    put("left", perSecond === null ? "–" : clock(missing / perSecond));
    showOutcomes(progress);
    tell(progress, perSecond === null ? null : missing / perSecond);
    const gaps = root.querySelector("[data-gaps]");
    // scores and validity are of the same moment as the numbers above them, or nearly
    const isStale = performance.now() - refreshedAt > REFRESH_MS;
    if (hasChanged || isStale || Number(gaps.dataset.gaps) !== progress.gaps.length) refresh();
  };

  /* the server knows how the rest looks now; the page keeps its place and its focus */
  const refresh = async () => {
    if (isRefreshing) return;
    isRefreshing = true;
    const answer = await fetch(location.href).catch(() => null);
    isRefreshing = false;
    if (!answer?.ok) return;
    refreshedAt = performance.now();
    setAway(false);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.dataset?.action;
    const kept = ["rate", "left"].map((name) => [name, root.querySelector(`[data-live="${name}"]`)?.textContent]);
    for (const part of root.querySelectorAll("[data-part]")) {
      const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
      if (other && !part.contains(document.querySelector("input:focus"))) part.replaceWith(other);
    }
    if (focused) (root.querySelector(`[data-action="${focused}"]:enabled`) ?? root.querySelector("[data-action]:enabled"))?.focus();
    for (const plot of root.querySelectorAll("[data-figure]")) {
      const other = fresh.getElementById(plot.id);
      if (other) plot.dispatchEvent(new CustomEvent("figure", { detail: JSON.parse(other.dataset.figure) }));
    }
    for (const [name, text] of kept) if (text) put(name, text);
    const wasOver = root.dataset.over;
    root.dataset.over = fresh.getElementById("run").dataset.over;
    if (root.dataset.over === "yes" || wasOver === "yes") {
      document.getElementById("told").textContent = `The run is ${root.querySelector('[data-live="state"]').textContent}.`;
    }
    follow();
  };

  const stopFollowing = () => {
    source?.close();
    source = null;
    clearTimeout(timer);
    timer = 0;
  };

  const poll = async () => {
    try {
      const answer = await fetch(`${api}/progress`);
      setAway(false);
      if (answer.ok) show(await answer.json());
      // its token is revoked or over: the server knows where to ask for another
      else if (answer.status === 401) return location.reload();
    } catch {
      // the next look may find it again
      setAway(true);
    }
    timer = root.dataset.over === "yes" ? 0 : setTimeout(poll, POLL_MS);
  };

  const follow = () => {
    if (root.dataset.over === "yes") return stopFollowing();
    if (source || timer) return;
    source = new EventSource(`${api}/events`);
    source.addEventListener("progress", (event) => {
      setAway(false);
      show(JSON.parse(event.data));
    });
    source.addEventListener("end", () => {
      stopFollowing();
      refresh();
    });
    source.addEventListener("open", () => setAway(false));
    source.addEventListener("error", () => {
      // a stream that a live server closes is open again before this is asked
      fetch(`${api}/progress`).catch(() => setAway(true));
      // a stream that only paused comes back by itself
      if (source && source.readyState === EventSource.CLOSED) {
        source = null;
        if (!timer) poll();
      }
    });
  };

  const complain = (text) => {
    const problem = document.getElementById("problem");
    problem.textContent = text;
    problem.hidden = text === "";
  };

  const setAway = (isNow) => {
    if (isAway === isNow) return;
    isAway = isNow;
    complain(isNow ? AWAY : "");
    if (isNow) setTimeout(comeBack, POLL_MS);
  };

  /* of a run that is over nobody else would ask again */
  const comeBack = async () => {
    await refresh();
    if (isAway) setTimeout(comeBack, POLL_MS);
  };

  const ask = async (method, path, body) => {
    if (!isAway) complain("");
    try {
      const answer = await fetch(`${api}/${path}`, {
        method,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body ?? {}),
      });
      if (!answer.ok) {
        const problem = await answer.json().catch(() => ({ detail: `the server answers ${answer.status}` }));
        complain([problem.detail, problem.hint].filter(Boolean).join(" · "));
        return;
      }
      await refresh();
    } catch {
      setAway(true);
    }
  };

  const confirm = document.getElementById("confirm");
  confirm.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    confirm.close();
    if (button.value === "stop") ask("POST", "stop");
  });

  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action]");
    if (!button || button.disabled) return;
    if (button.dataset.action === "stop") confirm.showModal();
    else ask("POST", button.dataset.action);
  });

  root.addEventListener("submit", (event) => {
    if (event.target.id !== "priority") return;
    event.preventDefault();
    ask("PUT", "priority", { priority: Number(document.getElementById("priority-value").value) });
  });

  follow();
})();
