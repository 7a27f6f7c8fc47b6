// A small notice in ComfyUI's page when Genlock has the receipt of a run, and a warning when an input is out of date.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";

const NOTICE = "genlock.recorded";
const SHOWN_MS = 8000;

/** Return the severity, heading and lines of a notice, or null for one that is not shown. */
function messageOf(notice) {
  const lines = [...notice.warnings];
  if (notice.state === "recorded") {
    if (notice.for_review) lines.unshift(notice.why);
    const where = notice.place ? `${notice.place.project}/${notice.place.scene}/${notice.place.segment}` : "";
    return {
      severity: lines.length ? "warn" : "success",
      summary: `Receipt ${notice.receipt_id}${where ? ` · ${where}` : ""}${notice.for_review ? " · for review" : ""}`,
      lines: lines.length ? lines : ["Genlock recorded this run."],
    };
  }
  if (notice.state === "inbox") {
    const why = notice.why ? [notice.why] : [];
    return { severity: lines.length ? "warn" : "info", summary: "In Genlock's inbox", lines: [...why, ...lines] };
  }
  if (notice.state === "repeated") {
    const receipt = notice.receipt_id ? ` (receipt ${notice.receipt_id})` : "";
    return { severity: "info", summary: "Nothing was generated", lines: [`ComfyUI answered from its cache${receipt}.`] };
  }
  return null;
}

let shown = null;

/** Show a notice and remove the previous one: notices cover the button that starts the next run. */
function show(notice) {
  const message = messageOf(notice);
  if (message === null) return;
  const { toast } = app.extensionManager;
  if (shown !== null) toast.remove(shown);
  const detail = message.lines.join("\n");
  // A warning stays until the user closes it.
  const life = message.severity === "warn" ? undefined : SHOWN_MS;
  shown = { severity: message.severity, summary: `Genlock: ${message.summary}`, detail, life };
  toast.add(shown);
}

app.registerExtension({
  name: "genlock.notice",
  async setup() {
    api.addEventListener(NOTICE, (event) => show(event.detail));
  },
});
