// Keeps a page right while it is open: the server tells when it says something else by now. Without this it says how things stood
// when it was loaded.
"use strict";
const place = document.getElementById("live");
const news = document.getElementById("news");
const address = location.href.split("#")[0];
// How long nobody has to have touched anything before what they look at is changed.
const QUIET_MS = 1500;

const isTyped = (control) => {
  if (control.type === "checkbox") return control.checked !== control.defaultChecked;
  if (control.tagName !== "SELECT") return control.value !== control.defaultValue;
  const chosen = [...control.options].findIndex((option) => option.defaultSelected);
  return control.selectedIndex !== Math.max(chosen, 0);
};

// Whether somebody is in the middle of something.
let touched = 0;
const isBusy = () => {
  const selected = getSelection();
  const controls = [...place.querySelectorAll("input:not([type=hidden]), select, textarea")];
  return (
    Date.now() - touched < QUIET_MS ||
    controls.some((control) => control === document.activeElement || isTyped(control)) ||
    (!selected.isCollapsed && place.contains(selected.anchorNode))
  );
};

// What leads back to the link or button that has the focus, on the page as it is then.
const mark = (element) => {
  if (!element || !place.contains(element)) return null;
  const href = element.getAttribute("href");
  if (href) return `a[href="${CSS.escape(href)}"]`;
  const action = element.form && element.form.getAttribute("action");
  const value = element.value ? `[value="${CSS.escape(element.value)}"]` : "";
  return action ? `form[action="${CSS.escape(action)}"] button${value}` : null;
};

// Loads the page and puts what changes into its place.
const load = async () => {
  const answer = await fetch(address, { cache: "no-store" });
  if (answer.status === 429 || answer.status >= 500) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!answer.ok || answer.redirected || !fresh || !fresh.dataset.live) {
    location.reload();
    return;
  }
  const focus = mark(document.activeElement);
  const open = [...place.querySelectorAll("details")].map((one) => one.open);
  place.replaceChildren(...fresh.childNodes);
  place.dataset.live = fresh.dataset.live;
  [...place.querySelectorAll("details")].forEach((one, index) => (one.open = open[index] || false));
  const found = focus && place.querySelector(focus);
  if (found) found.focus({ preventScroll: true });
  // What a form had just done is no news any more.
  for (const done of document.querySelectorAll(".done")) done.remove();
  news.hidden = true;
};

// The page is another one by now: it is loaded as soon as nobody is busy with it.
let stamp = null;
let waited = 0;
const look = async () => {
  if (stamp === null || stamp === place.dataset.live) return;
  if (isBusy()) {
    waited += 1;
    news.hidden = waited < 8;
    return;
  }
  waited = 0;
  stamp = null;
  try {
    await load();
  } catch {
    // The server is away: the stream comes back with it.
  }
};

let source = null;
const watch = () => {
  if (source || document.hidden) return;
  source = new EventSource(address);
  source.addEventListener("stamp", (event) => {
    stamp = event.data;
    look();
  });
  source.addEventListener("over", () => location.reload());
  source.addEventListener("error", () => {
    if (!source || source.readyState !== EventSource.CLOSED) return;
    source = null;
    setTimeout(watch, 20000);
  });
};
const rest = () => {
  if (source) source.close();
  source = null;
};

// How long ago something was, as the server words it.
const away = (ms) => {
  const seconds = Math.floor(Math.abs(ms) / 1000);
  const [count, unit] =
    seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"] : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
  const span = `${Math.floor(count)} ${unit}`;
  if (document.documentElement.lang === "en") return ms < 0 ? `${span} ago` : `in ${span}`;
  return ms < 0 ? `há ${span}` : `em ${span}`;
};

// On a phone the menu is one line: where we are is to be seen.
const here = document.querySelector("nav a[aria-current]");
if (here) here.scrollIntoView({ block: "nearest", inline: "center" });

// What was sent is on its way: it is seen, and not sent twice.
addEventListener("submit", (event) => {
  setTimeout(() => {
    document.documentElement.classList.add("loading");
    if (event.submitter) event.submitter.disabled = true;
  });
});
addEventListener("pageshow", () => {
  document.documentElement.classList.remove("loading");
  for (const button of document.querySelectorAll("button[disabled]")) button.disabled = false;
});

if (place && place.dataset.live) {
  const ahead = Date.parse(place.dataset.now) - Date.now();
  for (const what of ["pointermove", "pointerdown", "keydown", "wheel"]) {
    addEventListener(what, () => (touched = Date.now()), { passive: true });
  }
  news.querySelector("button").addEventListener("click", load);
  setInterval(look, 500);
  setInterval(() => {
    for (const time of place.querySelectorAll("time")) {
      time.querySelector(".quiet").textContent = away(Date.parse(time.dateTime) - Date.now() - ahead);
    }
  }, 5000);
  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : watch()));
  addEventListener("pagehide", rest);
  addEventListener("pageshow", watch);
  watch();
}
