// Keeps the page up to date: asks for it anew, and puts in what has changed. What is open, and the focus, stay.
import { draw } from "./charts.js";

const EVERY_MS = 5000, TIMEOUT_MS = 10000;
const notice = document.getElementById("notice");
const pause = document.getElementById("pause");
const paused = () => pause.getAttribute("aria-pressed") === "true";
let waiting, lostAt;

/** Elements below `root` that are told apart by `data-NAME`. */
const marked = (root, name) => new Map([...root.querySelectorAll(`[data-${name}]`)].map((element) => [element.dataset[name], element]));

const came = new Map([...marked(document, "live")].map(([name, part]) => [name, part.innerHTML]));

/** Put what is new in `fresh` in the place of what was in `old`. */
function replace(old, fresh) {
  const opened = [...old.querySelectorAll("details[data-key][open]")].map(({ dataset }) => dataset.key);
  const focused = old.contains(document.activeElement) && document.activeElement.closest("[data-key]")?.dataset.key;
  old.replaceChildren(...fresh.childNodes);
  const keyed = marked(old, "key");
  for (const key of opened) keyed.get(key)?.setAttribute("open", "");
  const target = focused && keyed.get(focused);
  if (target) (target.querySelector("summary") ?? target).focus({ preventScroll: true });
}

function update(fresh) {
  const olds = marked(document, "live");
  for (const [name, part] of marked(fresh, "live")) {
    const html = part.innerHTML;
    if (came.get(name) === html) continue; // nothing moves, and nothing is read aloud, that has not changed
    came.set(name, html);
    olds.get(name).className = part.className;
    replace(olds.get(name), part);
  }
  for (const [name, part] of marked(fresh, "numbers")) marked(document, "numbers").get(name).hidden = part.hidden;
  document.title = fresh.title;
  draw();
}

function tell(text) {
  lostAt ??= new Date().toISOString().slice(11, 19);
  const told = `${text} since ${lostAt} UTC. What is shown is of ${document.getElementById("at").textContent}.`;
  if (notice.textContent !== told) notice.textContent = told;
  notice.hidden = false;
  document.body.classList.add("lost");
}

async function ask() {
  try {
    // Without Accept: text/html, for which a refusal would open the browser's login every few seconds.
    const answer = await fetch(location.pathname, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) {
      tell(`The monitor answers with an error (HTTP ${answer.status})`);
    } else {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!paused()) update(fresh);
      lostAt = undefined;
      notice.hidden = true;
      document.body.classList.remove("lost");
    }
  } catch {
    tell("The monitor cannot be reached");
  }
  clearTimeout(waiting);
  if (!paused()) waiting = setTimeout(ask, EVERY_MS);
}

pause.addEventListener("click", () => {
  const pausing = !paused();
  pause.setAttribute("aria-pressed", String(pausing));
  if (pausing) clearTimeout(waiting); else ask();
});
pause.hidden = false;
document.addEventListener("toggle", () => draw(), true); // it does not bubble
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw({ anew: true }));
draw();
waiting = setTimeout(ask, EVERY_MS);
