// Comfort only: every page works without this. What happens is shown by itself, and arrow keys turn frames.
"use strict";

const SETTLE_MS = 300;
const news = document.getElementById("news");
const { events, after, run } = document.body.dataset;
let source = null;
let last = after;
let isStale = false;
let isAtWork = false;
let pauseMs = SETTLE_MS;

function isTyping() {
  return [...document.querySelectorAll("main input, main textarea")].some(
    (field) => field === document.activeElement
      || (field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue),
  );
}

function say(text) {
  news.textContent = text;
  news.hidden = !text;
}

async function refresh() {
  if (isTyping()) {
    say("Something has happened since this page was made. Read it again when you have done with the form.");
    return;
  }
  try {
    const answer = await fetch(location.href);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.querySelector("main").replaceWith(page.querySelector("main"));
    say("");
  } catch {
    say("Nobody answers at the moment. This is what was so last.");
  }
}

async function catchUp() {
  isStale = true;
  if (isAtWork) {
    return;
  }
  isAtWork = true;
  while (isStale) {
    await new Promise((done) => setTimeout(done, pauseMs));
    isStale = false;
    const begun = performance.now();
    await refresh();
    // A page that takes long to make, of a run where much happens, leaves the server time for the run.
    pauseMs = Math.max(SETTLE_MS, 4 * (performance.now() - begun));
  }
  isAtWork = false;
}

function listen() {
  source = new EventSource(`${events}?after=${last}`);
  source.onopen = () => say("");
  source.onerror = () => say("Nobody answers at the moment. This is what was so last.");
  source.onmessage = (message) => {
    last = message.lastEventId;
    const told = JSON.parse(message.data).run;
    if (!run || told === run || told.startsWith(`${run}/`)) {
      catchUp();
    }
  };
}

function listenWhileSeen() {
  // A browser has few connections for one server: pages that nobody looks at let theirs go.
  if (document.hidden) {
    source?.close();
    source = null;
  } else if (!source) {
    listen();
  }
}

if (events) {
  document.addEventListener("visibilitychange", listenWhileSeen);
  listenWhileSeen();
}

document.addEventListener("keydown", (key) => {
  const go = { ArrowLeft: "previous", ArrowRight: "next" }[key.key];
  const isMeant = !(key.altKey || key.ctrlKey || key.metaKey || key.shiftKey);
  if (go && isMeant && !key.target.closest("input, textarea, pre, .wide")) {
    document.querySelector(`.scrubber a[data-go=${go}]`)?.click();
  }
});

function showRange() {
  for (const range of document.querySelectorAll(".scrubber input[type=range]")) {
    range.hidden = false;
  }
}

document.addEventListener("input", (change) => {
  if (change.target.matches(".scrubber input[type=range]")) {
    change.target.form.querySelector("[name=at]").value = change.target.value;
  }
});
document.addEventListener("change", (change) => {
  if (change.target.matches(".scrubber input[type=range]")) {
    change.target.form.submit();
  }
});
new MutationObserver(showRange).observe(document.body, { childList: true });
showRange();
